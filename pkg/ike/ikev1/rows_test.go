package ikev1

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Rows of the security catalogue that need the live keys, or a look at what a machine keeps.

// relay lets datagrams arrive at once until all is quiet; tap may take one out (and send another in its place).
func (c *couple) relay(now time.Time, tap func(n, to int, d isakmp.Datagram) bool) {
	sent := 0
	for again := true; again && sent < 500; {
		again = false
		for n, m := range c.m {
			for ev, ok := m.Next(); ok; ev, ok = m.Next() {
				switch ev := ev.(type) {
				case isakmp.Transmit:
					d := isakmp.Datagram{Local: ev.Remote, Remote: ev.Local, Data: bytes.Clone(ev.Data)}
					if tap == nil || !tap(sent, 1-n, d) {
						c.m[1-n].Receive(now, d)
					}
					sent++
					again = true
				case isakmp.Ask:
					if c.vouch[n] {
						m.Answer(now, ev.ID, isakmp.Verdict{})
						again = true
					}
				case isakmp.SPIReleased:
					c.spis[n] -= len(ev.SPIs)
				case isakmp.ChildDown:
					c.spis[n]--
				}
			}
		}
	}
}

// opened is a message as its receiver is about to read it.
type opened struct {
	h  isakmp.Header
	s  *mainMode // nil for what comes in the clear
	iv []byte
	ps []isakmp.Payload
	q  *quickMode
}

// open reads a datagram with the receiver's keys, without any effect.
func (c *couple) open(to int, d isakmp.Datagram) opened {
	c.tb.Helper()
	h, err := isakmp.ParseHeader(d.Data)
	if err != nil {
		c.tb.Fatal(err)
	}
	o := opened{h: h}
	body := d.Data[isakmp.HeaderLen:]
	encrypted := h.Flags&isakmp.FlagEncryption != 0
	if encrypted {
		o.s = c.m[to].established[pairOf(h)]
		o.iv = o.s.iv
		if h.MessageID != 0 {
			o.iv = o.s.firstIV(h.MessageID)
			if o.q = o.s.phase2[h.MessageID]; o.q != nil {
				o.iv = o.q.iv
			}
		}
		if body, _, err = o.s.cipher.open(body, o.iv); err != nil {
			c.tb.Fatal(err)
		}
	}
	if o.ps, err = isakmp.ParsePayloads(h.NextPayload, body, encrypted); err != nil {
		c.tb.Fatal(err)
	}
	return o
}

// write makes the message again with other payloads, its hash right.
func (o opened) write(tb testing.TB, ps []isakmp.Payload) []byte {
	tb.Helper()
	body, err := isakmp.AppendPayloads(nil, ps)
	if err != nil {
		tb.Fatal(err)
	}
	h := o.h
	h.NextPayload = isakmp.FirstType(ps)
	if o.s == nil {
		return withHeader(h, body)
	}
	if h.MessageID != 0 && len(ps) > 0 && ps[0].Type == isakmp.PayloadHash {
		size := o.s.suite.hash.Size()
		rest := body[4+size:]
		sum := hash12(o.s.suite.hash, o.s.keys.auth, h.MessageID, nil, rest)
		if o.q != nil {
			sum = o.q.hash(o.q.run.At, rest)
		}
		copy(body[4:], sum)
	}
	body, _ = o.s.cipher.seal(body, o.iv)
	return withHeader(h, body)
}

// untilQuiet lets time pass from deadline to deadline until nothing is left, and expects clean books.
func (c *couple) untilQuiet() {
	c.tb.Helper()
	now := start
	for range 5000 {
		c.relay(now, nil)
		next := now.Add(1000 * time.Hour)
		for _, m := range c.m {
			if d := m.Deadline(); !d.IsZero() && d.Before(next) {
				next = d
			}
		}
		if next == now.Add(1000*time.Hour) {
			break
		}
		if next.After(now) {
			now = next
		}
		for _, m := range c.m {
			m.Advance(now)
		}
	}
	for n, m := range c.m {
		if st := m.Stats(); st.Children+st.MainModes+st.HalfOpen != 0 || len(m.outbound) != 0 || c.spis[n] != 0 {
			c.tb.Errorf("host %d after %v: %+v, %d by SPI, %d SPIs", n, now.Sub(start), st, len(m.outbound), c.spis[n])
		}
	}
}

func single(t isakmp.PayloadType) bool {
	return t != isakmp.PayloadVendor && t != isakmp.PayloadNATD && t != isakmp.PayloadNotify
}

// TestP2MandatoryPayloadsMissingOrTwice takes each payload out of each message of main and quick mode, or puts it in twice, with live keys and a
// right hash: the receiver does not go on with such a message, and nothing is left of it.
func TestP2MandatoryPayloadsMissingOrTwice(t *testing.T) {
	runs := 0
	for message := range 9 {
		count := 0
		intact := newCouple(t, suite.Curve25519)
		intact.want(0)
		intact.relay(start, func(n, to int, d isakmp.Datagram) bool {
			if n == message {
				count = len(intact.open(to, d).ps)
			}
			return false
		})
		for at := range count {
			for _, twice := range []bool{false, true} {
				c := newCouple(t, suite.Curve25519)
				c.want(0)
				var what isakmp.PayloadType
				skip := false
				c.relay(start, func(n, to int, d isakmp.Datagram) bool {
					if n != message {
						return n > message
					}
					o := c.open(to, d)
					ps := append([]isakmp.Payload(nil), o.ps[:at]...)
					if what = o.ps[at].Type; twice {
						ps = append(ps, o.ps[at], o.ps[at])
					}
					ps = append(ps, o.ps[at+1:]...)
					if skip = !single(what); skip || len(ps) == 0 {
						return true
					}
					c.m[to].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: o.write(t, ps)})
					return true
				})
				if skip {
					continue
				}
				runs++
				name := fmt.Sprintf("message %d, payload %d of type %v, twice %v", message+1, at, what, twice)
				to := 1 - message%2
				if message >= 6 { // quick mode begins with the initiator again
					to = 1 - (message-6)%2
				}
				m := c.m[to]
				for _, s := range m.established {
					if s.state == Established && message < 6 {
						t.Errorf("%s: main mode was established", name)
					}
				}
				for _, ch := range m.children {
					if ch.up || message < 8 {
						t.Errorf("%s: a child came of it", name)
					}
				}
				c.untilQuiet()
			}
		}
	}
	if runs < 40 {
		t.Errorf("only %d damaged messages", runs)
	}
}

// TestP3EveryPayloadTypeFirst says of good messages that they begin with each of the 256 payload types, in the clear and with live keys.
func TestP3EveryPayloadTypeFirst(t *testing.T) {
	for kind := range 256 {
		c := newCouple(t, suite.GroupNone)
		c.want(0)
		c.relay(start, func(n, to int, d isakmp.Datagram) bool {
			if n%2 == 0 || n == 1 {
				bad := bytes.Clone(d.Data)
				bad[16] = byte(kind)
				if h, _ := isakmp.ParseHeader(d.Data); h.NextPayload != isakmp.PayloadType(kind) && h.Flags&isakmp.FlagEncryption == 0 {
					c.m[to].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: bad})
				}
			}
			return false
		})
		if len(c.m[1].children) != 1 {
			t.Fatalf("payload type %d kept an exchange from its end", kind)
		}
		for _, x := range []isakmp.ExchangeType{isakmp.QuickMode, isakmp.Informational} {
			c.inject(1, x, uint32(1000+kind), isakmp.PayloadType(kind), bytes.Repeat([]byte{0, 0, 0, 8, 1, 2, 3, 4}, 3))
		}
		c.deliver(start, 50)
		// What is authentic and makes no sense ends the exchange, and makes the next one begin with a new main mode.
		if s := c.sa(1).state; !s.obeys() || len(c.m[1].children) != 1 {
			t.Fatalf("payload type %d: state %v, %d children", kind, s, len(c.m[1].children))
		}
	}
}
