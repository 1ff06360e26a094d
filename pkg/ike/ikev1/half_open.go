package ikev1

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// halfOpen is what a responder keeps of an initiator that has not returned our cookie: nothing that costs (security.md P16, P34).
type halfOpen struct {
	cookies       cookiePair
	local, remote netip.AddrPort
	sa            []byte // SAi_b
	chosen        phase1Suite
	meaning       string // of the main-mode filter that it was chosen under
	bad           int    // third messages that came to nothing
	natt, dpd     bool   // the peer's vendor IDs
	frags, queues bool
	expires       time.Time
	prefix        netip.Prefix
	seq           uint64
}

const (
	halfOpenLife = 30 * time.Second
	// maxOfferedSA bounds SAi_b, and with it the table: a real offer has a few hundred bytes.
	maxOfferedSA  = 8 << 10
	secretLife    = 60 * time.Second
	prefixBitsIP4 = 24
	prefixBitsIP6 = 48
)

// halfOpenTable holds half-open responders, capped in total and for each source prefix. When a cap is reached the oldest entry of the
// fullest prefix (that of the new one, if its own cap is reached) makes room: a flood from one place pushes out itself.
type halfOpenTable struct {
	max, perPrefix int
	entries        map[cookiePair]*halfOpen
	prefixes       map[netip.Prefix][]*halfOpen // oldest first; also counts of those that went on to message 3
	going          map[netip.Prefix]int         // unauthenticated responders past message 3
	total          int
	seq            uint64
	sweep          alarm

	secret, previous [32]byte
	secretUntil      time.Time
}

func (t *halfOpenTable) init(max, perPrefix int) {
	t.max, t.perPrefix = max, perPrefix
	t.entries, t.prefixes, t.going = map[cookiePair]*halfOpen{}, map[netip.Prefix][]*halfOpen{}, map[netip.Prefix]int{}
}

func prefixOf(a netip.Addr) netip.Prefix {
	bits := prefixBitsIP6
	if a.Is4() {
		bits = prefixBitsIP4
	}
	p, _ := a.Prefix(bits)
	return p
}

// responderCookie is a keyed hash of what names the initiator: its address, port and cookie (RFC 2408 §2.5.3). It is computed again when
// message 3 brings it back; the secret changes every minute and the one before is accepted.
func responderCookie(secret *[32]byte, local, remote netip.AddrPort, initiator isakmp.Cookie) (c isakmp.Cookie) {
	h := hmac.New(sha256.New, secret[:])
	for _, a := range []netip.AddrPort{remote, local} {
		b := a.Addr().As16()
		h.Write(b[:])
		h.Write(binary.BigEndian.AppendUint16(nil, a.Port()))
	}
	h.Write(initiator[:])
	copy(c[:], h.Sum(nil))
	return c
}

// cookieFor is the cookie to give to an initiator now.
func (m *Machine) cookieFor(now time.Time, local, remote netip.AddrPort, initiator isakmp.Cookie) (isakmp.Cookie, error) {
	t := &m.halfOpen
	if !now.Before(t.secretUntil) {
		var fresh [32]byte
		if err := m.random(fresh[:]); err != nil {
			return isakmp.Cookie{}, err
		}
		t.previous, t.secret, t.secretUntil = t.secret, fresh, now.Add(secretLife)
	}
	return responderCookie(&t.secret, local, remote, initiator), nil
}

// genuine reports whether the cookie of e is ours for its addresses.
func (t *halfOpenTable) genuine(e *halfOpen) bool {
	return e.cookies.responder == responderCookie(&t.secret, e.local, e.remote, e.cookies.initiator) ||
		e.cookies.responder == responderCookie(&t.previous, e.local, e.remote, e.cookies.initiator)
}

// add makes room and stores e; it reports false if those past message 3 leave no room.
func (m *Machine) addHalfOpen(now time.Time, e *halfOpen) bool {
	t := &m.halfOpen
	e.prefix = prefixOf(e.remote.Addr())
	list := t.prefixes[e.prefix]
	switch {
	case !t.room(e.prefix):
		m.stats.HalfOpenRefused++
		return false
	case len(list)+t.going[e.prefix] >= t.perPrefix:
		t.remove(list[0])
		m.stats.HalfOpenEvicted++
	case t.total >= t.max:
		t.remove(t.fullest())
		m.stats.HalfOpenEvicted++
	}
	t.seq++
	e.seq, e.expires = t.seq, now.Add(halfOpenLife)
	t.entries[e.cookies] = e
	t.prefixes[e.prefix] = append(t.prefixes[e.prefix], e)
	t.total++
	if t.sweep.pos == 0 {
		t.sweep.ring = func(now time.Time) { m.sweepHalfOpen(now) }
		m.alarms.set(&t.sweep, e.expires)
	}
	return true
}

// fullest is the oldest entry of the prefix with most entries.
func (t *halfOpenTable) fullest() *halfOpen {
	var pick *halfOpen
	most := 0
	for _, list := range t.prefixes {
		if len(list) > most || len(list) == most && pick != nil && list[0].seq < pick.seq {
			most, pick = len(list), list[0]
		}
	}
	return pick
}

func (t *halfOpenTable) remove(e *halfOpen) {
	if t.entries[e.cookies] != e {
		return
	}
	delete(t.entries, e.cookies)
	t.total--
	list := t.prefixes[e.prefix]
	for i := range list {
		if list[i] == e {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if t.prefixes[e.prefix] = list; len(list) == 0 {
		delete(t.prefixes, e.prefix)
	}
}

// promote turns an entry into a responder past message 3, which still counts until it is authenticated or gone.
func (t *halfOpenTable) promote(e *halfOpen) {
	t.remove(e)
	t.join(e.prefix)
}

// room reports whether one more responder past message 3 has a place, and join counts it.
func (t *halfOpenTable) room(prefix netip.Prefix) bool {
	return t.going[prefix] < t.perPrefix && t.total-len(t.entries) < t.max
}

func (t *halfOpenTable) join(prefix netip.Prefix) {
	t.total++
	t.going[prefix]++
}

// settled takes a responder past message 3 out of the count.
func (t *halfOpenTable) settled(prefix netip.Prefix) {
	t.total--
	if t.going[prefix]--; t.going[prefix] == 0 {
		delete(t.going, prefix)
	}
}

func (m *Machine) sweepHalfOpen(now time.Time) {
	t := &m.halfOpen
	var next time.Time
	for _, e := range t.entries {
		if !e.expires.After(now) {
			t.remove(e)
		} else if next.IsZero() || e.expires.Before(next) {
			next = e.expires
		}
	}
	m.alarms.set(&t.sweep, next)
}
