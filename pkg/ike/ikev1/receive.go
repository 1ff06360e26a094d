package ikev1

import (
	"errors"
	"net/netip"
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
	if why := s.unable(); why != nil {
		m.refuseUnproven(now, s, &isakmp.Refusal{Notify: isakmp.NoProposalChosen, Failure: *why})
		return
	}
	if err := s.run.Accept(s, msg); err != nil {
		m.refuseUnproven(now, s, err)
		return
	}
	ps, err := s.run.Build(s)
	if err != nil {
		return
	}
	if e == nil {
		e = &halfOpen{cookies: pair, local: d.Local, remote: d.Remote, sa: append([]byte(nil), s.sa...), chosen: s.suite,
			natt: s.nat.peerSpeaks, dpd: s.dpd, frags: s.frags}
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
	s.cookies, s.local, s.remote, s.sa = e.cookies, e.local, e.remote, e.sa
	s.settle(e.chosen)
	s.run.Script = s.script()
	s.nat.peerSpeaks, s.dpd, s.frags, s.run.At, s.prefix = e.natt, e.dpd, e.frags, stepKeyI, e.prefix
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
		m.refuseUnproven(now, s, err)
		return
	}
	out, err := s.message(isakmp.MainMode, 0, ps)
	if err != nil {
		return
	}
	m.halfOpen.promote(e)
	m.established[s.cookies] = s
	s.flight.answering(d.Data)
	m.launch(now, &s.flight, isakmp.Datagram{Local: s.local, Remote: s.remote, Data: out}, false, nil)
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

// seals reports whether the message that is due is encrypted. That of aggressive mode is where its header says so.
func (s *mainMode) seals(h isakmp.Header) bool {
	if s.aggressive() {
		return s.run.At == stepAggressiveProof && h.Flags&isakmp.FlagEncryption != 0
	}
	return s.run.At >= stepProofI
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

// message encodes payloads in the clear.
func (s *mainMode) message(x isakmp.ExchangeType, id uint32, ps []isakmp.Payload) ([]byte, error) {
	h := isakmp.Header{InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder, NextPayload: isakmp.FirstType(ps),
		Version: isakmp.Version1, Exchange: x, MessageID: id}
	body, err := isakmp.AppendPayloads(nil, ps)
	if err != nil {
		return nil, err
	}
	return withHeader(h, body), nil
}

func withHeader(h isakmp.Header, body []byte) []byte {
	h.Length = isakmp.HeaderLen + len(body)
	return append(h.Append(make([]byte, 0, h.Length)), body...)
}

// sealed encodes payloads encrypted, and returns the IV that follows.
func (s *mainMode) sealed(x isakmp.ExchangeType, id uint32, first isakmp.PayloadType, body, iv []byte) (out, next []byte) {
	body, next = s.cipher.seal(body, iv)
	h := isakmp.Header{InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder, NextPayload: first,
		Version: isakmp.Version1, Exchange: x, Flags: isakmp.FlagEncryption, MessageID: id}
	return withHeader(h, body), next
}

// sendMainMode builds and sends the message that is due.
func (m *Machine) sendMainMode(now time.Time, s *mainMode) {
	encrypted := s.seals(isakmp.Header{Flags: isakmp.FlagEncryption})
	ps, err := s.run.Build(s)
	if err != nil {
		r := &isakmp.Refusal{Notify: isakmp.AuthenticationFailed, Failure: isakmp.Failure{What: "main mode stopped: " + isakmp.Escape(err.Error()),
			Why: "this host could not build its message", Next: "look at the log for what is missing", Answered: s.answered}}
		if errors.As(err, &r) && s.cipher != nil {
			m.sendNotify(s, r.Notify, isakmp.ProtoISAKMP, nil)
		}
		m.failAttempt(now, s, r.Failure)
		return
	}
	var out []byte
	if encrypted {
		body, err := isakmp.AppendPayloads(nil, ps)
		if err != nil {
			return
		}
		out, s.iv = s.sealed(s.exchange, 0, isakmp.FirstType(ps), body, s.iv)
	} else if out, err = s.message(s.exchange, 0, ps); err != nil {
		return
	}
	// A responder never repeats by itself before the initiator has proved its address, and needs not after (security.md P16).
	m.launch(now, &s.flight, isakmp.Datagram{Local: s.local, Remote: s.remote, Data: out}, s.role() == isakmp.Initiator, func(now time.Time) {
		// The last message of aggressive mode has no answer. It is repeated until the peer is heard again, and for no longer.
		if s.state == Negotiating {
			m.failAttempt(now, s, s.explainSilence())
		}
	})
}

// heard notes what every authentic message after main mode tells: where the peer is, that it lives, and that it has the last message of main mode.
func (m *Machine) heard(now time.Time, s *mainMode, d isakmp.Datagram) {
	m.followPeer(s, d)
	m.land(&s.flight)
	if s.peer != nil {
		m.alive(now, s.peer)
	}
}

// explainSilence says what the end of an initiator's patience means.
func (s *mainMode) explainSilence() isakmp.Failure {
	offered := list("offered:", phase1Fields(s.offers))
	switch {
	case s.refusal == isakmp.NoProposalChosen || s.refusal == isakmp.AttributesNotSupported || s.refusal == isakmp.BadProposalSyntax:
		return isakmp.Failure{What: "the peer refused all main-mode proposals (" + s.refusal.String() + ")",
			Why:  "its policy allows none of the methods that this host offered",
			Next: "compare the key exchange methods of both policies, and look at the peer's log", Detail: offered, Answered: true}
	case s.aggressive() && s.suspicion != nil:
		return *s.suspicion
	case s.run.At > stepProofI && s.signs():
		return s.certificateRefused()
	case s.run.At > stepProofI:
		return wrongKey(s)
	case s.refusal != 0:
		return isakmp.Failure{What: "the peer refused main mode with " + s.refusal.String(), Why: "its policy does not allow this negotiation",
			Next: "look at the peer's log", Detail: offered, Answered: true}
	case s.answered:
		return isakmp.Failure{What: "the peer stopped answering in the middle of main mode", Why: "packets are lost, large ones perhaps, or the peer failed",
			Next: "check the path (MTU, firewall) and the peer's log", Answered: true}
	}
	return isakmp.Failure{What: "no answer from " + s.remote.String(),
		Why:  "the peer is down, runs no IKE, has no rule for this address, or a firewall drops UDP 500 and 4500",
		Next: "check that the peer is up and its policy covers " + s.local.Addr().String(), Detail: offered}
}

// failAttempt ends a main mode that did not come about.
func (m *Machine) failAttempt(now time.Time, s *mainMode, f isakmp.Failure) {
	p := s.peer
	f = s.staged(f)
	m.countFailure(s)
	m.removeSA(s)
	if p == nil {
		m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: f})
		return
	}
	p.failed(now, f)
	if s.replaces == 0 || p.newest() == nil {
		if len(p.wants) == 0 {
			m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: f})
		}
		m.failWants(now, p, s.local, s.remote, f)
	} else {
		m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: f}) // the old SA stays
	}
	if p.worry.probing {
		m.peerDead(now, p, "no answer to a new main mode: "+f.What)
	}
	m.forget(p)
}

// abandon drops a responder that did not finish in time.
func (m *Machine) abandon(_ time.Time, s *mainMode) { m.removeSA(s) }

// removeSA takes a main-mode SA out of every table. Its quick modes end with it.
func (m *Machine) removeSA(s *mainMode) {
	if s.state.unfinished() && s.role() == isakmp.Responder && m.established[s.cookies] == s {
		m.halfOpen.settled(s.prefix)
	}
	if m.established[s.cookies] == s {
		delete(m.established, s.cookies)
		m.dropFragments(s.cookies)
	}
	if m.initiating[s.cookies.initiator] == s {
		delete(m.initiating, s.cookies.initiator)
		m.dropFragments(cookiePair{initiator: s.cookies.initiator})
	}
	delete(m.asked, s.id)
	m.alarms.clear(&s.flight.again)
	m.alarms.clear(&s.life)
	delete(m.logins, s.id)
	m.aggressive.drop(s)
	m.dropTransactions(s)
	s.state = Dying
	if s.peer != nil {
		s.peer.dropSA(s)
	}
}

// mayComplain bounds the words that strangers can cause: ten at once, then one a second (security.md O4).
func (m *Machine) mayComplain(now time.Time) bool {
	const burst = 10
	t := &m.stats
	if earned := int(now.Sub(t.complainedAt) / time.Second); earned > 0 {
		t.complaints = max(0, t.complaints-earned)
		t.complainedAt = now
	}
	if t.complaints >= burst {
		return false
	}
	t.complaints++
	return true
}

// Kill drops whatever a datagram belongs to: the owner calls it when taking the datagram made this program fail.
func (m *Machine) Kill(data []byte) {
	h, err := isakmp.ParseHeader(data)
	if err != nil {
		return
	}
	if s := m.established[pairOf(h)]; s != nil {
		if q := s.phase2[h.MessageID]; q != nil && h.MessageID != 0 {
			m.orphan(time.Time{}, q)
			return
		}
		if t := s.transactions[h.MessageID]; t != nil && h.MessageID != 0 {
			m.forgetTransaction(t)
		}
		if s.state.unfinished() {
			m.removeSA(s)
		}
		return
	}
	if s := m.initiating[h.InitiatorCookie]; s != nil {
		m.removeSA(s)
	}
	if e := m.halfOpen.entries[pairOf(h)]; e != nil {
		m.halfOpen.remove(e)
	}
}
