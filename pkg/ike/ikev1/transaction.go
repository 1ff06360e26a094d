package ikev1

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// transactionScript is a transaction exchange (draft-ietf-ipsec-isakmp-mode-cfg-05 §3.1). Hash and IV are those of an informational exchange, the hash over the
// attribute payload; the IV of the answer follows from the question:
//
//	Initiator                 Responder
//	-----------               -----------
//	 HDR*, HASH, ATTR   -->
//	                    <--    HDR*, HASH, ATTR
//
// A request is answered by a reply, a set by an acknowledgement. What is asked and said is the business of mode_config.go and xauth.go.
var transactionScript = isakmp.Script[*transaction]{
	{From: isakmp.Initiator, Need: transactionPayloads, Build: (*transaction).ask, Accept: (*transaction).takeQuestion},
	{From: isakmp.Responder, Need: transactionPayloads, Build: (*transaction).reply, Accept: (*transaction).takeReply},
}

var transactionPayloads = isakmp.Set(isakmp.PayloadHash, isakmp.PayloadAttributes)

// transaction is one transaction exchange.
type transaction struct {
	s                *mainMode
	m                *Machine
	id               uint32 // message ID
	run              isakmp.Run[*transaction]
	iv               []byte
	question, answer isakmp.Configuration
	// then is what follows: on the side that asked, once there is an answer; on the other side, once the answer is sent.
	then   func(now time.Time)
	flight flight
	end    alarm
}

// maxTransactions bounds those of one SA that are under way or remembered.
const maxTransactions = 16

// errUnasked is a question that this host does not answer, or an order that it did not expect.
var errUnasked = errors.New("the attribute payload is not expected")

func (t *transaction) ask() ([]isakmp.Payload, error) { return attributePayload(t.question), nil }

func (t *transaction) takeQuestion(msg *isakmp.Message) (err error) {
	t.question, err = isakmp.ParseConfiguration(msg.First(isakmp.PayloadAttributes))
	return err
}

func (t *transaction) reply() ([]isakmp.Payload, error) { return attributePayload(t.answer), nil }

func (t *transaction) takeReply(msg *isakmp.Message) error {
	x, err := isakmp.ParseConfiguration(msg.First(isakmp.PayloadAttributes))
	if err != nil {
		return err
	}
	// A request (1) is answered by a reply (2), a set (3) by an acknowledgement (4). Deviation: the identifier need not be that of the question, for strongSwan's
	// is another; the message ID, which is under the hash, says what is answered.
	if x.Type != t.question.Type+1 {
		return fmt.Errorf("%w: a %v to a %v", isakmp.ErrSyntax, x.Type, t.question.Type)
	}
	t.answer = x
	return nil
}

func attributePayload(x isakmp.Configuration) []isakmp.Payload {
	return []isakmp.Payload{{Type: isakmp.PayloadAttributes, Body: x.Append(nil)}}
}

// answerTo says what to answer to a question, and what to do then. Between main mode and the end of XAUTH nothing but XAUTH is obeyed, and after it no more XAUTH
// (security.md P26).
func (s *mainMode) answerTo(x isakmp.Configuration) (answer isakmp.Configuration, then func(time.Time), err error) {
	switch {
	case s.state == Examining && s.role() == isakmp.Initiator && x.Type == isakmp.ConfigRequest:
		return s.logIn(x)
	case s.state == Examining && s.role() == isakmp.Initiator && x.Type == isakmp.ConfigSet:
		return s.takeStatus(x)
	case s.state.obeys() && x.Type == isakmp.ConfigRequest:
		return s.assign(x)
	case s.state.obeys() && x.Type == isakmp.ConfigSet:
		return s.takePush(x)
	}
	return answer, nil, errUnasked
}

// startTransaction asks the peer. Of then and giveUp one is called in the end, unless the SA ends before.
func (m *Machine) startTransaction(now time.Time, s *mainMode, question isakmp.Configuration, then func(now time.Time, answer isakmp.Configuration), giveUp func(now time.Time)) {
	var b [2]byte
	id, err := m.newMessageID(s)
	if err == nil {
		err = m.random(b[:])
	}
	if err != nil {
		giveUp(now)
		return
	}
	question.ID = uint16(b[0])<<8 | uint16(b[1])
	t := &transaction{s: s, m: m, id: id, iv: s.firstIV(id), question: question,
		run: isakmp.Run[*transaction]{Script: transactionScript, Role: isakmp.Initiator}}
	t.then = func(now time.Time) { then(now, t.answer) }
	s.keepTransaction(t)
	m.sendTransaction(now, t, func(now time.Time) {
		m.forgetTransaction(t)
		giveUp(now)
	})
}

func (m *Machine) sendTransaction(now time.Time, t *transaction, giveUp func(now time.Time)) {
	ps, err := t.run.Build(t)
	if err != nil {
		return
	}
	h := t.s.suite.hash
	body, err := hashed(ps, h.Size(), func(rest []byte) []byte { return hash12(h, t.s.keys.auth, t.id, nil, rest) })
	if err != nil {
		return
	}
	out, next := t.s.sealed(isakmp.Transaction, t.id, isakmp.PayloadHash, body, t.iv)
	t.iv = next
	m.launch(now, &t.flight, isakmp.Datagram{Local: t.s.local, Remote: t.s.remote, Data: out}, t.run.Awaits(), giveUp)
}

// receiveTransaction takes a message of a transaction exchange.
func (m *Machine) receiveTransaction(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	s := m.established[pairOf(h)]
	switch {
	case s == nil:
		m.stats.Unknown++
		return
	case h.MessageID == 0 || h.Flags&isakmp.FlagEncryption == 0 || s.state != Examining && !s.state.obeys():
		m.stats.Unexpected++
		return
	}
	t := s.transactions[h.MessageID]
	if t == nil {
		if _, used := s.usedIDs[h.MessageID]; used {
			m.stats.Replayed++
			return
		}
		if len(s.usedIDs) >= maxUsedIDs || len(s.transactions) >= maxTransactions {
			m.stats.Unexpected++
			return
		}
		t = &transaction{s: s, m: m, id: h.MessageID, iv: s.firstIV(h.MessageID), run: isakmp.Run[*transaction]{Script: transactionScript, Role: isakmp.Responder}}
	} else if t.flight.duplicate(d.Data) {
		m.resend(&t.flight)
		return
	}
	if !t.run.Awaits() {
		m.stats.Unexpected++
		return
	}
	d.Data = append([]byte(nil), d.Data...) // values are kept, and the memory is the caller's
	msg, next, err := s.openPhase2(d, h, t.iv)
	if err != nil {
		m.stats.Malformed++
		return
	}
	if !hmac.Equal(msg.Payloads[0].Body, hash12(s.suite.hash, s.keys.auth, h.MessageID, nil, afterHash(msg))) {
		m.stats.BadProofs++
		return
	}
	m.heard(now, s, d)
	s.usedIDs[h.MessageID] = struct{}{}
	err = t.run.Accept(t, msg)
	if err == nil && t.run.Sends() {
		t.answer, t.then, err = s.answerTo(t.question)
		t.answer.ID = t.question.ID
	}
	if err != nil {
		m.transactionError(now, t, err)
		return
	}
	t.iv = next
	m.advanceTransaction(now, t, d.Data)
}

// advanceTransaction does what follows an accepted message.
func (m *Machine) advanceTransaction(now time.Time, t *transaction, message []byte) {
	m.land(&t.flight)
	if t.run.Sends() {
		t.s.keepTransaction(t)
		t.flight.answering(message)
		m.sendTransaction(now, t, nil)
		t.end.ring = func(time.Time) { m.forgetTransaction(t) }
		m.alarms.set(&t.end, now.Add(memory))
	} else {
		m.forgetTransaction(t)
	}
	if t.then != nil {
		t.then(now)
	}
}

// transactionError decides what an error of a step means. Its sender is the peer itself; what it says and should not is let be, and a failure ends the attempt.
func (m *Machine) transactionError(now time.Time, t *transaction, err error) {
	var failure *attemptError
	switch {
	case errors.As(err, &failure):
		m.stats.Refused++
		m.failAttempt(now, t.s, failure.Failure)
	case errors.Is(err, errUnasked):
		m.stats.Unexpected++
	default:
		m.stats.Malformed++
	}
}

// attemptError is an error that ends an attempt.
type attemptError struct{ isakmp.Failure }

func (e *attemptError) Error() string { return e.What }

func (s *mainMode) keepTransaction(t *transaction) {
	if s.transactions == nil {
		s.transactions = map[uint32]*transaction{}
	}
	s.transactions[t.id] = t
}

func (m *Machine) forgetTransaction(t *transaction) {
	m.alarms.clear(&t.flight.again)
	m.alarms.clear(&t.end)
	delete(t.s.transactions, t.id)
}

// dropTransactions ends all of an SA.
func (m *Machine) dropTransactions(s *mainMode) {
	for _, t := range s.transactions {
		m.forgetTransaction(t)
	}
}
