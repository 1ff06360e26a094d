package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
)

// Connect brings up the SAs of a rule's name, a peer's address or a filter's ID, and returns when they are up or have failed.
func (e *Endpoint) Connect(ctx context.Context, target string) error {
	w := &waiter{filters: map[string]bool{}, result: make(chan error, 1)}
	var err error
	waits := false // w belongs to the goroutine of Run
	if stopped := e.do(func(now time.Time) { err = e.connect(now, target, w); waits = len(w.filters) > 0 }); stopped != nil {
		return stopped
	}
	if err != nil || !waits {
		return err
	}
	select {
	case err = <-w.result:
		return err
	case <-ctx.Done():
		_ = e.do(func(time.Time) { e.waiters = slices.DeleteFunc(e.waiters, func(x *waiter) bool { return x == w }) })
		return fmt.Errorf("the negotiation with %s goes on, but was not waited for any longer: %w", target, ctx.Err())
	case <-e.done:
		return errors.New("the endpoint has stopped")
	}
}

func (e *Endpoint) connect(now time.Time, target string, w *waiter) error {
	known, vague := false, false
	for _, f := range e.compiled.Outbound {
		if f.Action != policy.Negotiate || !targets(f, target) {
			continue
		}
		known = true
		if f.Rule.Manual != nil || e.isUp(f.ID) {
			continue
		}
		key, ok := keyFor(f)
		local, remote, err := e.outerAddresses(f, pairOf(&key))
		if !ok || err != nil || !remote.IsValid() {
			vague = true
			continue
		}
		w.filters[f.ID] = true
		e.engine.Acquire(now, f, key, local, remote)
	}
	switch {
	case !known:
		return fmt.Errorf("%w: %q names no rule, peer or filter that negotiates; goipsec policy show --specific lists them", ErrNotFound, target)
	case vague && len(w.filters) == 0:
		return fmt.Errorf("the rule of %q is for more than one peer, so it starts with the first packet: send some traffic, or name a peer", target)
	}
	if len(w.filters) > 0 {
		e.waiters = append(e.waiters, w)
	}
	return nil
}

func targets(f *policy.QuickModeFilter, target string) bool {
	if f.Rule.Name == target || f.ID == target {
		return true
	}
	addr, err := netip.ParseAddr(target)
	if err != nil {
		return false
	}
	if t := f.Rule.Tunnel; t != nil {
		return t.Remote == addr
	}
	return f.Filter.Dst.IsHost() && f.Filter.Dst.From == addr
}

// keyFor makes up the packet that would start the negotiation of a filter.
func keyFor(f *policy.QuickModeFilter) (packet.Key, bool) {
	k := packet.Key{Src: f.Filter.Src.From, Dst: f.Filter.Dst.From, Proto: f.Filter.Proto, SrcPort: f.Filter.SrcPorts.From, DstPort: f.Filter.DstPorts.From,
		Flags: packet.ProtoKnown | packet.PortsKnown}
	return k, f.Rule.Tunnel != nil || f.Filter.Src.IsHost() && f.Filter.Dst.IsHost()
}

func (e *Endpoint) isUp(filter string) bool {
	for _, c := range e.children {
		if c.up && c.info.Filter == filter {
			return true
		}
	}
	return false
}

// Rekey negotiates new keys for the peer or child with that ID.
func (e *Endpoint) Rekey(id string) error {
	return e.byID(id, func(now time.Time, n uint64) error { return e.engine.Rekey(now, n) })
}

// Delete deletes the peer or child with that ID, telling the other side. The last main-mode SA of a peer takes its children along:
// many peers, strongSwan among them, drop a main-mode SA's children with it and then have no way left to say so, and what is sent on
// them would be lost.
func (e *Endpoint) Delete(id string) error {
	return e.byID(id, func(now time.Time, n uint64) error {
		for _, child := range e.bereaved(now, n) {
			_ = e.engine.Delete(now, child) // one that has just gone is as good as deleted
		}
		return e.engine.Delete(now, n)
	})
}

// bereaved lists the children of a peer whose only main-mode SA has the given ID.
func (e *Endpoint) bereaved(now time.Time, id uint64) (children []uint64) {
	peers := e.engine.Peers(now)
	i := slices.IndexFunc(peers, func(p isakmp.PeerInfo) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	at := peers[i]
	if slices.ContainsFunc(peers, func(p isakmp.PeerInfo) bool {
		return p.ID != id && p.Local == at.Local && p.Remote == at.Remote && (p.State == "established" || p.State == "retiring")
	}) {
		return nil
	}
	for _, c := range e.engine.Children(now) {
		sa := c.Child
		if sa.Local.Addr() == at.Local.Addr() && sa.Remote.Addr() == at.Remote.Addr() && (sa.Remote.Port() == 0 || sa.Remote.Port() == at.Remote.Port()) {
			children = append(children, sa.ID)
		}
	}
	return children
}

func (e *Endpoint) byID(id string, f func(time.Time, uint64) error) error {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %q is no ID; goipsec sa list shows them", ErrNotFound, id)
	}
	if n >= firstManual {
		return fmt.Errorf("%w: SA %d has manual keys; change them in the policy file, at both ends", ErrNotFound, n)
	}
	var result error
	if stopped := e.do(func(now time.Time) { result = f(now, n) }); stopped != nil {
		return stopped
	}
	if result != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, result)
	}
	return nil
}

// Explain says what the policy that is applied now does with one datagram, and which SA carries it.
func (e *Endpoint) Explain(q Question) (Explanation, error) {
	x := Explanation{SchemaVersion: SchemaVersion, Direction: "outbound", Action: "none"}
	key := packet.Key{Src: q.Src, Dst: q.Dst}
	if q.ProtoGiven {
		key.Proto, key.Flags = q.Proto, packet.ProtoKnown
	}
	if q.PortsGiven {
		key.SrcPort, key.DstPort, key.Flags = q.SrcPort, q.DstPort, key.Flags|packet.PortsKnown
	}
	err := e.do(func(time.Time) {
		x.Policy = e.policy.Name
		list := e.compiled.Outbound
		for _, a := range e.host.addresses() {
			if a == q.Dst {
				x.Direction, list = "inbound", e.compiled.Inbound
			}
		}
		if e.compiled.Policy.Exemptions.Match(&key) {
			x.Action, list = "exempt", nil
		}
		for _, f := range list {
			if f.Filter.Match(&key) {
				x.FilterID, x.Filter, x.Rule, x.Action = f.ID, f.Filter.String(), f.Rule.Name, f.Action.String()
				break
			}
		}
		if x.FilterID == "" && x.Action == "none" {
			for _, f := range e.dynamicFilters() {
				if out := f.Filter; x.Direction == "outbound" && out.Match(&key) || x.Direction == "inbound" && f.Twin.Filter.Match(&key) {
					x.FilterID, x.Filter, x.Rule, x.Action, x.Dynamic = f.ID, f.Filter.String(), f.Rule.Name, f.Action.String(), true
					break
				}
			}
		}
		for id, c := range e.children {
			for _, in := range c.in {
				sel := in.Config().Selector
				out := c.info.Selector
				if c.up && (x.Direction == "inbound" && sel.Match(&key) || x.Direction == "outbound" && out.Match(&key)) {
					x.Carriers = append(x.Carriers, id)
					break
				}
			}
		}
	})
	return x, err
}
