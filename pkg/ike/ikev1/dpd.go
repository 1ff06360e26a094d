package ikev1

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// Dead peer detection (RFC 3706), driven by worry: traffic that leaves while nothing comes back.

const dpdProbes = 5 // within the timeout

// worry is the state of DPD for a peer.
type worry struct {
	alarm   alarm
	probing bool
	until   time.Time
	timeout time.Duration
}

// dpdProbe holds the sequence numbers of one SA: ours, and the last of the peer's.
type dpdProbe struct {
	sent, answered uint32
	seen           uint32
	seenAny        bool
}

// alive ends the worry: the peer has shown that it is there.
func (m *Machine) alive(_ time.Time, p *peer) {
	p.worry.probing = false
	m.alarms.clear(&p.worry.alarm)
}

// worryAbout begins to worry about a peer that traffic was sent to, unless the rule says never to.
func (m *Machine) worryAbout(now time.Time, p *peer, o policy.PeerOptions) {
	if p.worry.alarm.pos > 0 || p.worry.probing {
		return
	}
	interval, timeout := o.DPD()
	if interval == 0 {
		return
	}
	p.worry.timeout = timeout
	p.worry.alarm.ring = func(now time.Time) { m.probe(now, p) }
	m.alarms.set(&p.worry.alarm, now.Add(interval))
}

// probe asks "are you there?", again and again until there is an answer or the time is over. Without a main-mode SA a new one is the
// question; a peer that does not know DPD is asked in the same way.
func (m *Machine) probe(now time.Time, p *peer) {
	w := &p.worry
	if !w.probing {
		w.probing, w.until = true, now.Add(w.timeout)
	} else {
		// While this host was held up, or asleep, it could not have taken the answer, which may have come.
		w.until = w.until.Add(now.Sub(w.alarm.at))
	}
	if !now.Before(w.until) {
		m.peerDead(now, p, "the peer did not answer in "+w.timeout.String())
		return
	}
	if s := p.newest(); s != nil && s.dpd {
		m.askDPD(s)
	} else if p.negotiating() == nil {
		m.begin(now, p, 0)
	}
	next := now.Add(w.timeout / dpdProbes)
	if next.After(w.until) {
		next = w.until
	}
	m.alarms.set(&w.alarm, next)
}

// askDPD sends R-U-THERE. Each has a number one higher than the last; the first is random, with its high bit clear (RFC 3706 §7).
func (m *Machine) askDPD(s *mainMode) {
	if s.probe.sent == 0 {
		var b [4]byte
		if m.random(b[:]) != nil {
			return
		}
		s.probe.sent = spiNumber(b[:])>>1 | 1
		s.probe.answered = s.probe.sent
	}
	s.probe.sent++
	m.sendDPD(s, isakmp.DPDRequest, s.probe.sent)
}

func (m *Machine) sendDPD(s *mainMode, t isakmp.NotifyType, seq uint32) {
	n := isakmp.Notify{DOI: isakmp.DOIIPsec, Protocol: isakmp.ProtoISAKMP, Type: t,
		SPI: isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder), Data: be32(seq)}
	m.sendInformational(s, isakmp.Payload{Type: isakmp.PayloadNotify, Body: n.Append(nil)})
}

// takeDPD answers a question whose number has not been seen, and counts an answer to one that was asked. The worry has ended already: any
// authenticated message that is no replay shows that the peer lives.
func (m *Machine) takeDPD(_ time.Time, s *mainMode, n isakmp.Notify) {
	if len(n.Data) != 4 || string(n.SPI) != string(isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder)) {
		m.stats.Malformed++
		return
	}
	seq := binary.BigEndian.Uint32(n.Data)
	d := &s.probe
	if n.Type == isakmp.DPDReply {
		if seq-d.answered-1 >= d.sent-d.answered {
			m.stats.Replayed++
			return
		}
		d.answered = seq
		return
	}
	// RFC 3706 §7: a number that is not above the last one is a replay.
	if d.seenAny && int32(seq-d.seen) <= 0 {
		m.stats.Replayed++
		return
	}
	d.seen, d.seenAny = seq, true
	m.sendDPD(s, isakmp.DPDReply, seq)
}

// peerDead removes everything that ties this host to a peer. Traffic makes it new.
func (m *Machine) peerDead(now time.Time, p *peer, reason string) {
	m.alive(now, p)
	m.stats.DeadPeers++
	f := isakmp.Failure{What: "the peer is dead: " + reason, Why: "it failed, or the path to it", Next: "check the peer and the path; traffic starts a new negotiation"}
	p.failed(now, f)
	for _, c := range childrenOf(p) {
		m.removeChild(now, c, "the peer is dead", false)
	}
	for _, s := range append([]*mainMode(nil), p.sas...) {
		if s.state.obeys() {
			m.endSA(now, s, reason, false)
		}
	}
	m.forget(p)
}

// childrenOf lists a peer's children, oldest first.
func childrenOf(p *peer) []*child {
	var out []*child
	for _, c := range p.children {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *child) int { return int(int64(a.sa.ID) - int64(b.sa.ID)) })
	return out
}
