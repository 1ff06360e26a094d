package ikev1

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// quickOffer is a couple with main mode done, and a first message of quick mode that host 1 has not seen.
func quickOffer(t *testing.T) (*couple, []byte) {
	t.Helper()
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	var offer []byte
	c.relay(start, func(n, to int, d isakmp.Datagram) bool {
		if n == 6 {
			offer = d.Data
		}
		return n >= 6
	})
	if offer == nil || offer[18] != byte(isakmp.QuickMode) {
		t.Fatal("no quick mode began")
	}
	return c, offer
}

// parts cuts a message into n parts.
func parts(t *testing.T, message []byte, id uint16, n int) [][]byte {
	t.Helper()
	out, err := isakmp.SplitMessage(message, id, (len(message)+n-1)/n)
	if err != nil || len(out) != n {
		t.Fatalf("%d parts, %v", len(out), err)
	}
	return out
}

// edit returns a part with another ID, number and last mark.
func edit(part []byte, id uint16, number, last byte) []byte {
	out := bytes.Clone(part)
	binary.BigEndian.PutUint16(out[32:], id)
	out[34], out[35] = number, last
	return out
}

// flip returns a part with other bytes.
func flip(part []byte) []byte {
	out := bytes.Clone(part)
	out[len(out)-1] ^= 1
	return out
}

func (c *couple) arrive(n int, list ...[]byte) {
	at := []netip.AddrPort{netip.AddrPortFrom(hostA, 500), netip.AddrPortFrom(hostB, 500)}
	for _, data := range list {
		c.m[n].Receive(start, isakmp.Datagram{Local: at[n], Remote: at[1-n], Data: bytes.Clone(data)})
	}
}

// TestP10FragmentsOfAMessage: which lists of parts make the message, and which never do.
func TestP10FragmentsOfAMessage(t *testing.T) {
	type list = [][]byte
	_, sample := quickOffer(t)
	four := parts(t, sample, 9, 4)
	wrongCookie, nested := bytes.Clone(sample), bytes.Clone(sample)
	wrongCookie[3] ^= 1
	nested[16] = byte(isakmp.PayloadFragment)
	short := bytes.Clone(sample)
	binary.BigEndian.PutUint32(short[24:], uint32(len(short)-1))
	for _, x := range []struct {
		name  string
		parts list
		whole bool
	}{
		{"in order", four, true},
		{"backwards", list{four[3], four[2], four[1], four[0]}, true},
		{"one part", parts(t, sample, 9, 1), true},
		{"each twice", list{four[0], four[0], four[1], four[1], four[2], four[2], four[3], four[3]}, true},
		{"the last one missing", four[:3], false},
		{"the first one missing", four[1:], false},
		{"number 0 among them", list{four[0], edit(four[1], 9, 0, 0), four[1], four[2], four[3]}, true},
		{"number 0 in the place of one", list{edit(four[0], 9, 0, 0), four[1], four[2], four[3]}, false},
		{"a number above the last", list{four[0], four[1], four[3], edit(four[0], 9, 9, 0), four[2]}, false},
		{"a last one below a number", list{edit(four[0], 9, 9, 0), four[0], four[1], four[2], four[3]}, false},
		{"two last ones", list{four[0], four[3], edit(four[2], 9, 3, 1), four[1]}, false},
		{"the last mark taken back", list{four[0], four[1], four[3], edit(four[3], 9, 4, 0), four[2]}, false},
		{"the same number with other bytes", list{four[0], four[1], flip(four[1]), four[2], four[3]}, false},
		{"other bytes, then all again", list{flip(four[0]), four[1], four[0], four[1], four[2], four[3]}, true},
		{"an unfinished message under the same ID before", append(list{flip(four[0]), flip(four[1])}, four...), true},
		{"an unknown flag", list{four[0], edit(four[1], 9, 2, 2), four[2], four[3]}, false},
		{"two messages interleaved", list{four[0], edit(four[1], 8, 2, 0), four[1], edit(four[2], 8, 3, 0), four[2], four[3]}, true},
		{"four messages interleaved", list{edit(four[1], 1, 2, 0), edit(four[1], 2, 2, 0), edit(four[1], 3, 2, 0), four[0], four[1], four[2], four[3]}, true},
		{"pushed out by four others", list{four[0], edit(four[1], 1, 2, 0), edit(four[1], 2, 2, 0), edit(four[1], 3, 2, 0), edit(four[1], 4, 2, 0), four[1], four[2], four[3]}, false},
		{"parts under different IDs", list{four[0], edit(four[1], 8, 2, 0), four[2], four[3]}, false},
		{"another cookie inside", withCookie(parts(t, wrongCookie, 9, 4), sample), false},
		{"a fragment of fragments", parts(t, nested, 9, 4), false},
		{"a length inside that is wrong", lengthens(t, sample), false},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, offer := quickOffer(t)
			// The couple is made of the same randomness each time.
			if !bytes.Equal(offer, sample) {
				t.Fatal("the offers differ")
			}
			c.arrive(1, x.parts...)
			if got := len(c.m[1].children); got != map[bool]int{true: 1}[x.whole] {
				t.Errorf("%d children; %+v", got, c.m[1].stats)
			}
			c.m[1].Advance(start.Add(fragmentLife))
			if f := &c.m[1].fragments; len(f.byPair) != 0 || f.proven.held != 0 || len(f.proven.partials)+len(f.proven.prefixes) != 0 {
				t.Errorf("after %v something is kept: %+v", fragmentLife, f)
			}
			if x.whole == (c.m[1].stats.FragmentsDropped+c.m[1].stats.Malformed == 0) || x.whole {
				return
			}
			t.Errorf("nothing was counted: %+v", c.m[1].stats)
		})
	}
}

// withCookie gives parts the header cookies of a message.
func withCookie(parts [][]byte, of []byte) [][]byte {
	for _, p := range parts {
		copy(p[:16], of[:16])
	}
	return parts
}

// lengthens makes parts of a message whose header says one byte less than there are.
func lengthens(t *testing.T, message []byte) [][]byte {
	out := parts(t, message, 9, 4)
	out[0][isakmp.FragmentOverhead+27]--
	return out
}

// TestP10FragmentLimits: what one SA and all of them may have in unfinished messages, before and after the proof.
func TestP10FragmentLimits(t *testing.T) {
	c, offer := quickOffer(t)
	m := c.m[1]
	h, err := isakmp.ParseHeader(offer)
	if err != nil {
		t.Fatal(err)
	}
	part := func(id uint16, number uint8) isakmp.Fragment {
		return isakmp.Fragment{ID: id, Number: number, Data: make([]byte, 1400)}
	}
	for id := range 1000 {
		for number := range 250 {
			m.keepFragment(start, pairOf(h), true, prefixOf(hostA), 7, part(uint16(id%6), uint8(number+1)))
		}
	}
	if held := m.fragments.heldBy(pairOf(h)); held > maxProvenMessage || m.fragments.proven.held != held {
		t.Errorf("one SA holds %d bytes, the pool %d", held, m.fragments.proven.held)
	}
	// Many who have not proved themselves, most of them from one network: they push out each other, and the one from elsewhere gets through.
	honest := cookiePair{isakmp.Cookie{0xff}, isakmp.Cookie{1}}
	if early := m.keepFragment(start, honest, false, prefixOf(netip.MustParseAddr("198.51.100.1")), 0, part(1, 1)); early != nil {
		t.Errorf("half a message is one of %d bytes", len(early))
	}
	for i := range 5000 {
		pair := cookiePair{isakmp.Cookie{byte(i), byte(i >> 8)}, isakmp.Cookie{2}}
		for number := range uint8(20) {
			m.keepFragment(start, pair, false, prefixOf(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})), 0, part(1, number+1))
		}
		if held := m.fragments.unproven.held; held > maxUnprovenFragments {
			t.Fatalf("%d bytes are held", held)
		}
	}
	last := part(1, 2)
	last.Last = true
	if message := m.keepFragment(start, honest, false, prefixOf(netip.MustParseAddr("198.51.100.1")), 0, last); len(message) != 2800 {
		t.Errorf("the honest one's message has %d bytes", len(message))
	}
	if m.fragments.unproven.held < maxUnprovenFragments/2 {
		t.Error("the pool was not filled")
	}
	m.Advance(start.Add(fragmentLife))
	if len(m.fragments.byPair) != 0 || m.fragments.proven.held+m.fragments.unproven.held != 0 {
		t.Errorf("%d are left", len(m.fragments.byPair))
	}
}

// TestP10WhoseFragmentsAreKept: an SA's peer, an attempt's, and who has returned our cookie; nobody else's, and none where the rule says off.
func TestP10WhoseFragmentsAreKept(t *testing.T) {
	held := func(m *Machine) int { return len(m.fragments.byPair) }
	message := func(c *couple, n int, data []byte) { c.arrive(n, parts(t, data, 1, 3)[:2]...) }
	t.Run("a half-open entry whose cookie came back", func(t *testing.T) {
		c := newCouple(t, suite.GroupNone)
		c.want(0)
		c.relay(start, func(n, to int, d isakmp.Datagram) bool {
			if n == 2 {
				bad := bytes.Clone(d.Data)
				bad[9] ^= 1
				if message(c, 1, bad); held(c.m[1]) != 0 {
					t.Error("a part with another cookie is kept")
				}
				c.m[1].Receive(start, isakmp.Datagram{Local: d.Local, Remote: netip.AddrPortFrom(hostA, 501), Data: parts(t, d.Data, 1, 3)[0]})
				if held(c.m[1]) != 0 {
					t.Error("a part from another port is kept")
				}
				c.arrive(1, parts(t, d.Data, 1, 3)...)
				return true
			}
			return false
		})
		if len(c.m[1].children) != 1 {
			t.Errorf("message 3 in parts came to nothing: %+v", c.m[1].stats)
		}
	})
	t.Run("an attempt of one's own", func(t *testing.T) {
		c := newCouple(t, suite.GroupNone)
		c.want(0)
		c.relay(start, func(n, to int, d isakmp.Datagram) bool {
			if n == 1 {
				c.m[0].Receive(start, isakmp.Datagram{Local: d.Local, Remote: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.9"), 500), Data: parts(t, d.Data, 1, 3)[0]})
				if held(c.m[0]) != 0 {
					t.Error("a part from another address is kept")
				}
				c.arrive(0, parts(t, d.Data, 1, 3)...)
			}
			return n == 1
		})
		if len(c.m[0].children) != 1 {
			t.Errorf("message 2 in parts came to nothing: %+v", c.m[0].stats)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		c, offer := quickOffer(t)
		offer[2] ^= 1
		if message(c, 1, offer); held(c.m[1]) != 0 || c.m[1].stats.Unknown == 0 {
			t.Errorf("%d are held", held(c.m[1]))
		}
	})
	t.Run("a rule that says off", func(t *testing.T) {
		c, offer := quickOffer(t)
		rule := *c.sa(1).rule
		rule.Peer.FragmentSize = -1
		c.sa(1).rule = &rule
		if message(c, 1, offer); held(c.m[1]) != 0 {
			t.Errorf("%d are held", held(c.m[1]))
		}
	})
}

// TestFragmentsFillTheHolesOfTheFirstTry: a repetition is cut as the first try was, so that what came of either makes a whole; after two in vain an IPv4 path is
// asked for less at a time.
func TestFragmentsFillTheHolesOfTheFirstTry(t *testing.T) {
	c, _ := quickOffer(t)
	s := c.sa(0)
	if !s.frags {
		t.Fatal("the peer's vendor ID was not seen")
	}
	h := isakmp.Header{InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder, Version: isakmp.Version1, Exchange: isakmp.QuickMode, Flags: isakmp.FlagEncryption}
	rng := rand.NewChaCha8([32]byte{})
	body := make([]byte, 3000)
	_, _ = rng.Read(body)
	d := isakmp.Datagram{Local: s.local, Remote: s.remote, Data: withHeader(h, body)}
	first, second, third := c.m[0].inParts(d, 0), c.m[0].inParts(d, 1), c.m[0].inParts(d, 2)
	if len(first) != 3 || fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("%d and %d parts, or different ones", len(first), len(second))
	}
	for size, list := range map[int][][]byte{1280: first, 576: third} {
		for _, p := range list {
			if ip := len(p) + 20 + 8; ip > size {
				t.Errorf("an IPv4 datagram of %d bytes", ip)
			}
		}
	}
	if bytes.Equal(first[0][32:34], third[0][32:34]) {
		t.Error("parts of different sizes have the same ID")
	}
	d.Data = withHeader(h, body[:1000])
	if n := len(c.m[0].inParts(d, 0)); n != 1 {
		t.Errorf("a message of 1028 bytes goes in %d parts", n)
	}
	d.Remote = netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), 500)
	d.Data = withHeader(h, body)
	if n, m := len(c.m[0].inParts(d, 0)), len(c.m[0].inParts(d, 4)); n != 3 || n != m {
		t.Errorf("%d and %d parts over IPv6", n, m)
	}
	s.frags = false
	if n := len(c.m[0].inParts(d, 0)); n != 1 {
		t.Errorf("%d parts for a peer that did not ask for any", n)
	}
}

// FuzzFragments gives a responder with an SA lists of parts: each is two bytes of ID and number, one of marks, one of length, and bytes. Whatever comes, the books
// balance, nothing is kept for long, and only a message that was sent is ever joined.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 'a', 'b', 0, 2, 1, 1, 'c', 1, 1, 1, 3, 'd', 'e', 'f'})
	f.Add([]byte{0, 2, 1, 1, 'x', 0, 1, 0, 1, 'y', 0, 3, 0, 1, 'z', 0, 2, 1, 1, 'w'})
	f.Fuzz(func(t *testing.T, script []byte) {
		c := newCouple(t, suite.GroupNone)
		m := c.m[1]
		pair := cookiePair{isakmp.Cookie{1}, isakmp.Cookie{2}}
		sent := map[uint16]map[uint8][][]byte{}
		for now := start; len(script) >= 4; now = now.Add(time.Millisecond) {
			x := isakmp.Fragment{ID: uint16(script[0] % 8), Number: max(1, script[1]%32), Last: script[2]&1 != 0}
			n := min(max(1, int(script[3])), len(script)-4)
			x.Data, script = script[4:4+n], script[4+n:]
			if n == 0 {
				break
			}
			if sent[x.ID] == nil {
				sent[x.ID] = map[uint8][][]byte{}
			}
			sent[x.ID][x.Number] = append(sent[x.ID][x.Number], x.Data)
			message := m.keepFragment(now, pair, script != nil && len(script)%2 == 0, prefixOf(hostA), 0, x)
			if message != nil && !made(message, sent[x.ID]) {
				t.Errorf("%q was never sent", message)
			}
		}
		for _, pool := range []*fragmentPool{&m.fragments.proven, &m.fragments.unproven} {
			held := 0
			for _, p := range pool.partials {
				held += p.cost
			}
			if held != pool.held || pool.prefixes[prefixOf(hostA)] != held {
				t.Errorf("%d bytes are held, %d in the books", held, pool.held)
			}
		}
		if len(m.fragments.byPair[pair]) > maxPartials {
			t.Errorf("%d messages", len(m.fragments.byPair[pair]))
		}
		m.Advance(start.Add(time.Hour))
		if len(m.fragments.byPair) != 0 {
			t.Error("something is left")
		}
	})
}

// made reports whether a message can be put together of parts with the numbers from 1 up.
func made(message []byte, sent map[uint8][][]byte) bool {
	reached := map[int]bool{0: true} // lengths that the parts so far can make
	for n := uint8(1); len(reached) > 0; n++ {
		next := map[int]bool{}
		for at := range reached {
			for _, part := range sent[n] {
				if bytes.HasPrefix(message[at:], part) {
					next[at+len(part)] = true
				}
			}
		}
		if reached = next; reached[len(message)] {
			return true
		}
	}
	return false
}
