package endpoint

import (
	"cmp"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

const (
	// dynamicLinger is how long a dynamic filter stays after its last SA: what the peer sends for a moment yet is not answered in clear.
	dynamicLinger = time.Minute
	// maxDynamic bounds the dynamic filters, those that linger too.
	maxDynamic = 2048
	// maxDynamicPerPeer bounds those of one peer, those that linger too. The key exchange allows one peer 16 that have children; who makes children and deletes them again is to fill
	// neither the table nor the time of this goroutine, which puts each of them in force.
	maxDynamicPerPeer = 32
)

// dynamicFilter is a filter that the default response rule made for what a peer asked to protect.
type dynamicFilter struct {
	filter *policy.QuickModeFilter
	since  time.Time
	alone  time.Time // since when it has no SA; zero: it has
}

// respond puts the dynamic filter of a child in force, if it is not: guard, routes, then the data plane. It reports whether it is.
func (e *Endpoint) respond(now time.Time, info *isakmp.ChildSA) bool {
	if d := e.dynamic[info.Filter]; d != nil {
		d.alone = time.Time{}
		return true
	}
	f := e.compiled.Dynamic(info.Selector)
	if f == nil || f.ID != info.Filter || len(e.dynamic) >= maxDynamic {
		return false
	}
	if peer := f.Filter.Dst.From; e.dynamicOf(peer) >= maxDynamicPerPeer {
		e.logs.log(e.log, now, slog.LevelWarn, "a peer has as many dynamic filters as one may have, those of the last minute included; it gets no more for now", "remote", peer, "filters", maxDynamicPerPeer)
		return false
	}
	e.dynamic[f.ID] = &dynamicFilter{filter: f, since: now}
	if err := e.applyDynamic(); err != nil {
		delete(e.dynamic, f.ID)
		e.log.Error("a dynamic filter could not be put in force", "filter", f.Filter.String(), "error", err)
		_ = e.applyDynamic() // back to what was
		return false
	}
	e.log.Info("the default response rule made a filter", "filter", f.Filter.String())
	return true
}

// dynamicOf counts the dynamic filters of a peer.
func (e *Endpoint) dynamicOf(peer netip.Addr) (n int) {
	for _, d := range e.dynamic {
		if d.filter.Filter.Dst.From == peer {
			n++
		}
	}
	return n
}

// applyDynamic puts the policy and its dynamic filters in force, without any change of the policy.
func (e *Endpoint) applyDynamic() error {
	list := e.dynamicFilters()
	if err := e.host.apply(e.compiled, list); err != nil {
		return err
	}
	e.plane.Apply(e.compiled, list...)
	return nil
}

// dynamicFilters lists the dynamic filters, heaviest first.
func (e *Endpoint) dynamicFilters() []*policy.QuickModeFilter {
	list := make([]*policy.QuickModeFilter, 0, len(e.dynamic))
	for _, d := range e.dynamic {
		list = append(list, d.filter)
	}
	slices.SortFunc(list, func(a, b *policy.QuickModeFilter) int {
		return cmp.Or(-a.Filter.Compare(&b.Filter), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// keepDynamic ends dynamic filters whose SAs have been gone for a while.
func (e *Endpoint) keepDynamic(now time.Time) {
	used := map[string]bool{}
	for _, c := range e.children {
		used[c.info.Filter] = true
	}
	ended := false
	for id, d := range e.dynamic {
		switch {
		case used[id]:
			d.alone = time.Time{}
		case d.alone.IsZero():
			d.alone = now
		case now.Sub(d.alone) >= dynamicLinger:
			delete(e.dynamic, id)
			ended = true
			e.log.Info("a filter of the default response rule is gone", "filter", d.filter.Filter.String())
		}
	}
	if !ended {
		return
	}
	if err := e.applyDynamic(); err != nil {
		e.log.Error("the end of a dynamic filter could not be put in force; it is tried again", "error", err)
		e.behind = true
	}
}

// dynamicUnder returns the dynamic filters that c, another policy or the same one on other addresses, has too, as it has them.
func (e *Endpoint) dynamicUnder(c *policy.Compiled) map[string]*dynamicFilter {
	kept := map[string]*dynamicFilter{}
	for id, d := range e.dynamic {
		if f := c.Dynamic(d.filter.Filter); f != nil && f.ID == id {
			kept[id] = &dynamicFilter{filter: f, since: d.since, alone: d.alone}
		}
	}
	return kept
}

// reportDynamic lists the dynamic filters, oldest first.
func (e *Endpoint) reportDynamic(now time.Time, s *Status) {
	sas := map[string]int{}
	for _, c := range e.children {
		if c.up {
			sas[c.info.Filter]++
		}
	}
	for id, d := range e.dynamic {
		r := DynamicFilter{FilterID: id, Filter: d.filter.Filter.String(), Selector: reportSelector(&d.filter.Filter), AgeSeconds: seconds(now.Sub(d.since)), SAs: sas[id]}
		if !d.alone.IsZero() {
			left := seconds(dynamicLinger - now.Sub(d.alone))
			r.SecondsLeft = &left
		}
		s.Dynamic = append(s.Dynamic, r)
	}
	slices.SortFunc(s.Dynamic, func(a, b DynamicFilter) int {
		return cmp.Or(cmp.Compare(b.AgeSeconds, a.AgeSeconds), cmp.Compare(a.Filter, b.Filter))
	})
}
