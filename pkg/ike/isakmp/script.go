package isakmp

import (
	"errors"
	"fmt"
)

// Role is a side of an exchange.
type Role uint8

const (
	Initiator Role = iota + 1
	Responder
)

func (r Role) String() string {
	if r == Initiator {
		return "initiator"
	}
	return "responder"
}

// Message is a received message of an exchange: its payloads lie in Body, which is already decrypted.
type Message struct {
	Header   Header
	Body     []byte
	Payloads []Payload
}

// First returns the body of the first payload of a type, nil if there is none.
func (m *Message) First(t PayloadType) []byte {
	for i := range m.Payloads {
		if m.Payloads[i].Type == t {
			return m.Payloads[i].Body
		}
	}
	return nil
}

// All returns the bodies of all payloads of a type.
func (m *Message) All(t PayloadType) [][]byte {
	var out [][]byte
	for i := range m.Payloads {
		if m.Payloads[i].Type == t {
			out = append(out, m.Payloads[i].Body)
		}
	}
	return out
}

// Step is one message of an exchange: who sends it, which payloads it must and may hold, and one function a side.
type Step[X any] struct {
	From Role
	// Need lists payloads that stand in the message exactly once, Once those that may stand there once, May those that may stand
	// there any number of times.
	Need, Once, May PayloadSet
	Build           func(X) ([]Payload, error)
	Accept          func(X, *Message) error
}

// Script is an exchange as data; its lines are those of the RFC's diagram.
type Script[X any] []Step[X]

// ErrTurn is returned for a message that the script does not expect now.
var ErrTurn = errors.New("message out of turn")

// Run is a place in a script, seen from one side.
type Run[X any] struct {
	Script Script[X]
	Role   Role
	At     int
}

// Sends reports whether it is this side's turn to send.
func (r *Run[X]) Sends() bool { return r.At < len(r.Script) && r.Script[r.At].From == r.Role }

// Awaits reports whether a message of the peer is expected.
func (r *Run[X]) Awaits() bool { return r.At < len(r.Script) && r.Script[r.At].From != r.Role }

// Done reports whether the script has ended.
func (r *Run[X]) Done() bool { return r.At >= len(r.Script) }

// Build makes the message that is due from this side and moves on.
func (r *Run[X]) Build(x X) ([]Payload, error) {
	if !r.Sends() {
		return nil, ErrTurn
	}
	ps, err := r.Script[r.At].Build(x)
	if err == nil {
		r.At++
	}
	return ps, err
}

// Accept checks whose turn it is and which payloads are legal, lets the step take the message and moves on. After an error the
// place is the old one: a bad message does not end an exchange.
func (r *Run[X]) Accept(x X, m *Message) error {
	if !r.Awaits() {
		return ErrTurn
	}
	step := &r.Script[r.At]
	if err := legal(step.Need, step.Once, step.May, m.Payloads); err != nil {
		return err
	}
	if err := step.Accept(x, m); err != nil {
		return err
	}
	r.At++
	return nil
}

// legal says whether each needed payload stands there once and none that is not allowed.
func legal(need, once, may PayloadSet, ps []Payload) error {
	var seen PayloadSet
	for i := range ps {
		t := ps[i].Type
		switch {
		case (need | once).Has(t) && seen.Has(t) && !may.Has(t):
			return fmt.Errorf("%w: payload %d stands there twice", ErrSyntax, t)
		case !(need | once | may).Has(t):
			return fmt.Errorf("%w: payload %d is not allowed here", ErrSyntax, t)
		}
		seen |= 1 << (t & payloadLastOfBitSet)
	}
	if missing := need &^ seen; missing != 0 {
		return fmt.Errorf("%w: payloads %#x are missing", ErrSyntax, uint64(missing))
	}
	return nil
}
