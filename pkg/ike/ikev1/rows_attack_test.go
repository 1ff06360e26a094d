package ikev1

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Rows about strangers.

// TestP11MessagesForNobody sends every kind of message for SAs that never were and for one that is gone: no answer, no state.
func TestP11MessagesForNobody(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	var seen []isakmp.Datagram
	c.relay(start, func(_, to int, d isakmp.Datagram) bool {
		if to == 1 {
			seen = append(seen, d)
		}
		return false
	})
	c.inject(0, isakmp.Informational, 50, isakmp.PayloadNotify, nil) // nothing in it
	fresh := newCouple(t, suite.GroupNone)
	send := func(m *Machine, d isakmp.Datagram) {
		m.Receive(start.Add(11*time.Hour), d)
		if ev, ok := m.Next(); ok {
			t.Errorf("%T in answer to a message for nobody", ev)
		}
	}
	for _, m := range c.m { // every SA is gone
		m.Close(start)
		for _, ok := m.Next(); ok; _, ok = m.Next() {
		}
	}
	for _, d := range seen {
		h, _ := isakmp.ParseHeader(d.Data)
		if h.ResponderCookie == (isakmp.Cookie{}) {
			continue // a first message is for whom it reaches
		}
		for x := range 256 {
			for _, flags := range []byte{0, 1, 2, 4, 7, 0xff} {
				d.Data = bytes.Clone(d.Data)
				d.Data[18], d.Data[19] = byte(x), flags
				send(c.m[1], d)
				send(fresh.m[1], d)
			}
		}
	}
	for _, m := range []*Machine{c.m[1], fresh.m[1]} {
		if st := m.Stats(); st.HalfOpen+st.MainModes+st.Children+st.Peers != 0 {
			t.Errorf("%+v", st)
		}
	}
}

// TestP15RepliesHoldOnlyTheRequest: what one peer sent is never in the reply to another, however it inflates its attributes.
func TestP15RepliesHoldOnlyTheRequest(t *testing.T) {
	canary := bytes.Repeat([]byte("canary!!"), 30)
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	ev, _ := c.m[0].Next()
	honest := ev.(isakmp.Transmit).Data
	h, _ := isakmp.ParseHeader(honest)
	ps, err := isakmp.ParsePayloads(h.NextPayload, honest[isakmp.HeaderLen:], false)
	if err != nil {
		t.Fatal(err)
	}
	reply := func(m *Machine, from string, data []byte) []byte {
		m.Receive(start, isakmp.Datagram{Local: netip.AddrPortFrom(hostB, 500), Remote: netip.MustParseAddrPort(from), Data: data})
		var out []byte
		for ev, ok := m.Next(); ok; ev, ok = m.Next() {
			if tx, ok := ev.(isakmp.Transmit); ok {
				out = tx.Data
			}
		}
		return out
	}
	for size := 1; size <= len(canary); size += 13 {
		sa, err := isakmp.ParseSA(ps[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		tr := &sa.Proposals[0].Transforms[0]
		tr.Attributes = append(tr.Attributes[:len(tr.Attributes)-1:len(tr.Attributes)-1], isakmp.Attribute{Type: attrLifeDuration, Value: canary[:min(size, 8)]})
		odd := opened{h: h}.write(t, []isakmp.Payload{{Type: isakmp.PayloadSA, Body: sa.Append(nil)}, {Type: isakmp.PayloadVendor, Body: canary[:size]}})
		odd[0] ^= 0x55
		clean, dirty := newCouple(t, suite.GroupNone).m[1], newCouple(t, suite.GroupNone).m[1]
		if out := reply(dirty, "192.0.2.1:777", odd); len(out) > len(odd)+128 {
			t.Fatalf("%d bytes for %d", len(out), len(odd))
		}
		a, b := reply(clean, "192.0.2.1:500", honest), reply(dirty, "192.0.2.1:500", honest)
		if len(a) == 0 || !bytes.Equal(a[16:], b[16:]) {
			t.Fatalf("the reply depends on what another peer sent:\n%x\n%x", a, b)
		}
		if bytes.Contains(b, canary[:8]) {
			t.Fatal("another peer's bytes are in a reply")
		}
	}
}

// TestP32WrongHash: informational messages under the right key but with a wrong or missing hash, and such in the clear, do nothing.
func TestP32WrongHash(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	s := c.sa(1)
	var child *child
	for _, child = range c.m[1].children {
	}
	spi := be32(child.sa.Protocols[0].SPIOut)
	note := func(kind isakmp.NotifyType) isakmp.Payload {
		return isakmp.Payload{Type: isakmp.PayloadNotify, Body: isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoISAKMP, Type: kind,
			SPI: isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder), Data: []byte{0, 0, 0, 1}}.Append(nil)}
	}
	id := uint32(7000)
	for _, p := range []isakmp.Payload{
		{Type: isakmp.PayloadDelete, Body: isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoESP, SPIs: [][]byte{spi}}.Append(nil)},
		{Type: isakmp.PayloadDelete, Body: isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoISAKMP, SPIs: [][]byte{isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder)}}.Append(nil)},
		note(isakmp.InitialContact), note(isakmp.AuthenticationFailed), note(isakmp.NoProposalChosen), note(isakmp.DPDRequest), note(isakmp.InvalidCookie),
	} {
		for kind := range 4 {
			id++
			o := opened{h: isakmp.Header{InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder, Version: isakmp.Version1,
				Exchange: isakmp.Informational, Flags: isakmp.FlagEncryption, MessageID: id}, s: s, iv: s.firstIV(id)}
			size := s.suite.hash.Size()
			var data []byte
			switch kind {
			case 0: // no hash at all
				data = o.write(t, []isakmp.Payload{p})
			case 1: // a hash of zeros
				o.h.MessageID = 0
				data = o.write(t, []isakmp.Payload{{Type: isakmp.PayloadHash, Body: make([]byte, size)}, p})
				data = append([]byte(nil), data...)
				copy(data[20:], be32(id))
			case 2: // a hash cut short
				data = o.write(t, []isakmp.Payload{p, {Type: isakmp.PayloadHash, Body: make([]byte, 4)}})
			case 3: // in the clear
				o.s, o.h.Flags = nil, 0
				data = o.write(t, []isakmp.Payload{{Type: isakmp.PayloadHash, Body: make([]byte, size)}, p})
			}
			c.m[1].Receive(start, isakmp.Datagram{Local: s.local, Remote: s.remote, Data: data})
			if ev, ok := c.m[1].Next(); ok {
				t.Errorf("payload %v, kind %d: %T", p.Type, kind, ev)
			}
		}
	}
	if st := c.m[1].Stats(); st.Children != 1 || st.MainModes != 1 || st.BadProofs+st.Malformed+st.Unauthenticated < 28 || child.gone || s.state != Established {
		t.Errorf("%+v", st)
	}
}

// TestP12KeysAreNoProof: whoever has got as far as keys, and has not proved who he is, is not obeyed.
func TestP12KeysAreNoProof(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	old := c.sa(1)
	var child *child
	for _, child = range c.m[1].children {
	}
	if err := c.m[0].Rekey(start, c.sa(0).id); err != nil {
		t.Fatal(err)
	}
	c.relay(start, func(n, _ int, _ isakmp.Datagram) bool { return n >= 4 }) // message 5 is lost
	var s *mainMode
	for _, o := range c.m[1].established {
		if o != old {
			s = o
		}
	}
	if s == nil || s.cipher == nil || s.state != Negotiating {
		t.Fatal("there is no responder with keys and without a proof")
	}
	note := isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoISAKMP, Type: isakmp.InitialContact, SPI: isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder)}
	for i, p := range []isakmp.Payload{
		{Type: isakmp.PayloadNotify, Body: note.Append(nil)},
		{Type: isakmp.PayloadDelete, Body: isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoESP, SPIs: [][]byte{be32(child.sa.Protocols[0].SPIOut)}}.Append(nil)},
		{Type: isakmp.PayloadDelete, Body: isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoISAKMP, SPIs: [][]byte{isakmp.CookieSPI(old.cookies.initiator, old.cookies.responder)}}.Append(nil)},
	} {
		for _, x := range []isakmp.ExchangeType{isakmp.Informational, isakmp.QuickMode} {
			id := uint32(500 + i)
			o := opened{h: isakmp.Header{InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder, Version: isakmp.Version1, Exchange: x,
				Flags: isakmp.FlagEncryption, MessageID: id}, s: s, iv: s.firstIV(id)}
			data := o.write(t, []isakmp.Payload{{Type: isakmp.PayloadHash, Body: make([]byte, s.suite.hash.Size())}, p})
			c.m[1].Receive(start, isakmp.Datagram{Local: s.local, Remote: s.remote, Data: data})
			if ev, ok := c.m[1].Next(); ok {
				t.Errorf("%v with payload %v: %T", x, p.Type, ev)
			}
		}
	}
	if child.gone || !old.state.obeys() || s.state != Negotiating || c.m[1].stats.Unexpected != 6 {
		t.Errorf("%+v", c.m[1].stats)
	}
}

// TestP35Duplicates: the same request gets the same bytes or silence, and is done once; other bytes under its message ID are not done.
func TestP35Duplicates(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	answers := map[string][]byte{}
	var last []byte
	again := 0
	c.relay(start, func(_, to int, d isakmp.Datagram) bool {
		if to == 0 {
			if last != nil {
				answers[string(last)] = d.Data
			}
			return false
		}
		if len(last) > 0 { // what came before, once more, and changed
			m := c.m[1]
			held := m.events
			m.events = nil
			o := d
			o.Data = bytes.Clone(last)
			m.Receive(start, o)
			for ev, ok := m.Next(); ok; ev, ok = m.Next() {
				if tx, ok := ev.(isakmp.Transmit); ok {
					again++
					if !bytes.Equal(tx.Data, answers[string(last)]) {
						t.Errorf("another answer to the same request:\n%x\n%x", tx.Data, answers[string(last)])
					}
				}
			}
			m.events = held
		}
		last = d.Data
		return false
	})
	if again < 3 {
		t.Errorf("only %d duplicates were answered", again)
	}
	// Quick mode message 1 with another content under a used message ID.
	s := seeds(t)[0]
	c.inject(1, isakmp.QuickMode, 5, isakmp.PayloadType(s[1]), s[4:])
	before, replayed := len(c.m[1].children), c.m[1].stats.Replayed+c.m[1].stats.BadProofs+c.m[1].stats.Malformed
	c.m[1].events = nil
	o := bytes.Clone(s[4:])
	o[len(o)-1] ^= 1
	delete(c.sa(1).phase2, 5) // as when the exchange was forgotten: its ID is not
	c.inject(1, isakmp.QuickMode, 5, isakmp.PayloadType(s[1]), o)
	if ev, ok := c.m[1].Next(); ok || len(c.m[1].children) != before || c.m[1].stats.Replayed+c.m[1].stats.BadProofs+c.m[1].stats.Malformed != replayed+1 {
		t.Errorf("a used message ID was used again: %T, %d children, %d before", ev, len(c.m[1].children), before)
	}
}

// TestP4P5KeyExchangeValues puts bad public values, of a wrong length or of small order, into each message that carries one: no keys come of it.
func TestP4P5KeyExchangeValues(t *testing.T) {
	low, _ := hex.DecodeString("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
	one := append([]byte{1}, make([]byte, 31)...)
	for _, value := range [][]byte{make([]byte, 32), one, low, bytes.Repeat([]byte{0xff}, 32)[:31], make([]byte, 33), make([]byte, 256), {9}} {
		for _, message := range []int{2, 3, 6, 7} { // messages 3 and 4 of main mode, 1 and 2 of quick mode with PFS
			c := newCouple(t, suite.Curve25519)
			c.want(0)
			to := -1
			c.relay(start, func(n, at int, d isakmp.Datagram) bool {
				if n != message {
					return n > message
				}
				o := c.open(at, d)
				var ps []isakmp.Payload
				for _, p := range o.ps {
					if p.Type == isakmp.PayloadKE {
						p.Body, to = value, at
					}
					ps = append(ps, p)
				}
				c.m[at].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: o.write(t, ps)})
				return true
			})
			if to < 0 {
				t.Fatalf("message %d has no key exchange value", message)
			}
			for _, s := range c.m[to].established {
				if message < 6 && (s.state != Negotiating || s.cipher != nil) {
					t.Errorf("message %d, %x: %v, keys %v", message, value, s.state, s.cipher != nil)
				}
			}
			if len(c.m[to].children) != 0 {
				t.Errorf("message %d, %x: a child", message, value)
			}
			c.untilQuiet()
		}
	}
}
