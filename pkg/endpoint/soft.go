package endpoint

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// maxSoft bounds the soft SAs of an endpoint: each is a rule of the host's firewall.
const maxSoft = 4096

// softKey names a soft SA: an outbound filter that falls back to clear, and two hosts.
type softKey struct {
	filter string
	pair   dataplane.Pair
}

// softSA is one soft SA: traffic that flows in clear because the peer gave no reply.
type softSA struct {
	filter       *policy.QuickModeFilter
	since, until time.Time
	plane        *dataplane.Soft
}

// softTable holds what belongs to falling back to clear.
type softTable struct {
	list map[softKey]*softSA
	// silent are the fall-backs that the events at hand ask for; they are made together, for each change is one of the host's firewall.
	silent []isakmp.Unanswered
	begun  uint64    // since the start
	told   time.Time // when the firewall was last told
	stale  bool      // it has not been told of all ends
}

const (
	// softBurst is from how many soft SAs on new ones are made once a second only, and softPause how long the end of one may stand open at the firewall: each
	// change is one of all its rules, and a host that calls thousands at once must not spend its time on that.
	softBurst = 64
	softPause = time.Second
)

// tellGuard tells the firewall of the soft SAs that there are.
func (e *Endpoint) tellGuard(now time.Time) error {
	err := e.host.soften(e.softPairs())
	e.soft.told, e.soft.stale = now, err != nil
	return err
}

// fallBack makes the soft SAs that were asked for: first the firewall lets answers in, then packets leave. If the firewall cannot be told, nothing leaves.
func (e *Endpoint) fallBack(now time.Time) {
	if len(e.soft.silent) == 0 || len(e.soft.list) >= softBurst && now.Sub(e.soft.told) < softPause {
		return
	}
	made := map[softKey]*softSA{}
	for _, ev := range e.soft.silent {
		k := softKey{ev.Filter, dataplane.Pair{Local: ev.Selector.Src.From, Remote: ev.Selector.Dst.From}}
		f := e.filterOf(ev.Filter)
		switch {
		case f == nil || f.Rule.Action.Fallback == nil || e.soft.list[k] != nil || e.carried(k):
		case len(e.soft.list) >= maxSoft:
			e.logs.log(e.log, now, slog.LevelWarn, "no further traffic falls back to clear: there are too many soft SAs", "limit", maxSoft, "remote", ev.Remote)
		default:
			s := &softSA{filter: f, since: now, until: now.Add(f.Rule.Action.Fallback.Live())}
			e.soft.list[k], made[k] = s, s
		}
	}
	e.soft.silent = e.soft.silent[:0]
	if len(made) == 0 {
		return
	}
	err := e.tellGuard(now)
	for k, s := range made {
		if err == nil {
			s.plane = e.plane.Soften(k.filter, k.pair, s.until)
		}
		if s.plane == nil {
			delete(e.soft.list, k)
			e.soft.stale = true
			e.fail(now, Failure{Rule: s.filter.Rule.Name, Filter: k.filter, Local: netip.AddrPortFrom(k.pair.Local, 0), Remote: netip.AddrPortFrom(k.pair.Remote, 0),
				What: "traffic did not fall back to clear", Why: reasonOf(err), Next: "look at the host's firewall (goipsec status says what guards it)"})
			continue
		}
		e.soft.begun++
		e.history.note(now, Event{Kind: EventSoft, Rule: s.filter.Rule.Name, Local: netip.AddrPortFrom(k.pair.Local, 0), Remote: netip.AddrPortFrom(k.pair.Remote, 0),
			What: "the peer gives no reply: traffic flows in clear under a soft SA", Why: "the peer speaks no IPsec, or somebody drops the UDP packets of port 500",
			Next: "a new negotiation is tried while traffic flows; leave fall back to clear out of the rule once the peer speaks IPsec", Detail: "filter " + s.filter.Filter.String()})
		e.logs.log(e.log, now, slog.LevelWarn, "the peer gives no reply: traffic flows in clear under a soft SA", "rule", s.filter.Rule.Name, "local", k.pair.Local,
			"remote", k.pair.Remote, "filter", s.filter.Filter.String(), "waited", s.filter.Rule.Action.Fallback.Wait(), "until", s.until.Format(time.DateTime))
		e.wake(k.filter, fmt.Errorf("%v gives no reply to IKE; its traffic flows in clear now, as the rule %q allows", k.pair.Remote, s.filter.Rule.Name))
	}
}

// spoke forgets the fall-backs that wait although the peer has replied meanwhile.
func (e *Endpoint) spoke(local, remote netip.Addr) {
	e.soft.silent = slices.DeleteFunc(e.soft.silent, func(ev isakmp.Unanswered) bool { return ev.Local == local && ev.Remote == remote })
}

func reasonOf(err error) string {
	if err == nil {
		return "the policy has changed, or the filter has too many pairs of hosts"
	}
	return err.Error()
}

// carried reports whether a real SA carries what the soft one would.
func (e *Endpoint) carried(k softKey) bool {
	for _, c := range e.children {
		if c.up && c.info.Filter == k.filter && c.pair() == k.pair {
			return true
		}
	}
	return false
}

// endSoft ends those soft SAs that over chooses: packets first, then the firewall.
func (e *Endpoint) endSoft(now time.Time, reason string, over func(softKey, *softSA) bool) {
	ended := false
	for k, s := range e.soft.list {
		if !over(k, s) {
			continue
		}
		ended = true
		e.history.note(now, Event{Kind: EventSoft, Rule: s.filter.Rule.Name, Local: netip.AddrPortFrom(k.pair.Local, 0), Remote: netip.AddrPortFrom(k.pair.Remote, 0),
			What: "a soft SA is gone", Why: reason, Detail: fmt.Sprintf("%d packets were sent in clear", s.plane.Packets())})
		e.plane.Harden(k.filter, k.pair)
		delete(e.soft.list, k)
		e.logs.log(e.log, now, slog.LevelInfo, "soft SA is gone", "rule", s.filter.Rule.Name, "local", k.pair.Local, "remote", k.pair.Remote, "reason", reason,
			"packets", s.plane.Packets())
	}
	if !ended {
		return
	}
	if e.soft.stale = true; now.Sub(e.soft.told) >= softPause {
		e.closeGuard(now)
	}
}

// closeGuard tells the firewall of soft SAs that have ended; it is tried until that succeeds.
func (e *Endpoint) closeGuard(now time.Time) {
	if err := e.tellGuard(now); err != nil {
		e.logs.log(e.log, now, slog.LevelError, "the host's firewall could not be told that a soft SA is gone; it is tried again", "error", err)
	}
}

// endSoftOf ends the soft SA of one filter and pair, if there is one.
func (e *Endpoint) endSoftOf(now time.Time, filter string, pair dataplane.Pair, reason string) {
	if key := (softKey{filter, pair}); e.soft.list[key] != nil {
		e.endSoft(now, reason, func(k softKey, _ *softSA) bool { return k == key })
	}
}

// softPairs are the soft SAs as the host's firewall wants them.
func (e *Endpoint) softPairs() map[string][]dataplane.Pair {
	m := map[string][]dataplane.Pair{}
	for k := range e.soft.list {
		m[k.filter] = append(m[k.filter], k.pair)
	}
	return m
}

// keepSoft ends the soft SAs whose filter the policy has no more, or whose time is over, and does what had to wait. It is called every second.
func (e *Endpoint) keepSoft(now time.Time) {
	e.endSoft(now, "its lifetime ended", func(_ softKey, s *softSA) bool { return !now.Before(s.until) })
	e.endSoft(now, "the policy has changed", func(k softKey, _ *softSA) bool { return e.filterOf(k.filter) == nil })
	if e.soft.stale {
		e.closeGuard(now)
	}
	e.fallBack(now)
}

// filterIndex finds the outbound filters of one snapshot, which never changes, by their IDs.
type filterIndex struct {
	of   *policy.Compiled
	byID map[string]*policy.QuickModeFilter
}

// filterOf finds an outbound filter by its ID, nil if the policy does not have it (any more).
func (e *Endpoint) filterOf(id string) *policy.QuickModeFilter {
	if e.filters.of != e.compiled {
		e.filters = filterIndex{e.compiled, make(map[string]*policy.QuickModeFilter, len(e.compiled.Outbound))}
		for _, f := range e.compiled.Outbound {
			e.filters.byID[f.ID] = f
		}
	}
	if f := e.filters.byID[id]; f != nil {
		return f
	}
	if d := e.dynamic[id]; d != nil {
		return d.filter
	}
	return nil
}

// reportSoft lists the soft SAs, oldest first.
func (e *Endpoint) reportSoft(now time.Time, s *Status) {
	for k, x := range e.soft.list {
		narrow := x.filter.Filter
		narrow.Src.From, narrow.Src.To, narrow.Dst.From, narrow.Dst.To = k.pair.Local, k.pair.Local, k.pair.Remote, k.pair.Remote
		s.Soft = append(s.Soft, SoftSA{Rule: x.filter.Rule.Name, FilterID: k.filter, Filter: x.filter.Filter.String(), Selector: reportSelector(&narrow),
			AgeSeconds: seconds(now.Sub(x.since)), SecondsLeft: seconds(x.until.Sub(now)), PacketsOut: x.plane.Packets(), BytesOut: x.plane.Bytes()})
	}
	slices.SortFunc(s.Soft, func(a, b SoftSA) int {
		return cmp.Or(cmp.Compare(b.AgeSeconds, a.AgeSeconds), a.Selector.RemoteFrom.Compare(b.Selector.RemoteFrom), cmp.Compare(a.FilterID, b.FilterID))
	})
}
