package endpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
)

// receive hands an IKE datagram to the key exchange.
func (e *Endpoint) receive(now time.Time, d dataplane.Datagram) {
	e.engine.Receive(now, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: d.Data})
}

// planeEvent acts on what a packet needs.
func (e *Endpoint) planeEvent(now time.Time, ev dataplane.Event) {
	switch ev.Kind {
	case dataplane.Acquire:
		e.acquire(now, ev)
	case dataplane.Expiring:
		if c := e.children[ev.Child]; c != nil && !c.manual {
			e.engine.Expiring(now, ev.Child)
		}
	case dataplane.Expired:
		e.expired(now, ev.Child)
	case dataplane.Rebound:
		e.rebound(now, ev.Child, ev.Remote)
	case dataplane.AddressesChanged:
		e.strangeSource(now, ev.Pair.Local)
	case dataplane.DeviceChanged:
		e.host.deviceChanged()
	case dataplane.Stray:
		e.engine.UnknownSPI(now, ev.Pair.Local, ev.Remote, ev.Protocol, ev.SPI)
	}
}

func (e *Endpoint) acquire(now time.Time, ev dataplane.Event) {
	if ev.Filter.Rule.Manual != nil {
		e.log.Warn("a packet matches a rule with manual keys that has no SA", "rule", ev.Filter.Rule.Name)
		return
	}
	if e.underWay(now, &ev) {
		return
	}
	local, remote, err := e.outerAddresses(ev.Filter, ev.Pair)
	if err != nil {
		e.fail(now, Failure{Rule: ev.Filter.Rule.Name, Filter: ev.Filter.ID, Remote: netip.AddrPortFrom(ev.Filter.Rule.Tunnel.Remote, 0),
			What: "no negotiation was started: " + err.Error(), Why: "the host has no route to the peer", Next: "check the host's routes to the tunnel's remote end"})
		return
	}
	e.engine.Acquire(now, ev.Filter, ev.Key, local, remote)
}

// underWay reports whether a child for this packet has just been accepted and waits for the peer's last message only: the data that follows
// that message may be here before it, and so may the answers to that data. If the child does not come up, the next packet asks again.
func (e *Endpoint) underWay(now time.Time, ev *dataplane.Event) bool {
	const soon = 2 * time.Second
	for _, c := range e.accepted {
		if c.info.Filter == ev.Filter.ID && now.Sub(c.since) < soon && c.info.Selector.Match(&ev.Key) {
			return true
		}
	}
	return false
}

func (e *Endpoint) expired(now time.Time, id uint64) {
	c := e.children[id]
	if c == nil {
		return
	}
	if c.manual {
		e.fail(now, Failure{Rule: c.info.Rule, Filter: c.info.Filter, Local: c.info.Local, Remote: c.info.Remote,
			What: "the manual keys of this rule are used up: the last sequence number was sent",
			Why:  "a sequence number is never used twice under one key (RFC 4303 §3.3.3)", Next: "put new keys into the policy, at both ends"})
		return
	}
	e.engine.Expired(now, id, "the SA reached its hard limit")
}

// rebound moves a child to the address that its peer's fresh authenticated packets come from, behind a NAT only.
func (e *Endpoint) rebound(now time.Time, id uint64, remote netip.AddrPort) {
	c := e.children[id]
	if c == nil || !c.info.NATRemote || c.in[0].Remote() == remote {
		return
	}
	e.log.Info("the peer is behind a NAT and its address changed", "rule", c.info.Rule, "from", c.in[0].Remote(), "to", remote)
	e.move(c, remote)
}

func (e *Endpoint) move(c *child, remote netip.AddrPort) {
	for _, in := range c.in {
		in.SetRemote(remote)
	}
	if c.bundle.AH != nil {
		c.bundle.AH.SetRemote(remote)
	}
	if c.bundle.ESP != nil {
		c.bundle.ESP.SetRemote(remote)
	}
}

// pathChanged lowers the path MTU of the SA whose packet a router reports as too big. Anybody can send such a report, so it counts only if it quotes
// a live SPI and a sequence number of late (RFC 4301 §8.2.1, D13).
func (e *Endpoint) pathChanged(now time.Time, ev netio.PathEvent) {
	quote, ok := packet.ParseQuote(ev.Quoted)
	if !ok || ev.MTU == 0 {
		return
	}
	spi, seq, ok := quote.SPI()
	if !ok {
		return
	}
	for _, c := range e.children {
		out := c.outermost()
		if out.Config().SPI != spi || out.Remote().Addr() != ev.Remote || !out.Sent(seq) {
			continue
		}
		if out.SetPMTU(now, ev.MTU) {
			e.log.Info("the path of an SA carries less than before", "rule", c.info.Rule, "remote", ev.Remote, "mtu", ev.MTU)
		}
	}
}

// drain applies every effect that the key exchange has ready, in order, but for one thing: inbound SAs are there before any message goes out, because
// the peer may use them as soon as it has that message.
func (e *Endpoint) drain(now time.Time) {
	for list := e.effects(); len(list) > 0; list = e.effects() { // applying them may have effects of its own
		e.applyAll(now, list)
	}
}

// effects takes what the key exchange has ready.
func (e *Endpoint) effects() (list []isakmp.Event) {
	for {
		ev, ok := e.engine.Next()
		if !ok {
			return list
		}
		list = append(list, ev)
	}
}

func (e *Endpoint) applyAll(now time.Time, list []isakmp.Event) {
	for _, ev := range list {
		switch ev := ev.(type) {
		case isakmp.InboundReady:
			e.ensureChild(now, ev.Child)
		case isakmp.ChildUp:
			e.ensureChild(now, ev.Child)
		}
	}
	for _, ev := range list {
		e.apply(now, ev)
	}
	e.fallBack(now)
}

func (e *Endpoint) apply(now time.Time, ev isakmp.Event) {
	switch ev := ev.(type) {
	case isakmp.Transmit:
		err := e.plane.SendIKE(dataplane.Datagram{Local: ev.Local, Remote: ev.Remote, Data: ev.Data})
		if err != nil {
			e.tally.sendFailures++
			e.logs.log(e.log, now, slog.LevelWarn, "an IKE datagram could not be sent; it will be repeated", "remote", ev.Remote, "error", err)
		}
	case isakmp.InboundReady: // drain has seen to it
	case isakmp.ChildUp:
		e.childUp(now, ev.Child)
	case isakmp.ChildDown:
		e.childDown(now, ev.ID, ev.Reason)
	case isakmp.PeerUp:
		e.spoke(ev.Peer.Local.Addr(), ev.Peer.Remote.Addr())
		e.peerUp(now, ev.Peer)
	case isakmp.PeerDown:
		e.log.Info("main-mode SA is gone", "id", ev.ID, "reason", ev.Reason)
		e.notePeerDown(now, ev)
	case isakmp.SPIReleased:
		for _, spi := range ev.SPIs {
			e.db.Release(spi)
		}
	case isakmp.Moved:
		for _, c := range e.children {
			if c.info.PeerID == ev.PeerID && c.info.Remote.Port() != 0 {
				e.move(c, ev.Remote)
			}
		}
		e.history.note(now, Event{Kind: EventMoved, Local: ev.Local, Remote: ev.Remote, SA: ev.PeerID, What: fmt.Sprintf("a peer is reached at %v from now on", ev.Remote)})
	case isakmp.Keepalive:
		if err := e.plane.SendKeepalive(ev.Local, ev.Remote); err != nil {
			e.logs.log(e.log, now, slog.LevelDebug, "a NAT keepalive could not be sent", "remote", ev.Remote, "error", err)
		}
	case isakmp.Unanswered:
		e.soft.silent = append(e.soft.silent, ev)
	case isakmp.Ask:
		e.judge(ev)
	case isakmp.AskLogin:
		e.checkLogin(ev)
	case isakmp.Configured:
		e.configured = append(e.configured, ev)
	case isakmp.Failed:
		e.negotiationFailed(now, ev)
	case isakmp.Log:
		e.logs.log(e.log, now, slog.Level(ev.Level), ev.Message, ev.Attrs...)
	}
}

func (e *Endpoint) peerUp(now time.Time, p isakmp.PeerInfo) {
	e.notePeerUp(now, &p)
	e.log.Info("main-mode SA established", "id", p.ID, "rule", p.Rule, "local", p.Local, "remote", p.Remote, "remote_id", p.RemoteID)
	if e.keys != nil {
		if err := e.keys.Peer(p); err != nil {
			e.log.Error("the key log could not be written", "error", err)
		}
	}
}

// ensureChild builds a child and accepts its inbound packets, unless that was done before.
func (e *Endpoint) ensureChild(now time.Time, info *isakmp.ChildSA) *child {
	if c := e.children[info.ID]; c != nil {
		return c
	}
	if info.Dynamic && !e.respond(now, info) {
		return nil
	}
	rule := e.ruleOf(info.Filter)
	if rule == nil {
		return nil
	}
	c, err := buildChild(info, rule, e.host.pathMTU(info.Remote.Addr()), now)
	if err == nil {
		err = e.installInbound(c)
	}
	if err != nil {
		e.tally.updateFailures++
		e.fail(now, Failure{Rule: info.Rule, Filter: info.Filter, Local: info.Local, Remote: info.Remote, What: "a negotiated SA could not be installed: " + err.Error(),
			Why: "a limit of this endpoint, or a fault of it", Next: "look for the number of SAs in status; report it if that is small"})
		return nil
	}
	e.tally.updates++
	e.children[info.ID], e.accepted[info.ID] = c, c
	e.logKeys(info)
	return c
}

// logKeys writes the keys of a child to the key log, if there is one.
func (e *Endpoint) logKeys(info *isakmp.ChildSA) {
	if e.keys == nil {
		return
	}
	if err := e.keys.Child(info); err != nil {
		e.log.Error("the key log could not be written", "error", err)
	}
}

func (e *Endpoint) installInbound(c *child) error {
	install := e.db.Install
	if c.manual {
		install = e.db.InstallManual
	}
	for i, in := range c.in {
		if err := install(in); err != nil {
			for _, done := range c.in[:i] {
				e.db.RemoveSA(done)
			}
			return err
		}
	}
	return nil
}

// ruleOf finds the rule of an outbound filter by the filter's ID, nil if the policy does not have it (any more).
func (e *Endpoint) ruleOf(filter string) *policy.Rule {
	if f := e.filterOf(filter); f != nil {
		return f.Rule
	}
	return nil
}

func (e *Endpoint) childUp(now time.Time, info *isakmp.ChildSA) {
	c := e.ensureChild(now, info)
	if c == nil {
		e.engine.Delete(now, info.ID)
		e.wake(info.Filter, errors.New("the negotiated SA could not be installed; goipsec status tells why"))
		return
	}
	c.up = true
	delete(e.accepted, info.ID)
	if !e.plane.Install(info.Filter, c.pair(), c.bundle) {
		e.tally.additionFailures++
		e.log.Warn("a new SA has no place in the policy any more, or its filter has too many pairs of hosts; it is deleted", "rule", info.Rule)
		e.engine.Delete(now, info.ID)
		e.wake(info.Filter, errors.New("the negotiated SA has no place: the policy has changed, or its filter has too many pairs of hosts"))
		return
	}
	e.log.Info("quick-mode SA established", "id", info.ID, "rule", info.Rule, "local", info.Local, "remote", info.Remote, "mode", modeName(info.Mode),
		"selector", fmt.Sprint(info.Selector), "replaces", info.Replaces)
	e.tally.additions++
	e.noteChildUp(now, info)
	e.endSoftOf(now, info.Filter, c.pair(), "a real SA has taken its place")
	e.wake(info.Filter, nil)
}

func (e *Endpoint) childDown(now time.Time, id uint64, reason string) {
	if c := e.children[id]; c != nil {
		e.noteChildDown(now, c, reason)
		e.log.Info("quick-mode SA is gone", "id", id, "rule", c.info.Rule, "reason", reason)
	}
	e.removeChild(id)
}

// removeChild takes both halves of a child out of the data plane.
func (e *Endpoint) removeChild(id uint64) {
	c := e.children[id]
	if c == nil {
		return
	}
	delete(e.children, id)
	delete(e.accepted, id)
	e.tally.deletions++
	e.plane.Uninstall(c.info.Filter, id)
	for _, in := range c.in {
		e.db.RemoveSA(in)
	}
	e.tally.gone.add(e.now(), c)
}

func (e *Endpoint) negotiationFailed(now time.Time, ev isakmp.Failed) {
	f := Failure{Filter: ev.Filter, Local: ev.Local, Remote: ev.Remote, What: ev.Failure.What, Why: ev.Failure.Why, Next: ev.Failure.Next, Detail: ev.Failure.Detail,
		Stage: string(ev.Failure.Stage), Answered: ev.Failure.Answered, Identities: ev.Failure.Identities}
	if rule := e.ruleOf(ev.Filter); rule != nil {
		f.Rule = rule.Name
	}
	if ev.Failure.Answered {
		e.spoke(ev.Local.Addr(), ev.Remote.Addr())
	}
	if ev.Failure.Answered && ev.Filter != "" {
		e.endSoftOf(now, ev.Filter, dataplane.Pair{Local: ev.Local.Addr(), Remote: ev.Remote.Addr()}, "the peer has replied, and the negotiation failed")
	}
	e.fail(now, f)
	e.wake(ev.Filter, fmt.Errorf("%s; %s; %s", f.What, f.Why, f.Next))
}

// fail remembers a failure for status and logs it. Equal failures in a row are one with a count.
func (e *Endpoint) fail(now time.Time, f Failure) {
	f.Time, f.Count = now, 1
	e.noteFailure(now, &f)
	if n := len(e.failures); n > 0 {
		last := &e.failures[n-1]
		if last.What == f.What && last.Remote == f.Remote && last.Filter == f.Filter {
			last.Count++
			last.Time = now
			return
		}
	}
	if e.failures = append(e.failures, f); len(e.failures) > maxFailures {
		e.failures = e.failures[1:]
	}
	e.logs.log(e.log, now, slog.LevelWarn, f.What, "rule", f.Rule, "remote", f.Remote, "why", f.Why, "next", f.Next)
	if f.Detail != "" {
		e.logs.log(e.log, now, slog.LevelWarn, f.Detail)
	}
}

// housekeeping tells the key exchange of traffic and drops packets that have waited too long.
func (e *Endpoint) housekeeping(now time.Time) {
	for id, c := range e.children {
		if c.manual {
			continue
		}
		in, out := c.in[0].Stats(now).Packets, c.bundleStats(now).Packets
		if in != c.packetsIn || out != c.packetsOut {
			e.engine.Traffic(now, id, in != c.packetsIn, out != c.packetsOut)
			c.packetsIn, c.packetsOut = in, out
		}
	}
	e.keepSoft(now)
	e.keepDynamic(now)
	e.plane.Expire(now, e.opts.HoldTime)
	e.renewCertificates(now)
	if e.behind || e.usesLive && e.serversChanged(now) {
		e.addressesChanged(now)
	}
}

// waiter waits for the SA of a filter.
type waiter struct {
	filters map[string]bool
	result  chan error
}

func (w *waiter) finish(err error) {
	select {
	case w.result <- err:
	default:
	}
}

// wake tells those who wait for a filter how its negotiation ended.
func (e *Endpoint) wake(filter string, err error) {
	kept := e.waiters[:0]
	for _, w := range e.waiters {
		waited := w.filters[filter]
		delete(w.filters, filter)
		if !waited || err == nil && len(w.filters) > 0 {
			kept = append(kept, w)
			continue
		}
		w.finish(err)
	}
	e.waiters = kept
}
