package diagnose

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// smallEcho is the payload of ordinary echoes, in bytes.
const smallEcho = 56

// aim chooses the inner addresses: where echoes come from and go to.
func (p *pinger) aim() {
	if p.inner.IsValid() || p.filter == nil {
		return
	}
	dst := p.filter.Filter.Dst
	switch {
	case p.Inner.IsValid():
		p.inner = p.Inner
	case p.rule.Tunnel == nil || dst.Contains(p.peer):
		p.inner = p.peer
	case dst.IsHost():
		p.inner = dst.From
	default: // the gateway's own address in the network, most often
		p.inner, p.guess = dst.From.Next(), true
	}
	p.trace.Inner = p.inner.String()
	if w, err := wayTo(p.inner, 0); err == nil && p.filter.Filter.Src.Contains(w.source) {
		p.source = w.source
		return
	}
	if p.filter.Filter.Src.Contains(p.local) {
		p.source = p.local
		return
	}
	for _, a := range ownAddresses(p.inner) {
		if p.filter.Filter.Src.Contains(a) {
			p.source = a
			return
		}
	}
}

// inside sends packets through the SA.
func (p *pinger) inside(ctx context.Context) bool {
	p.aim()
	c := p.child()
	switch {
	case p.Endpoint == nil || c == nil && p.rule.Manual == nil:
		p.trace.skipRest("there is no SA")
		return true
	case !p.source.IsValid():
		p.trace.skipRest(fmt.Sprintf("this host has no address in %v, so it cannot send anything that the rule protects; ping from a host that has", p.filter.Filter.Src))
		return true
	}
	before := p.status
	round, echoErr := p.echoes(ctx)
	touched := round.answered > 0
	if !touched {
		touched = p.nudge(ctx)
	}
	after, err := p.Endpoint.Status(ctx)
	if err != nil {
		p.trace.skipRest("the instance does not answer: " + err.Error())
		return false
	}
	p.status = after
	if !p.judgeESP(&before, &after, touched) {
		return false
	}
	p.judgeEcho(round, echoErr)
	p.path(ctx, round)
	return true
}

// traffic sums the packets of the SAs of the rule with the peer: a rekeying may come between two looks.
func (p *pinger) traffic(s *endpoint.Status) (in, out uint64) {
	for _, c := range s.Children {
		if c.Rule == p.rule.Name && c.Remote.Addr() == p.peer {
			in, out = in+c.PacketsIn, out+c.PacketsOut
		}
	}
	return in, out
}

// judgeESP counts packets both ways.
func (p *pinger) judgeESP(before, after *endpoint.Status, touched bool) bool {
	in0, out0 := p.traffic(before)
	in1, out1 := p.traffic(after)
	in, out := int64(in1-in0), int64(out1-out0)
	text := fmt.Sprintf("%s out, %s in", plural(int(out), "packet"), plural(int(in), "packet"))
	switch {
	case touched && out > 0 || in > 0 && out > 0:
		p.trace.ok(LayerESP, text)
		return true
	case out <= 0:
		p.trace.failed(LayerESP, text+": what this host sends to "+p.inner.String()+" does not reach the SA", "another route or filter takes it",
			fmt.Sprintf("goipsec doctor; goipsec policy explain %v %v", p.source, p.inner))
		return false
	}
	why := "something on the way drops ESP (IP protocol 50), or the peer drops what it has decrypted; from this end the two look the same"
	next := "let protocol 50 pass on the way and at both ends, or write encapsulation: udp; look at the counters of the SA at the peer"
	if c := p.child(); c != nil && c.Encap == "udp" {
		why = "something on the way drops ESP in UDP, or the peer drops what it has decrypted; from this end the two look the same"
		next = fmt.Sprintf("let UDP %d pass both ways; look at the counters of the SA at the peer", c.Remote.Port())
	}
	if d := dropsSince(before.Drops, after.Drops); d != "" {
		why = "this host has dropped packets: " + d
		next = "goipsec status shows the drops by reason; compare the two ends"
	}
	if p.guess {
		next += fmt.Sprintf("; %v was a guess: name an address that is there with --inner", p.inner)
	}
	p.trace.failed(LayerESP, text, why, next)
	return false
}

// dropsSince lists the drops that grew, but for what the system itself says on the device.
func dropsSince(before, after endpoint.Drops) string {
	var list []string
	for reason, n := range after {
		if n > before[reason] && reason != "device-noise" && reason != "keepalive" {
			list = append(list, fmt.Sprintf("%s %d", reason, n-before[reason]))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// echoRound is what came of the echoes.
type echoRound struct {
	sent, answered int
	slowest        time.Duration
}

// echoes sends Count echoes, one after the other.
func (p *pinger) echoes(ctx context.Context) (echoRound, error) {
	var r echoRound
	if proto := p.filter.Filter.Proto; proto != 0 && proto != icmpOf(p.inner) {
		return r, fmt.Errorf("the rule protects protocol %d only, so an echo would not go through its SA", proto)
	}
	e, err := openEcho(p.source, p.inner)
	if err != nil {
		return r, err
	}
	defer e.close()
	for range p.Count {
		if ctx.Err() != nil {
			break
		}
		began := p.Now()
		r.sent++
		ok, err := e.ask(smallEcho, p.Now().Add(p.patience()))
		if err != nil {
			return r, err
		}
		if ok {
			r.answered++
			r.slowest = max(r.slowest, p.Now().Sub(began))
		}
	}
	return r, nil
}

// patience is how long one echo is waited for.
func (p *pinger) patience() time.Duration { return min(p.Timeout, 2*time.Second) }

func (p *pinger) judgeEcho(r echoRound, err error) {
	switch {
	case err != nil:
		p.trace.skipped(LayerEcho, err.Error())
	case r.answered == r.sent:
		p.trace.ok(LayerEcho, fmt.Sprintf("%s of %v answered, the slowest in %v", plural(r.sent, "echo request"), p.inner, r.slowest.Round(10*time.Microsecond)))
	case r.answered > 0:
		p.trace.ok(LayerEcho, fmt.Sprintf("%d of %s to %v answered: packets are lost", r.answered, plural(r.sent, "echo request"), p.inner))
	default:
		why := "a firewall at the peer or behind it drops echoes, or nobody has this address; the SA itself carries packets both ways"
		next := "let ICMP echo pass there, or ping another address with --inner"
		if p.guess {
			next = fmt.Sprintf("%v was a guess: name an address that is there with --inner", p.inner)
		}
		p.trace.failed(LayerEcho, fmt.Sprintf("none of %s to %v was answered", plural(r.sent, "echo request"), p.inner), why, next)
	}
}

// nudge draws an answer out of the peer that is no echo: TCP and UDP to ports where nobody listens are refused. It reports whether one came.
func (p *pinger) nudge(ctx context.Context) bool {
	f := &p.filter.Filter
	port := uint16(33434) // where traceroute begins: nobody listens there
	if f.DstPorts.Given {
		port = f.DstPorts.From
	}
	from := uint16(0)
	if f.SrcPorts.Given && f.SrcPorts.From == f.SrcPorts.To {
		from = f.SrcPorts.From
	}
	for _, proto := range [...]struct {
		number  uint8
		network string
	}{{6, "tcp"}, {17, "udp"}} {
		if (f.Proto == 0 || f.Proto == proto.number) && touch(ctx, p, proto.network, netip.AddrPortFrom(p.source, from), netip.AddrPortFrom(p.inner, port)) {
			return true
		}
	}
	return false
}

func icmpOf(a netip.Addr) uint8 {
	if a.Is4() {
		return 1
	}
	return 58
}
