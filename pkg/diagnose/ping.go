package diagnose

import (
	"context"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/policy"
)

// Endpoint is what Ping asks of a running endpoint. The client of the control socket has it.
type Endpoint interface {
	Status(ctx context.Context) (endpoint.Status, error)
	Connect(ctx context.Context, target string) error
}

// PingOptions are what Ping works with.
type PingOptions struct {
	// Target is the name of a rule, a peer's address or name, or a protected address behind a peer.
	Target string
	// Inner is the address that echoes are sent to; the zero value: chosen from the rule.
	Inner netip.Addr
	// Count is how many echoes are sent, at least 1.
	Count int
	// Timeout is how long one layer is waited for.
	Timeout time.Duration
	// Policy is the policy as this host expands it; nil: none is known.
	Policy *policy.Compiled
	// NoPolicy says why there is no Policy.
	NoPolicy string
	// Endpoint is the running endpoint; nil: none runs.
	Endpoint Endpoint
	// NoEndpoint says why there is no Endpoint.
	NoEndpoint string
	// Mark is the firewall mark that keeps a datagram out of the tunnel.
	Mark uint32
	// Resolve looks a DNS name up.
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	// Now is the clock, and Pause waits.
	Now   func() time.Time
	Pause func(ctx context.Context, d time.Duration)
}

// pinger carries what the layers hand on.
type pinger struct {
	*PingOptions
	trace  Trace
	peer   netip.Addr // what IKE is spoken to
	local  netip.Addr // where from
	rule   *policy.Rule
	filter *policy.QuickModeFilter
	inner  netip.Addr // what echoes are sent to
	source netip.Addr // where from
	guess  bool       // inner was not named by anybody
	status endpoint.Status
}

// Ping tries the layers between this host and a peer one after the other, and says which carry. It goes on behind a layer that fails only where
// the next does not need it.
func Ping(ctx context.Context, o PingOptions) Trace {
	o.Count = max(o.Count, 1)
	p := &pinger{PingOptions: &o, trace: Trace{SchemaVersion: SchemaVersion, Target: o.Target}}
	p.run(ctx)
	p.trace.finish()
	p.noteClear()
	return p.trace
}

// noteClear adds to the first failure that the rule's traffic flows all the same, unprotected: it falls back to clear where the peer is silent.
func (p *pinger) noteClear() {
	f := p.trace.FirstFailure()
	if f == nil || p.rule == nil {
		return
	}
	for _, s := range p.status.Soft {
		if s.Rule == p.rule.Name {
			f.Why += "\nmeanwhile the rule falls back to clear: what it should protect flows unprotected"
			return
		}
	}
}

// run stops at the first layer that the others need.
func (p *pinger) run(ctx context.Context) {
	if p.Endpoint != nil {
		var err error
		if p.status, err = p.Endpoint.Status(ctx); err != nil {
			p.Endpoint, p.NoEndpoint = nil, err.Error()
		}
	}
	for _, layer := range []func(context.Context) bool{p.resolution, p.route, p.reachability, p.negotiation, p.inside} {
		if !layer(ctx) {
			if f := p.trace.FirstFailure(); f != nil {
				p.trace.skipRest("needs " + f.Name)
			}
			return
		}
	}
}

// narrow gives a layer its time.
func (p *pinger) narrow(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.Timeout)
}
