package ikev1

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

const (
	// maxUsedIDs bounds the message IDs that an SA remembers (security.md P36). It is renewed before they are used up.
	maxUsedIDs = 16384
	// maxQuickModes bounds the quick modes of one SA that the peer has begun, under way or remembered.
	maxQuickModes = 128
)

// errHash is a HASH payload that is missing or wrong.
var errHash = errors.New("the message's hash is missing or wrong")

// openPhase2 decrypts a phase 2 message and splits it. Its first payload is the hash, which the caller checks.
func (s *mainMode) openPhase2(d isakmp.Datagram, h isakmp.Header, iv []byte) (*isakmp.Message, []byte, error) {
	plain, next, err := s.cipher.open(d.Data[isakmp.HeaderLen:], iv)
	if err != nil {
		return nil, nil, err
	}
	ps, err := isakmp.ParsePayloads(h.NextPayload, plain, true)
	if err != nil {
		return nil, nil, err
	}
	if len(ps) == 0 || ps[0].Type != isakmp.PayloadHash {
		return nil, nil, errHash
	}
	return &isakmp.Message{Header: h, Body: plain, Payloads: ps}, next, nil
}

// afterHash are the bytes that HASH(1) and HASH(2) cover: all that follows the hash payload, as it arrived, without padding.
func afterHash(msg *isakmp.Message) []byte {
	return msg.Body[msg.Payloads[0].End:msg.Payloads[len(msg.Payloads)-1].End]
}

// hash is the hash of the exchange's message at a place of its script; rest is what follows the hash payload.
func (q *quickMode) hash(place int, rest []byte) []byte {
	h, a := q.s.suite.hash, q.s.keys.auth
	switch place {
	case 0:
		return hash12(h, a, q.id, nil, rest)
	case 1:
		return hash12(h, a, q.id, q.ni, rest)
	}
	return hash3(h, a, q.id, q.ni, q.nr)
}

func (s *mainMode) firstIV(id uint32) []byte { return phase2IV(s.suite.hash, s.iv, id, s.cipher.block) }

// newMessageID is a fresh random message ID, never 0.
func (m *Machine) newMessageID(s *mainMode) (uint32, error) {
	for range 8 {
		var b [4]byte
		if err := m.random(b[:]); err != nil {
			return 0, err
		}
		id := binary.BigEndian.Uint32(b[:])
		if _, used := s.usedIDs[id]; id != 0 && !used {
			s.usedIDs[id] = struct{}{}
			return id, nil
		}
	}
	return 0, errors.New("no unused message ID was found")
}

// startQuickMode begins the negotiation of a wanted child.
func (m *Machine) startQuickMode(now time.Time, s *mainMode, w *want) {
	p := s.peer
	if w.queue > 0 && !s.queues {
		m.putOff(now, p, w) // the peer has started anew, and works in one queue now
		return
	}
	q := &quickMode{s: s, m: m, run: isakmp.Run[*quickMode]{Script: quickModeScript, Role: isakmp.Initiator}, began: now,
		want: w, filter: w.filter, selector: w.selector, queue: w.queue, spiIn: map[isakmp.ProtocolID]uint32{}}
	q.allowed = phase2Offers(w.filter.Rule, s.nat.udp())
	if len(q.allowed) == 0 {
		m.failWant(now, p, w, s.local, s.remote, nothingToOffer(s, w))
		return
	}
	id, err := m.newMessageID(s)
	if err == nil {
		err = m.reserve(q, q.allowed)
	}
	if err != nil {
		m.releaseSPIs(q)
		m.failWant(now, p, w, s.local, s.remote, isakmp.Failure{What: "quick mode cannot begin: " + err.Error(),
			Why: "this host is out of SPIs or randomness", Next: "look at the log", Answered: true})
		return
	}
	q.id = id
	q.iv = s.firstIV(id)
	w.qm = q
	s.track(q)
	s.quickModes++
	m.sendQuickMode(now, q)
}

func nothingToOffer(s *mainMode, w *want) isakmp.Failure {
	for _, method := range w.filter.Rule.Action.Methods {
		if method.AH != nil && s.nat.udp() {
			return isakmp.Failure{What: "AH cannot pass the NAT between this host and the peer", Why: "AH protects the addresses that a NAT changes",
				Next: "use ESP with integrity for rule " + w.filter.Rule.Name, Answered: true}
		}
	}
	return isakmp.Failure{What: "there is no security method to offer for rule " + w.filter.Rule.Name,
		Why: "its methods have no number in IKEv1, or give no integrity", Next: "name a method such as aes-gcm-16 or aes-cbc with sha256", Answered: true}
}

// reserve gets an inbound SPI for each protocol of the alternatives.
func (m *Machine) reserve(q *quickMode, suites []phase2Suite) error {
	for _, s := range suites {
		for _, p := range []isakmp.ProtocolID{isakmp.ProtoESP, isakmp.ProtoAH} {
			if s.part(p) == nil || q.spiIn[p] != 0 {
				continue
			}
			spi, err := m.freshSPI(ipProtocol(p), q.spiQueue(), q.choice.spiOut[p])
			if err != nil {
				return fmt.Errorf("no SPI: %w", err)
			}
			q.spiIn[p] = spi
		}
	}
	return nil
}

// freshSPI gets an inbound SPI other than the peer's, 0 where that is not known yet: nothing but the SPI tells the keys of the two directions
// apart (RFC 2409 §5.5), and under one key both would use the same nonces (security.md A6).
func (m *Machine) freshSPI(p suite.Protocol, queue int, peers uint32) (uint32, error) {
	spi, err := m.cfg.NewSPI(p, queue)
	if err != nil || spi != peers {
		return spi, err
	}
	other, err := m.cfg.NewSPI(p, queue)
	m.emit(isakmp.SPIReleased{SPIs: []uint32{spi}})
	if err == nil && other == peers {
		err = errors.New("the source of SPIs gave the same one twice")
	}
	return other, err
}

// releaseSPIs gives back the SPIs of a quick mode that came to no child.
func (m *Machine) releaseSPIs(q *quickMode) {
	var spis []uint32
	for _, p := range []isakmp.ProtocolID{isakmp.ProtoESP, isakmp.ProtoAH} {
		if spi := q.spiIn[p]; spi != 0 {
			spis = append(spis, spi)
			delete(q.spiIn, p)
		}
	}
	if len(spis) > 0 {
		m.emit(isakmp.SPIReleased{SPIs: spis})
	}
}

// releaseUnused gives back the SPIs of protocols that were offered and not chosen.
func (m *Machine) releaseUnused(q *quickMode) {
	var spis []uint32
	for _, p := range []isakmp.ProtocolID{isakmp.ProtoESP, isakmp.ProtoAH} {
		if spi := q.spiIn[p]; spi != 0 && q.choice.suite.part(p) == nil {
			spis = append(spis, spi)
			delete(q.spiIn, p)
		}
	}
	if len(spis) > 0 {
		m.emit(isakmp.SPIReleased{SPIs: spis})
	}
}

// sendQuickMode builds and sends the message that is due.
func (m *Machine) sendQuickMode(now time.Time, q *quickMode) {
	place := q.run.At
	ps, err := q.run.Build(q)
	if err != nil {
		m.failQuickMode(now, q, isakmp.Failure{What: "quick mode stopped: " + isakmp.Escape(err.Error()), Why: "this host could not build its message",
			Next: "look at the rule's filter and methods"})
		return
	}
	body, err := hashed(ps, q.s.suite.hash.Size(), func(rest []byte) []byte { return q.hash(place, rest) })
	if err != nil {
		return
	}
	out, next := q.s.sealed(isakmp.QuickMode, q.id, isakmp.PayloadHash, body, q.iv)
	q.iv = next
	// Whoever waits for an answer repeats; message 3 has none, and is sent again when message 2 comes again.
	m.launch(now, &q.flight, isakmp.Datagram{Local: q.s.local, Remote: q.s.remote, Data: out}, q.run.Awaits(), func(now time.Time) {
		m.failQuickMode(now, q, q.unanswered())
	})
}

func (q *quickMode) unanswered() isakmp.Failure {
	f := isakmp.Failure{What: "the peer does not answer in quick mode", Why: "the peer has lost the main-mode SA, or packets are lost", Next: "look at the peer's log", Answered: true}
	if q.want != nil && q.want.further() {
		f.What = fmt.Sprintf("the peer does not answer in the quick mode for a further child, for queue %d", q.queue)
		f.Why = "it takes no further child for the same traffic, or packets are lost"
	}
	return f
}

// hashed encodes payloads behind a hash payload that covers them.
func hashed(ps []isakmp.Payload, size int, hash func(rest []byte) []byte) ([]byte, error) {
	all := append([]isakmp.Payload{{Type: isakmp.PayloadHash, Body: make([]byte, size)}}, ps...)
	body, err := isakmp.AppendPayloads(nil, all)
	if err != nil {
		return nil, err
	}
	copy(body[4:4+size], hash(body[4+size:]))
	return body, nil
}

// receiveQuickMode takes a quick mode message of an established SA.
func (m *Machine) receiveQuickMode(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	s := m.established[pairOf(h)]
	switch {
	case s == nil:
		m.stats.Unknown++
		return
	case h.MessageID == 0 || h.Flags&isakmp.FlagEncryption == 0 || !s.state.obeys():
		m.stats.Unexpected++
		return
	}
	q := s.phase2[h.MessageID]
	if q == nil {
		if _, used := s.usedIDs[h.MessageID]; used {
			m.stats.Replayed++
			return
		}
		if len(s.usedIDs) >= maxUsedIDs || !s.roomForQuickMode() {
			m.stats.Unexpected++
			return
		}
		q = &quickMode{s: s, m: m, id: h.MessageID, began: now, iv: s.firstIV(h.MessageID), spiIn: map[isakmp.ProtocolID]uint32{},
			run: isakmp.Run[*quickMode]{Script: quickModeScript, Role: isakmp.Responder}}
	} else if q.flight.duplicate(d.Data) {
		m.resend(&q.flight)
		return
	}
	if !q.run.Awaits() {
		m.stats.Unexpected++
		return
	}
	msg, next, err := s.openPhase2(d, h, q.iv)
	if err != nil {
		m.stats.Malformed++
		return
	}
	if !hmac.Equal(msg.Payloads[0].Body, q.hash(q.run.At, afterHash(msg))) {
		m.stats.BadProofs++
		return
	}
	m.heard(now, s, d)
	s.usedIDs[h.MessageID] = struct{}{}
	if err := q.run.Accept(q, msg); err != nil {
		m.quickModeError(now, q, err)
		return
	}
	q.iv = next
	m.land(&q.flight)
	q.flight.answering(d.Data)
	m.advanceQuickMode(now, q)
}

// advanceQuickMode does what follows an accepted message.
func (m *Machine) advanceQuickMode(now time.Time, q *quickMode) {
	switch q.run.At {
	case 1: // responder, message 1 taken
		if err := m.reserve(q, []phase2Suite{q.choice.suite}); err != nil {
			m.releaseSPIs(q)
			m.sendNotify(q.s, isakmp.NoProposalChosen, isakmp.ProtoESP, q.offeredSPI)
			return
		}
		q.s.track(q)
		q.s.quickModes++
		m.sendQuickMode(now, q)
		if q.run.At == 2 {
			m.inboundReady(now, q)
		}
	case 2: // initiator, message 2 taken
		m.releaseUnused(q)
		q.child = m.newChild(now, q)
		q.s.peer.drop(q.want)
		m.bringUp(now, q.child)
		m.sendQuickMode(now, q)
		m.remember(now, q)
		m.widen(q.s, q.child, q.want.replaces != 0)
		m.pursue(now, q.s.peer)
	case 3: // responder, message 3 taken: it has no answer, so a duplicate gets none (two ends that both repeat would never stop)
		q.flight.last.Data = nil
		if !q.child.gone { // the peer may have deleted it before this message came
			m.bringUp(now, q.child)
		}
		m.remember(now, q)
	}
}

// track keeps a quick mode that is under way or still answers duplicates; untrack forgets it. An SA seldom has one: meanwhile it keeps no empty table
// and no expanded keys.
func (s *mainMode) track(q *quickMode) {
	if s.phase2 == nil {
		s.phase2 = map[uint32]*quickMode{}
	}
	s.phase2[q.id] = q
	s.cipher.keep(true)
}

func (s *mainMode) untrack(q *quickMode) {
	if delete(s.phase2, q.id); len(s.phase2) == 0 {
		s.phase2 = nil
		s.cipher.keep(false)
	}
}

// roomForQuickMode reports whether the peer may begin one more. An exchange that has ended makes room: its last message had no answer, and its message ID stays used.
func (s *mainMode) roomForQuickMode() bool {
	if len(s.phase2) < maxQuickModes {
		return true
	}
	var oldest *quickMode
	n := 0
	for _, q := range s.phase2 {
		if q.role() != isakmp.Responder {
			continue
		}
		if n++; q.end.pos > 0 && (oldest == nil || q.end.at.Before(oldest.end.at)) {
			oldest = q
		}
	}
	if n < maxQuickModes {
		return true
	}
	if oldest == nil {
		return false
	}
	s.m.alarms.clear(&oldest.end)
	s.untrack(oldest)
	return true
}

// remember keeps an exchange that has ended, to answer duplicates, and then forgets it; its message ID stays used.
func (m *Machine) remember(now time.Time, q *quickMode) {
	q.end.ring = func(time.Time) { q.s.untrack(q) }
	m.alarms.set(&q.end, now.Add(memory))
	q.kex, q.gxy = nil, nil
}

// quickModeError decides what an error of a step means. The message was authentic, so its sender means it: the exchange ends.
func (m *Machine) quickModeError(now time.Time, q *quickMode, err error) {
	var r *isakmp.Refusal
	if !errors.As(err, &r) {
		m.stats.Malformed++
		r = &isakmp.Refusal{Notify: isakmp.PayloadMalformed, Failure: isakmp.Failure{What: "a quick mode message of the peer is malformed: " + isakmp.Escape(err.Error()),
			Why: "the peer's software", Next: "look at the peer's log", Answered: true}}
	} else {
		m.stats.Refused++
	}
	q.doubtful = r.Notify == isakmp.NoProposalChosen && !q.full
	m.sendNotify(q.s, r.Notify, isakmp.ProtoESP, q.offeredSPI)
	m.failQuickMode(now, q, r.Failure)
}

// failQuickMode ends a quick mode that came to nothing.
func (m *Machine) failQuickMode(now time.Time, q *quickMode, f isakmp.Failure) {
	m.stats.QuickModesFailed++
	m.land(&q.flight)
	f = inStage(f, isakmp.StageQuickMode)
	f.Answered = true // by the main mode before it
	q.run.At = len(q.run.Script)
	q.s.untrack(q)
	p := q.s.peer
	// A main-mode SA under which a quick mode failed may itself be at fault: the peer has lost it, or a forged or damaged message
	// made the ends see different NATs. The next attempt begins with a new one.
	if q.s.state == Established && (q.want != nil && !q.expendable() || q.doubtful) {
		q.s.doubt = true
		m.retireSA(now, q.s, lingerPeer)
	}
	if q.child != nil { // a responder whose message 3 never came
		m.removeChild(now, q.child, "quick mode was not confirmed by the peer", true)
	} else {
		m.releaseSPIs(q)
	}
	if q.want != nil {
		q.want.qm = nil
		if !q.want.further() { // else they were found good
			f.Detail = either(f.Detail, list("offered:", suiteFields(q.allowed)))
		}
		m.failWant(now, p, q.want, q.s.local, q.s.remote, f)
	} else {
		p.failed(now, f)
		id := ""
		if q.filter != nil {
			id = q.filter.ID
		}
		m.emit(isakmp.Failed{Filter: id, Local: q.s.local, Remote: q.s.remote, Failure: f})
	}
	m.forget(p)
}

// expendable reports whether the failure of a quick mode that this host began says nothing against the main-mode SA: a child of another queue for the same traffic has
// come up, lately, or the peer has said under the SA that it does not want this one.
func (q *quickMode) expendable() bool {
	return q.want.further() && (q.refused || q.want.replaces == 0)
}

// modeOf is the mode of a rule's SAs.
func (q *quickMode) mode() suite.Mode {
	if q.filter.Rule.Tunnel != nil {
		return suite.Tunnel
	}
	return suite.Transport
}
