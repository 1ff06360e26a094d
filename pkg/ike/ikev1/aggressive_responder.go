package ikev1

import (
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// A responder in aggressive mode cannot find out whether an initiator is where it says before it has computed a Diffie-Hellman exchange and kept its state. So there are
// few at once and few a second, in all and from one source network, and those that wait longest make room (security.md P16, P34). Who floods aggressive mode keeps others
// from aggressive mode, and from nothing else.

const (
	maxAggressive          = 256
	maxAggressivePerPrefix = 16
	// Diffie-Hellman exchanges a second.
	aggressiveEachSecond          = 32
	aggressiveEachSecondPerPrefix = 4
)

// aggressiveTable holds responders in aggressive mode that wait for message 3, oldest first, and what was spent in the second at hand.
type aggressiveTable struct {
	waiting []*mainMode
	second  time.Time
	spent   int
	spentBy map[netip.Prefix]int
}

// spend reports whether one more exchange may be computed.
func (t *aggressiveTable) spend(now time.Time, prefix netip.Prefix) bool {
	if since := now.Sub(t.second); since < 0 || since >= time.Second {
		t.second, t.spent, t.spentBy = now, 0, map[netip.Prefix]int{}
	}
	if t.spent >= aggressiveEachSecond || t.spentBy[prefix] >= aggressiveEachSecondPerPrefix {
		return false
	}
	t.spent++
	t.spentBy[prefix]++
	return true
}

// drop takes one out that is established or gone.
func (t *aggressiveTable) drop(s *mainMode) {
	for i := range t.waiting {
		if t.waiting[i] == s {
			t.waiting = append(t.waiting[:i:i], t.waiting[i+1:]...)
			return
		}
	}
}

// surplus is the one that has to make room for another of prefix, nil if there is room: the oldest of that network, if it has its share, or of the one that has most.
func (t *aggressiveTable) surplus(prefix netip.Prefix) *mainMode {
	count := map[netip.Prefix]int{}
	for _, s := range t.waiting {
		count[s.prefix]++
	}
	from := prefix
	if count[prefix] < maxAggressivePerPrefix {
		if len(t.waiting) < maxAggressive {
			return nil
		}
		for _, s := range t.waiting {
			if count[s.prefix] > count[from] {
				from = s.prefix
			}
		}
	}
	for _, s := range t.waiting {
		if s.prefix == from {
			return s
		}
	}
	return t.waiting[0]
}

func (m *Machine) receiveAggressive(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	if h.MessageID != 0 {
		m.stats.Malformed++
		return
	}
	if h.ResponderCookie == (isakmp.Cookie{}) {
		m.firstAggressive(now, d, h)
		return
	}
	s := m.established[pairOf(h)]
	if s == nil {
		s = m.initiating[h.InitiatorCookie]
	}
	switch {
	case s == nil:
		m.stats.Unknown++
	case !s.aggressive():
		m.stats.Unexpected++
	default:
		m.continueMainMode(now, s, d, h)
	}
}

// firstAggressive answers an initiator, once for each request, and with no more than 128 bytes above it.
func (m *Machine) firstAggressive(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	if h.Flags&isakmp.FlagEncryption != 0 || m.initiating[h.InitiatorCookie] != nil {
		m.stats.Malformed++
		return
	}
	// security.md P19, P27: only addresses that a filter covers get any answer, and only where its rule names aggressive mode.
	f := m.policy.FindMainMode(d.Local.Addr(), d.Remote.Addr())
	if f == nil {
		m.stats.Uncovered++
		return
	}
	if !f.Rule.Aggressive {
		m.stats.Unsupported++
		if m.mayComplain(now) {
			m.log(levelWarn, "a peer wants aggressive mode, which no rule for it names: it is not answered", "peer", d.Remote, "rule", f.Rule.Name)
		}
		return
	}
	cookie, err := m.cookieFor(now, d.Local, d.Remote, h.InitiatorCookie)
	if err != nil {
		return
	}
	pair := cookiePair{h.InitiatorCookie, cookie}
	if s := m.established[pair]; s != nil {
		if s.aggressive() && s.state == Negotiating && s.flight.duplicate(d.Data) {
			m.resend(&s.flight)
			return
		}
		m.stats.Replayed++
		return
	}
	d.Data = append([]byte(nil), d.Data...) // payloads are hashed later, and the memory is the caller's
	msg, err := plainMessage(d, h)
	if err != nil {
		m.stats.Malformed++
		return
	}
	s := m.newMainMode(now, m.aggressiveRule(f, d, msg), isakmp.Responder)
	s.cookies, s.local, s.remote, s.prefix = pair, d.Local, d.Remote, prefixOf(d.Remote.Addr())
	if m.takeFirst(now, s, msg) {
		m.answerAggressiveOffer(now, s, d)
	}
}

// answerAggressiveOffer computes and sends message 2, if there is room for it.
func (m *Machine) answerAggressiveOffer(now time.Time, s *mainMode, d isakmp.Datagram) {
	if !m.aggressive.spend(now, s.prefix) || !m.halfOpen.room(s.prefix) {
		m.stats.HalfOpenRefused++
		return
	}
	ps, err := s.run.Build(s)
	if err != nil {
		m.refuseUnproven(now, s, err)
		return
	}
	out, err := s.message(isakmp.Aggressive, 0, ps)
	if err != nil || len(out) > len(d.Data)+maxAmplification {
		m.stats.Refused++
		return
	}
	if old := m.aggressive.surplus(s.prefix); old != nil {
		m.stats.HalfOpenEvicted++
		m.removeSA(old)
	}
	m.halfOpen.join(s.prefix)
	m.aggressive.waiting = append(m.aggressive.waiting, s)
	m.awaitProof(now, s, d.Data, out)
}

// maxAmplification is how much longer than its request an answer to an unproven address may be, in bytes.
const maxAmplification = 128

// aggressiveRule finds, among the rules for an address pair, the one for the identity that the initiator claims; it has yet to prove it by that rule's key. Without one
// for it the first is taken, whose check of the identity will explain what is wrong.
func (m *Machine) aggressiveRule(f *policy.MainModeFilter, d isakmp.Datagram, msg *isakmp.Message) *policy.MainModeFilter {
	id, err := isakmp.ParseIdentification(msg.First(isakmp.PayloadID))
	if err != nil || len(f.Others) == 0 {
		return f
	}
	own := m.policy.FindMainModeBy(d.Local.Addr(), d.Remote.Addr(), func(o *policy.MainModeFilter) bool {
		for _, a := range o.Rule.Auth {
			if want, err := isakmp.ParseID(a.RemoteID); err == nil && id.Same(want) {
				return true
			}
		}
		return false
	})
	if own == nil {
		return f
	}
	return own
}
