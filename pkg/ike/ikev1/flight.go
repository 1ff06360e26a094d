package ikev1

import (
	"crypto/sha256"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// Retransmission: the first after a second, then twice as long each time; after the last one the same wait again ends the attempt.
const (
	firstRetransmit = time.Second
	retransmits     = 5
	// budget is how long an attempt lasts without an answer: 1 + 2 + 4 + 8 + 16 + 32 seconds less the last wait cut to 8.
	lastWait = 8 * time.Second
	// memory is how long an exchange that has ended still answers duplicates.
	memory = 60 * time.Second
	// refusedPatience is how long an attempt goes on after an answer that says no but proves nothing (security.md P30, P32, P33): a forged
	// refusal can only make it shorter, and traffic starts the next.
	refusedPatience = 4 * time.Second
)

// flight is the last message of an exchange on its way: sent again until it is answered, and sent again when the message that it
// answers arrives again. The exchanges know nothing of it.
type flight struct {
	last     isakmp.Datagram // what was sent last
	answers  [32]byte        // digest of the message that it answered
	again    alarm
	tries    int
	asked    int       // how often the peer's repetition was answered
	refused  time.Time // the end of a shortened attempt
	onGiveUp func(now time.Time)
}

// launch sends d and, if wait is set, keeps sending it until land is called; then giveUp is called instead.
func (m *Machine) launch(now time.Time, f *flight, d isakmp.Datagram, wait bool, giveUp func(now time.Time)) {
	m.alarms.clear(&f.again)
	f.last, f.tries, f.asked, f.onGiveUp = d, 0, 0, giveUp
	m.transmit(d, 0)
	f.again.ring = func(now time.Time) { m.relaunch(now, f) }
	if wait {
		m.alarms.set(&f.again, now.Add(firstRetransmit))
	}
}

func (m *Machine) relaunch(now time.Time, f *flight) {
	f.tries++
	if f.tries > retransmits || !f.refused.IsZero() && !now.Before(f.refused) {
		f.onGiveUp(now)
		return
	}
	m.stats.Retransmitted++
	m.transmit(f.last, f.tries)
	wait := firstRetransmit << f.tries
	if f.tries == retransmits {
		wait = lastWait
	}
	next := now.Add(wait)
	if !f.refused.IsZero() && f.refused.Before(next) {
		next = f.refused
	}
	m.alarms.set(&f.again, next)
}

// refuse shortens the attempt.
func (m *Machine) refuse(now time.Time, f *flight) {
	if f.refused.IsZero() && f.again.pos > 0 {
		f.refused = now.Add(refusedPatience)
		if f.again.at.After(f.refused) {
			m.alarms.set(&f.again, f.refused)
		}
	}
}

// land ends the waiting: an answer came.
func (m *Machine) land(f *flight) { m.alarms.clear(&f.again) }

// duplicate reports whether data is the message that the last one sent has answered.
func (f *flight) duplicate(data []byte) bool {
	return len(f.last.Data) > 0 && f.answers == sha256.Sum256(data)
}

// answering notes which message the next launch answers.
func (f *flight) answering(data []byte) { f.answers = sha256.Sum256(data) }

// resend answers a duplicate: once for each, with the same bytes.
func (m *Machine) resend(f *flight) {
	m.stats.Duplicates++
	f.asked++
	m.transmit(f.last, f.asked)
}
