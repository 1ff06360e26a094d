package diagnose

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

const (
	ikePort = 500
	natPort = 4500
)

// route asks the system for the way to the peer.
func (p *pinger) route(context.Context) bool {
	w, err := wayTo(p.peer, p.Mark)
	if err != nil {
		p.trace.failed(LayerRoute, err.Error(), "the host has no route that covers the peer, or the interface that leads there is down", "look at the host's routes, and add one")
		return false
	}
	p.local = p.listening(w.source)
	text := fmt.Sprintf("from %v", p.local)
	if w.device != "" {
		text += fmt.Sprintf(" by %s, whose packets have %d bytes at most", w.device, w.mtu)
	}
	p.trace.ok(LayerRoute, text)
	return true
}

// way is how packets leave for an address.
type way struct {
	source netip.Addr
	device string // "" where the system does not say
	mtu    int
}

// listening is the address that the endpoint speaks from: that of the route, or else the first one it listens on.
func (p *pinger) listening(source netip.Addr) netip.Addr {
	if p.rule != nil && p.rule.Tunnel != nil && p.rule.Tunnel.Local.IsValid() {
		return p.rule.Tunnel.Local
	}
	other := netip.Addr{}
	for _, l := range p.status.Listen {
		a := l.Address.Addr()
		if l.Kind != "udp" || a.Is4() != source.Is4() {
			continue
		}
		if a.IsUnspecified() || a == source {
			return source
		}
		if !other.IsValid() {
			other = a
		}
	}
	if other.IsValid() {
		return other
	}
	return source
}

// ports are the ends of IKE's first message and, for the port that passes a NAT, of what follows; nat is not ok where one port serves all.
func (p *pinger) ports() (localIKE, localNAT, remote uint16, nat bool) {
	localIKE, localNAT = portsOf(p.status.Listen, p.local)
	if p.rule != nil {
		remote = p.rule.Peer.Port
	}
	if remote == 0 {
		remote = ikePort
	}
	if localIKE == ikePort && remote != ikePort {
		localIKE = localNAT
	}
	return localIKE, localNAT, remote, localIKE == ikePort && remote == ikePort
}

// portsOf are the two UDP ports that an endpoint listens on, 500 and 4500 if there is none.
func portsOf(listen []endpoint.Listener, local netip.Addr) (ike, nat uint16) {
	var seen []uint16
	for _, l := range listen {
		if l.Kind == "udp" && l.Address.Addr().Is4() == local.Is4() {
			seen = append(seen, l.Address.Port())
		}
	}
	switch {
	case len(seen) == 0:
		return ikePort, natPort
	case seen[0] == ikePort && len(seen) > 1:
		return ikePort, seen[1]
	}
	return seen[0], seen[0]
}

// reachability sends IKE messages to the peer's ports that any implementation of either version answers. Port 4500 is needed behind a NAT only, so that
// the layers behind it are tried without it.
func (p *pinger) reachability(ctx context.Context) bool {
	localIKE, localNAT, remote, nat := p.ports()
	if p.rule != nil && p.rule.Manual != nil {
		p.trace.skipped(LayerIKE, "the rule has manual keys: there is no IKE")
		p.trace.skipped(LayerNAT, "the rule has manual keys: there is no IKE")
		return true
	}
	reached := p.probe(ctx, LayerIKE, netip.AddrPortFrom(p.local, localIKE), netip.AddrPortFrom(p.peer, remote))
	switch {
	case !nat:
		p.trace.skipped(LayerNAT, fmt.Sprintf("everything goes by port %d", remote))
	case !reached && p.silent(LayerIKE):
		p.trace.skipped(LayerNAT, "needs "+LayerIKE)
	default:
		p.probe(ctx, LayerNAT, netip.AddrPortFrom(p.local, localNAT), netip.AddrPortFrom(p.peer, natPort))
	}
	return reached
}

// silent reports whether a layer failed for want of any answer.
func (p *pinger) silent(layer string) bool {
	for i := range p.trace.Layers {
		if p.trace.Layers[i].Name == layer {
			return p.trace.Layers[i].State != OK
		}
	}
	return false
}

// probe tries one port and reports whether an answer came.
func (p *pinger) probe(ctx context.Context, layer string, local, remote netip.AddrPort) bool {
	h, err := p.askPort(ctx, local, remote)
	port := fmt.Sprintf("UDP %d", remote.Port())
	switch {
	case err != nil:
		p.trace.failed(layer, fmt.Sprintf("nothing could be sent to %v: %v", remote, err), "a right is missing, or this host's own firewall drops what leaves",
			"run as root; look at the host's firewall")
	case h.kind == heardIKE:
		p.trace.ok(layer, fmt.Sprintf("%v answers: %s", remote, h.text))
		return true
	case h.kind == heardClosed:
		p.trace.failed(layer, fmt.Sprintf("%v says that nobody listens on %s", h.from, port), "IKE is not running at the peer, or listens on another port",
			"start it there; if it has a port of its own, name that as peer_port")
	case h.kind == heardUnreachable:
		p.trace.failed(layer, fmt.Sprintf("%v says: %s", h.from, h.text), "the peer is down, its address is wrong, or a router has no way to it or refuses to pass this on",
			"check the address, and that the peer is up")
	default:
		why := "a firewall drops " + port + ", the peer is down, or it has no rule for " + p.local.String() + " and keeps silent to strangers"
		if n := neighbour(p.peer, p.Mark); n != "" {
			why = n
		}
		next := "let " + port + " pass on the way and at the peer, and see that the peer's policy covers " + p.local.String()
		if layer == LayerNAT {
			next += "; it is needed only where there is a NAT between the ends, or with encapsulation: udp"
		}
		p.trace.failed(layer, fmt.Sprintf("no answer from %v", remote), why, next)
	}
	return false
}

// heard is what came of a probe.
type heard struct {
	kind heardKind
	from netip.Addr
	text string
}

type heardKind uint8

const (
	heardNothing     heardKind = iota
	heardIKE                   // an answer that carries our cookie
	heardClosed                // port unreachable, from the peer itself
	heardUnreachable           // another ICMP error about the probe
)

// prober sends datagrams to one remote port and hears what comes back.
type prober interface {
	send(payload []byte) error
	// next returns what came by the deadline; heardNothing if nothing did.
	next(deadline time.Time, mine func(payload []byte) (string, bool)) (heard, error)
	close()
}

// errProbe is wrapped where a probe could not be sent.
var errProbe = errors.New("the probe could not be sent")

// askPort sends probes at growing distances until something is heard or the time is up: first in IKEv2, whose refusal leaves nothing behind at the peer,
// then in IKEv1 as well, for peers that know no other.
func (p *pinger) askPort(ctx context.Context, local, remote netip.AddrPort) (heard, error) {
	w, err := openProber(local, remote, p.Mark)
	if err != nil {
		return heard{}, err
	}
	defer w.close()
	q, err := newQuestion(local.Port() != ikePort)
	if err != nil {
		return heard{}, err
	}
	end := p.Now().Add(min(p.Timeout, mostProbing))
	for n := 0; ctx.Err() == nil; n++ {
		for _, m := range q.round(n) {
			if err := w.send(m); err != nil && !isUnreachable(err) {
				return heard{}, fmt.Errorf("%w: %w", errProbe, err)
			}
		}
		until := p.Now().Add(firstProbe << n)
		if until.After(end) {
			until = end
		}
		h, err := w.next(until, q.answered)
		if err != nil || h.kind != heardNothing {
			return h, err
		}
		if !p.Now().Before(end) {
			break
		}
	}
	return heard{}, nil
}

const (
	firstProbe  = 300 * time.Millisecond // then twice as long each time
	mostProbing = 5 * time.Second
)
