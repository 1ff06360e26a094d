package ikev1

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// A datagram's way in:
//
//  1. header: version, length, cookies (Receive)
//  2. the SA, the half-open entry or the attempt that it belongs to
//  3. duplicates: answered from the last message, not looked into
//  4. decryption, payloads, proof (HASH), in this order; nothing before the proof changes anything that matters
//  5. the step of the exchange, and its answer

// Receive takes one IKEv1 datagram without its marker. Deviation: the commit bit (RFC 2408 §3.1) is ignored: the inbound SA is ready before
// message 2 leaves, and the outbound one waits for message 3, which is what the bit is for.
func (m *Machine) Receive(now time.Time, d isakmp.Datagram) {
	m.stats.Received++
	h, err := isakmp.ParseHeader(d.Data)
	if err == nil {
		m.Replied(d, h)
	}
	if err != nil || h.Version>>4 != 1 || h.InitiatorCookie == (isakmp.Cookie{}) {
		m.stats.Malformed++
		return
	}
	d.Local = netip.AddrPortFrom(d.Local.Addr().Unmap(), d.Local.Port())
	d.Remote = netip.AddrPortFrom(d.Remote.Addr().Unmap(), d.Remote.Port())
	if h.NextPayload == isakmp.PayloadFragment {
		m.receiveFragment(now, d, h)
		return
	}
	m.dispatch(now, d, h)
}

// dispatch takes a whole message.
func (m *Machine) dispatch(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	switch h.Exchange {
	case isakmp.MainMode:
		m.receiveMainMode(now, d, h)
	case isakmp.QuickMode:
		m.receiveQuickMode(now, d, h)
	case isakmp.Transaction:
		m.receiveTransaction(now, d, h)
	case isakmp.Informational:
		m.receiveInformational(now, d, h)
	case isakmp.Aggressive:
		m.receiveAggressive(now, d, h)
	default:
		m.stats.Unsupported++
	}
}

func pairOf(h isakmp.Header) cookiePair { return cookiePair{h.InitiatorCookie, h.ResponderCookie} }

func (m *Machine) receiveMainMode(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	if h.MessageID != 0 {
		m.stats.Malformed++
		return
	}
	if h.ResponderCookie == (isakmp.Cookie{}) {
		m.firstMessage(now, d, h)
		return
	}
	if s := m.established[pairOf(h)]; s != nil {
		m.continueMainMode(now, s, d, h)
		return
	}
	if s := m.initiating[h.InitiatorCookie]; s != nil {
		m.continueMainMode(now, s, d, h)
		return
	}
	if e := m.halfOpen.entries[pairOf(h)]; e != nil {
		m.thirdMessage(now, e, d, h)
		return
	}
	m.stats.Unknown++
}

// firstMessage answers an initiator. Nothing but a half-open entry is kept.
func (m *Machine) firstMessage(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	if h.Flags&isakmp.FlagEncryption != 0 || m.initiating[h.InitiatorCookie] != nil {
		m.stats.Malformed++
		return
	}
	// security.md P19: only addresses that a filter covers get any answer.
	f := m.policy.FindMainMode(d.Local.Addr(), d.Remote.Addr())
	if f == nil {
		m.stats.Uncovered++
		return
	}
	if f.Rule.Aggressive { // its peers are told apart by an identity that main mode shows too late
		m.stats.Unsupported++
		return
	}
	cookie, err := m.cookieFor(now, d.Local, d.Remote, h.InitiatorCookie)
	if err != nil {
		return
	}
	pair := cookiePair{h.InitiatorCookie, cookie}
	if m.established[pair] != nil {
		m.stats.Replayed++
		return
	}
	msg, err := plainMessage(d, h)
	if err != nil {
		m.stats.Malformed++
		return
	}
	s := m.newMainMode(now, f, isakmp.Responder)
	s.cookies, s.local, s.remote = pair, d.Local, d.Remote
	e := m.halfOpen.entries[pair]
	if e != nil {
		if string(e.sa) != string(msg.First(isakmp.PayloadSA)) {
			m.stats.Replayed++
			return
		}
		m.stats.Duplicates++
	}
	if !m.takeFirst(now, s, msg) {
		return
	}
	ps, err := s.run.Build(s)
	if err != nil {
		return
	}
	if e == nil {
		e = &halfOpen{cookies: pair, local: d.Local, remote: d.Remote, sa: append([]byte(nil), s.sa...), chosen: s.suite, meaning: s.meaning,
			natt: s.nat.peerSpeaks, dpd: s.dpd, frags: s.frags, queues: s.queues}
		if !m.addHalfOpen(now, e) {
			return
		}
	}
	if out, err := s.message(isakmp.MainMode, 0, ps); err == nil {
		m.emit(isakmp.Transmit{Datagram: isakmp.Datagram{Local: s.local, Remote: s.remote, Data: out}})
	}
}

// thirdMessage turns a half-open entry into a main-mode SA: the initiator has returned the cookie, so it is where it says.
func (m *Machine) thirdMessage(now time.Time, e *halfOpen, d isakmp.Datagram, h isakmp.Header) {
	f := m.policy.FindMainMode(d.Local.Addr(), d.Remote.Addr())
	msg, err := plainMessage(d, h)
	if err != nil || f == nil || f.Rule.Aggressive || d.Remote != e.remote || d.Local != e.local || !m.halfOpen.genuine(e) || h.Flags&isakmp.FlagEncryption != 0 {
		m.stats.Malformed++
		return
	}
	s := m.newMainMode(now, f, isakmp.Responder)
	// The choice was made for the policy of that moment. Under another one, or other certificates, it is nobody's: the initiator begins anew.
	if s.meaning != e.meaning || !slices.ContainsFunc(s.offers, e.chosen.same) {
		m.halfOpen.remove(e)
		m.stats.Unknown++
		return
	}
	s.cookies, s.local, s.remote, s.sa = e.cookies, e.local, e.remote, e.sa
	s.settle(e.chosen)
	s.run.Script = s.script()
	s.nat.peerSpeaks, s.dpd, s.frags, s.queues, s.run.At, s.prefix = e.natt, e.dpd, e.frags, e.queues, stepKeyI, e.prefix
	if err := s.run.Accept(s, msg); err != nil {
		m.refuseUnproven(now, s, err)
		return
	}
	// The received bytes are hashed later, and the datagram's memory is the caller's.
	s.gxi, s.ni = append([]byte(nil), s.gxi...), append([]byte(nil), s.ni...)
	for i, r := range s.requests {
		s.requests[i] = append([]byte(nil), r...)
	}
	ps, err := s.run.Build(s)
	if err != nil {
		// Each try has cost a key pair. Only who has got our cookie can be here.
		if e.bad++; e.bad >= maxBadMessages {
			m.halfOpen.remove(e)
		}
		m.refuseUnproven(now, s, err)
		return
	}
	out, err := s.message(isakmp.MainMode, 0, ps)
	if err != nil {
		return
	}
	m.halfOpen.promote(e)
	m.awaitProof(now, s, d.Data, out)
}

// takeFirst lets the script take an initiator's first message, or refuses it.
func (m *Machine) takeFirst(now time.Time, s *mainMode, msg *isakmp.Message) bool {
	if why := s.unable(); why != nil {
		m.refuseUnproven(now, s, &isakmp.Refusal{Notify: isakmp.NoProposalChosen, Failure: *why})
		return false
	}
	if err := s.run.Accept(s, msg); err != nil {
		m.refuseUnproven(now, s, err)
		return false
	}
	return true
}

// awaitProof answers the message that made this host compute keys, once for each time that it comes, and gives the initiator half a minute to prove itself.
func (m *Machine) awaitProof(now time.Time, s *mainMode, request, answer []byte) {
	m.established[s.cookies] = s
	s.flight.answering(request)
	m.launch(now, &s.flight, isakmp.Datagram{Local: s.local, Remote: s.remote, Data: answer}, false, nil)
	s.life.ring = func(now time.Time) { m.abandon(now, s) }
	m.alarms.set(&s.life, now.Add(halfOpenLife))
}

func plainMessage(d isakmp.Datagram, h isakmp.Header) (*isakmp.Message, error) {
	body := d.Data[isakmp.HeaderLen:]
	ps, err := isakmp.ParsePayloads(h.NextPayload, body, false)
	return &isakmp.Message{Header: h, Body: body, Payloads: ps}, err
}

// refuseUnproven answers an initiator that has proved nothing: at most one small notification, and words for the log at a bounded rate.
func (m *Machine) refuseUnproven(now time.Time, s *mainMode, err error) {
	var r *isakmp.Refusal
	if !errors.As(err, &r) {
		m.stats.Malformed++
		return
	}
	m.stats.Refused++
	m.stats.MainModesFailed++
	m.sendPlainNotify(s, r.Notify)
	r.Failure = s.staged(r.Failure)
	if m.mayComplain(now) {
		m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: r.Failure})
		if p := m.peers[placeOf(s)]; p != nil {
			p.failed(now, r.Failure)
		}
	}
}

// continueMainMode takes messages 2 to 6.
func (m *Machine) continueMainMode(now time.Time, s *mainMode, d isakmp.Datagram, h isakmp.Header) {
	if s.flight.duplicate(d.Data) {
		// The initiator repeats by itself; a duplicate of what it has answered needs nothing. Nor does one that is being looked into.
		// In aggressive mode a duplicate of message 2 says that message 3 was lost.
		if (s.role() == isakmp.Responder || s.aggressive()) && !s.claim.asked {
			m.resend(&s.flight)
		}
		return
	}
	step := s.run.At
	encrypted := s.seals(h)
	if !s.run.Awaits() || s.state != Negotiating || encrypted != (h.Flags&isakmp.FlagEncryption != 0) ||
		d.Remote.Addr() != s.remote.Addr() || d.Local.Addr() != s.local.Addr() {
		m.stats.Unexpected++
		return
	}
	s.answered = true
	d.Data = append([]byte(nil), d.Data...) // the bodies of payloads are kept, and the memory is the caller's
	msg, next, err := s.readMainMode(d, h, encrypted)
	if err != nil {
		m.stats.Malformed++
		if encrypted {
			m.suspectKey(now, s)
		}
		return
	}
	if step == stepOffer+1 {
		s.cookies.responder = h.ResponderCookie
	}
	if err := s.run.Accept(s, msg); err != nil {
		m.mainModeError(now, s, err)
		return
	}
	if step == stepOffer+1 {
		delete(m.initiating, s.cookies.initiator)
		m.established[s.cookies] = s
		s.run.Script = s.script()
	}
	if encrypted {
		s.iv = next
		if s.role() == isakmp.Responder {
			s.local, s.remote = d.Local, d.Remote
		}
	}
	m.land(&s.flight)
	s.flight.answering(d.Data)
	if s.aggressive() && s.role() == isakmp.Responder {
		s.flight.last.Data = nil // message 3 has no answer
	}
	if s.claim.made() {
		m.ask(now, s)
		return
	}
	m.advanceMainMode(now, s)
}

// advanceMainMode sends the message that is due, and ends main mode if it was the last.
func (m *Machine) advanceMainMode(now time.Time, s *mainMode) {
	if s.run.Sends() {
		m.sendMainMode(now, s)
	}
	if s.run.Done() {
		m.establish(now, s)
	}
}

func (s *mainMode) readMainMode(d isakmp.Datagram, h isakmp.Header, encrypted bool) (*isakmp.Message, []byte, error) {
	if !encrypted {
		msg, err := plainMessage(d, h)
		return msg, nil, err
	}
	plain, next, err := s.cipher.open(d.Data[isakmp.HeaderLen:], s.iv)
	if err != nil {
		return nil, nil, err
	}
	ps, err := isakmp.ParsePayloads(h.NextPayload, plain, true)
	return &isakmp.Message{Header: h, Body: plain, Payloads: ps}, next, err
}

// heard notes what every authentic message after main mode tells: where the peer is, that it lives, and that it has the last message of main mode.
func (m *Machine) heard(now time.Time, s *mainMode, d isakmp.Datagram) {
	m.followPeer(s, d)
	m.land(&s.flight)
	if s.peer != nil {
		m.alive(now, s.peer)
	}
}
