package diagnose

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
)

// negotiation has the running endpoint bring up the SA, and tells the three stages apart.
func (p *pinger) negotiation(ctx context.Context) bool {
	switch {
	case p.rule == nil && p.Policy != nil:
		p.trace.skipped(LayerMainMode, "no rule asks for it")
		p.trace.skipped(LayerAuthentication, "no rule asks for it")
		p.trace.failed(LayerQuickMode, "the policy does not protect packets to "+p.peer.String(), p.decides(), "goipsec policy explain tells why; write a rule for the two addresses")
		return false
	case p.Endpoint == nil:
		p.trace.skipRest("cannot be told: " + first(p.NoEndpoint, "no instance is running; start it with goipsec up"))
		return false
	case p.rule == nil:
		p.trace.skipRest("cannot be told: " + first(p.NoPolicy, "no policy is known"))
		return false
	case p.rule.Manual != nil:
		for _, layer := range []string{LayerMainMode, LayerAuthentication, LayerQuickMode} {
			p.trace.skipped(layer, "the rule has manual keys: nothing is negotiated")
		}
		return true
	}
	before := p.status
	err := p.bringUp(ctx)
	after, statusErr := p.Endpoint.Status(ctx)
	if statusErr != nil {
		p.trace.skipRest("the instance does not answer: " + statusErr.Error())
		return false
	}
	p.status = after
	if c := p.child(); c != nil {
		p.describe(c)
		return true
	}
	p.blame(err, &before)
	return false
}

// bringUp asks for the SA of the filter. A filter for many hosts has none before the first packet, so that an echo is sent and the SA waited for.
func (p *pinger) bringUp(ctx context.Context) error {
	ctx, cancel := p.narrow(ctx)
	defer cancel()
	if p.rule.Tunnel != nil || p.filter.Filter.Src.IsHost() && p.filter.Filter.Dst.IsHost() {
		return p.Endpoint.Connect(ctx, p.peer.String())
	}
	p.aim()
	began := p.status.Now
	for ctx.Err() == nil {
		p.nudge(ctx)
		s, err := p.Endpoint.Status(ctx)
		if err != nil {
			return err
		}
		p.status = s
		if p.child() != nil || p.failureSince(began) != nil {
			return nil
		}
		p.Pause(ctx, 200*time.Millisecond)
	}
	return ctx.Err()
}

// child is the newest SA pair of the rule that carries packets between the two inner addresses.
func (p *pinger) child() *endpoint.Child {
	p.aim()
	for _, c := range slices.Backward(p.status.Children) {
		if c.Rule != p.rule.Name || c.State != "installed" && c.State != "rekeying" || c.Remote.Addr() != p.peer {
			continue
		}
		if !p.source.IsValid() || within(p.source, c.Selector.LocalFrom, c.Selector.LocalTo) && within(p.inner, c.Selector.RemoteFrom, c.Selector.RemoteTo) {
			return &c
		}
	}
	return nil
}

func within(a, from, to netip.Addr) bool { return from.Compare(a) <= 0 && a.Compare(to) <= 0 }

func (p *pinger) describe(c *endpoint.Child) {
	i := slices.IndexFunc(p.status.Peers, func(x endpoint.Peer) bool { return x.Remote.Addr() == p.peer })
	if i >= 0 {
		m := p.status.Peers[i]
		p.trace.ok(LayerMainMode, fmt.Sprintf("%s %s %s, since %v", cipher(&m), m.Hash, m.Group, time.Duration(m.AgeSeconds)*time.Second))
		p.trace.ok(LayerAuthentication, fmt.Sprintf("by %s; the peer is %s", m.Auth, first(m.RemoteID, m.Remote.Addr().String())))
	} else {
		p.trace.ok(LayerMainMode, "there are SAs; the main-mode SA that made them is over")
		p.trace.ok(LayerAuthentication, "there are SAs that were made by the peer that proved itself")
	}
	p.trace.ok(LayerQuickMode, fmt.Sprintf("SA %d carries %s", c.ID, c.Filter))
}

// cipher names the cipher of a main-mode SA, with the length of its key where there is a choice.
func cipher(m *endpoint.Peer) string {
	if m.KeyBits == 0 {
		return m.Encr
	}
	return fmt.Sprintf("%s-%d", m.Encr, m.KeyBits)
}

// blame finds the stage that failed: by what the endpoint has noted of the negotiation, or by how far it has come.
func (p *pinger) blame(err error, before *endpoint.Status) {
	established := slices.ContainsFunc(p.status.Peers, func(x endpoint.Peer) bool { return x.Remote.Addr() == p.peer })
	f := p.failureSince(before.Now)
	stage := LayerMainMode
	what, why, next := "", "", ""
	var refused *control.RemoteError
	switch {
	case errors.As(err, &refused) && refused.Code == control.CodeNotFound:
		what, why = "the running instance applies no rule that protects packets to "+p.peer.String(), "it has another policy than the file says"
		next = "goipsec reload"
	case f != nil:
		what, why, next = f.What, f.Why, f.Next
		if f.Detail != "" {
			why += "\n" + f.Detail
		}
		switch f.Stage {
		case "authentication":
			stage = LayerAuthentication
		case "quick-mode":
			stage = LayerQuickMode
		}
	case established:
		stage = LayerQuickMode
		what, why, next = "quick mode has not ended in time", "the peer does not answer it, or is slow", "look at the peer's log; --timeout waits longer"
	default:
		what, why, next = "main mode has not ended in time", "the peer does not answer it, although it answers on UDP 500: it may have no rule for this host", "look at the peer's log; --timeout waits longer"
	}
	if err != nil && f == nil && !errors.Is(err, context.DeadlineExceeded) {
		what += " (" + err.Error() + ")"
	}
	for _, layer := range []string{LayerMainMode, LayerAuthentication, LayerQuickMode} {
		if layer == stage {
			p.trace.failed(layer, what, why, next)
			return
		}
		p.trace.ok(layer, "passed")
	}
}

// failureSince is the newest failure of a negotiation with the peer that is not older than a moment, nil if there is none.
func (p *pinger) failureSince(t time.Time) *endpoint.Failure {
	for i := range p.status.Failures {
		f := &p.status.Failures[i]
		if !f.Time.Before(t) && f.Remote.Addr() == p.peer && (f.Rule == "" || f.Rule == p.rule.Name) {
			return f
		}
	}
	return nil
}
