package endpoint

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/password"
	"github.com/goipsec/goipsec/pkg/policy"
)

// maxChecking bounds the passwords that are looked at at once: each takes some memory, on purpose.
const maxChecking = 2

// checkLogin finds out whether a peer's password is right, beside the loop, for it takes a while. Of a user who is none it takes as long.
func (e *Endpoint) checkLogin(ask isakmp.AskLogin) {
	hash := password.Nobody()
	for _, a := range ask.Rule.Auth {
		if a.XAuth == nil {
			continue
		}
		if known, ok := a.XAuth.Users[ask.User]; ok {
			hash = known
		}
	}
	go func() {
		ok := e.matches(hash.Matches, ask.Password.Bytes())
		_ = e.do(func(now time.Time) { e.engine.AnswerLogin(now, ask.ID, ok) }) // an endpoint that has ended lets nobody in
	}()
}

// matches waits for its turn and checks a password, within the boundary: a fault lets nobody in.
func (e *Endpoint) matches(check func(password []byte) bool, password []byte) (ok bool) {
	e.checking <- struct{}{}
	defer func() { <-e.checking }()
	defer e.boundary("a peer's password", func() { ok = false })
	return check(password)
}

// assignNew puts the inner addresses in force that gateways have assigned, and asks for the children of their rules.
func (e *Endpoint) assignNew(now time.Time) {
	for len(e.configured) > 0 {
		list := e.configured
		e.configured = nil
		for _, ev := range list {
			e.assign(now, ev)
		}
		e.drain(now)
	}
}

func (e *Endpoint) assign(now time.Time, ev isakmp.Configured) {
	inner := netip.PrefixFrom(ev.Address, ev.Address.BitLen())
	before := e.assigned[ev.Rule]
	waited := e.filtersOf(ev.Rule)
	if before != inner {
		e.log.Info("the gateway assigned an inner address", "rule", ev.Rule, "address", ev.Address, "dns", ev.DNS)
		e.assigned[ev.Rule] = inner
		if err := e.change(now, e.policy); err != nil {
			e.logs.log(e.log, now, slog.LevelError, "the address that the gateway assigned could not be put in force", "rule", ev.Rule, "address", ev.Address, "error", err)
			e.assigned[ev.Rule] = before
			if !before.IsValid() {
				delete(e.assigned, ev.Rule)
			}
			return
		}
	}
	filters := e.filtersOf(ev.Rule)
	e.waitInstead(waited, filters)
	for _, f := range filters {
		key, _ := keyFor(f)
		local, remote, err := e.outerAddresses(f, pairOf(&key))
		if err == nil && !e.isUp(f.ID) {
			e.engine.Acquire(now, f, key, local, remote)
		}
	}
}

// filtersOf are the outbound filters of a rule that asks for its address.
func (e *Endpoint) filtersOf(rule string) (list []*policy.QuickModeFilter) {
	for _, f := range e.compiled.Outbound {
		if t := f.Rule.Tunnel; f.Rule.Name == rule && t != nil && t.AskAddress {
			list = append(list, f)
		}
	}
	return list
}

// waitInstead lets those who wait for filters that were expanded without the assigned address wait for those that have it.
func (e *Endpoint) waitInstead(before, after []*policy.QuickModeFilter) {
	for _, w := range e.waiters {
		waited := false
		for _, f := range before {
			waited = waited || w.filters[f.ID]
			delete(w.filters, f.ID)
		}
		for _, f := range after {
			if waited {
				w.filters[f.ID] = true
			}
		}
	}
}

// keepAssigned forgets the addresses of rules that a policy does not have any more.
func (e *Endpoint) keepAssigned(p *policy.Policy) {
	asking := map[string]bool{}
	for _, r := range p.Rules {
		asking[r.Name] = r.Tunnel != nil && r.Tunnel.AskAddress
	}
	for name := range e.assigned {
		if !asking[name] {
			delete(e.assigned, name)
		}
	}
}
