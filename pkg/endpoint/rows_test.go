package endpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/tun"
)

// Rows of the security catalogue that show only where everything is put together.

// refusing is a socket whose first writes the system refuses, one error after the other.
type refusing struct {
	netio.Conn
	errs  []error
	calls atomic.Int32
}

func (r *refusing) WriteBatch(msgs []netio.Message) (int, error) {
	if n := int(r.calls.Add(1)); n <= len(r.errs) {
		return 0, r.errs[n-1]
	}
	return r.Conn.WriteBatch(msgs)
}

// TestF8IKERetransmitsWhatTheSystemRefused: a datagram of the key exchange that the system does not take is a line of log and is sent again; a
// full buffer, a vanished route and a forged "connection refused" cost a second each, no more.
func TestF8IKERetransmitsWhatTheSystemRefused(t *testing.T) {
	for _, err := range []error{netio.ErrFull, syscall.ENETUNREACH, syscall.ECONNREFUSED, &netio.TooBig{MTU: 100}} {
		t.Run(err.Error(), func(t *testing.T) {
			t.Parallel()
			e := &ends{t: t, wire: netio.NewWire(netio.WireConfig{}, time.Time{})}
			e.b = e.start(outerB, "10.2.0.1", ikePolicy(2, 1, defaultIKE))
			bad := &refusing{Conn: e.wire.Attach(netip.AddrPortFrom(outerA, 500)), errs: []error{err}}
			device, host := tun.Pipe(1400)
			e.a = &end{host: host, log: &logBuffer{}, text: ikePolicy(1, 2, defaultIKE)}
			p, loadErr := e.a.load()
			if loadErr != nil {
				t.Fatal(loadErr)
			}
			var newErr error
			e.a.Endpoint, newErr = New(Options{Policy: p, Log: slog.New(slog.NewTextHandler(e.a.log, nil)), Parts: &Parts{Device: device,
				Addresses: []netip.Addr{outerA, netip.MustParseAddr("10.1.0.1")}, UDP: []dataplane.Socket{{Conn: bad},
					{Conn: e.wire.Attach(netip.AddrPortFrom(outerA, 4500)), Marker: true}}}})
			if newErr != nil {
				t.Fatal(newErr)
			}
			ended := make(chan error, 1)
			go func() { ended <- e.a.Run(context.Background()) }()
			carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
			if n := bad.calls.Load(); n > 10 {
				t.Errorf("%d writes for a handshake", n)
			}
			if !strings.Contains(e.a.log.String(), "will be repeated") {
				t.Error("nothing is said of it")
			}
			e.a.Stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

const quickDPD = `    negotiate: {}
    dpd: {interval: 1s, timeout: 2s}
    auth: [{psk: "a throw-away key for tests only, 0123456789"}]`

// crash ends an endpoint without a word to its peer, as kill -9 does.
func (e *ends) crash(x *end, outer netip.Addr) {
	e.wire.Tamper(func(d *netio.Datagram) bool { return d.From.Addr() != outer })
	x.Stop()
	<-x.done
	e.wire.Tamper(nil)
}

// TestF5RebootOverTheEndpoint: a peer is killed and starts anew. With INITIAL-CONTACT its first message removes what was left of it here; if it has
// nothing to send, dead peer detection does. Either way traffic flows again and one SA is left at each end.
func TestF5RebootOverTheEndpoint(t *testing.T) {
	for _, contact := range []bool{true, false} {
		t.Run(fmt.Sprintf("initial contact %v", contact), func(t *testing.T) {
			t.Parallel()
			e := join(t, ikePolicy(1, 2, quickDPD), ikePolicy(2, 1, quickDPD))
			carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
			old := e.a.Status().Children[0].ID
			e.crash(e.b, outerB)
			reborn := e.start(outerB, "10.2.0.1", ikePolicy(2, 1, quickDPD))
			if contact {
				carry(t, reborn, e.a, "10.2.0.5", "10.1.0.5")
			} else {
				pkt := datagram("10.1.0.5", "10.2.0.5", []byte("is anybody there?"))
				asked := 0
				eventually(t, func() bool {
					e.a.Status()
					if asked++; asked%500 != 1 { // a packet now and then
						return false
					}
					if err := e.a.host.Send(pkt); err != nil {
						t.Fatal(err)
					}
					_, arrived := reborn.host.TryReceive()
					return arrived
				})
			}
			eventually(t, func() bool {
				a, b := e.a.Status().Children, reborn.Status().Children
				return len(a) == 1 && len(b) == 1 && a[0].ID != old && a[0].Protocols[0].SPIIn == b[0].Protocols[0].SPIOut
			})
		})
	}
}

// TestD13ForgedPathReportsAreNotBelieved: a report of a narrow path counts only if it quotes a live SPI and a sequence number of late, and never
// lowers a path under its floor.
func TestD13ForgedPathReportsAreNotBelieved(t *testing.T) {
	e := ikePair(t)
	for range 3 {
		carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	}
	spi := e.a.Status().Children[0].Protocols[0].SPIOut
	quote := func(spi, seq uint32) []byte {
		o := packet.Outer{Src: outerA, Dst: outerB, Proto: 17, TTL: 64, DF: true}
		b := make([]byte, 20+8+8)
		o.Put(b, 1400)
		binary.BigEndian.PutUint16(b[20:], 4500)
		binary.BigEndian.PutUint16(b[22:], 4500)
		binary.BigEndian.PutUint16(b[24:], 1380)
		binary.BigEndian.PutUint32(b[28:], spi)
		binary.BigEndian.PutUint32(b[32:], seq)
		return b
	}
	for _, c := range []struct {
		what string
		ev   netio.PathEvent
		mtu  int
	}{
		{"another SPI", netio.PathEvent{Remote: outerB, MTU: 1000, Quoted: quote(spi+1, 2)}, 0},
		{"a number that was not sent", netio.PathEvent{Remote: outerB, MTU: 1000, Quoted: quote(spi, 1000)}, 0},
		{"sequence number 0", netio.PathEvent{Remote: outerB, MTU: 1000, Quoted: quote(spi, 0)}, 0},
		{"another peer", netio.PathEvent{Remote: outerA, MTU: 1000, Quoted: quote(spi, 2)}, 0},
		{"nothing", netio.PathEvent{Remote: outerB, MTU: 1000}, 0},
		{"a cut quotation", netio.PathEvent{Remote: outerB, MTU: 1000, Quoted: quote(spi, 2)[:30]}, 0},
		{"no size", netio.PathEvent{Remote: outerB, Quoted: quote(spi, 2)}, 0},
		{"the truth", netio.PathEvent{Remote: outerB, MTU: 1300, Quoted: quote(spi, 2)}, 1300},
		{"nonsense with a true quotation", netio.PathEvent{Remote: outerB, MTU: 20, Quoted: quote(spi, 2)}, 576},
	} {
		got := -1
		if err := e.a.do(func(now time.Time) {
			e.a.pathChanged(now, c.ev)
			for _, ch := range e.a.children {
				got = ch.outermost().PMTU(now)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if got != c.mtu {
			t.Errorf("%s: the path is %d, want %d", c.what, got, c.mtu)
		}
	}
}

// TestD16OnlyAPeerBehindNATMoves: the address that fresh packets come from is followed if the peer is behind a NAT, and only then.
func TestD16OnlyAPeerBehindNATMoves(t *testing.T) {
	elsewhere := netip.MustParseAddrPort("203.0.113.9:61000")
	e := ikePair(t)
	e.connect(t)
	for _, behind := range []bool{false, true} {
		var in, out netip.AddrPort
		if err := e.a.do(func(now time.Time) {
			for id, c := range e.a.children {
				info := *c.info
				info.NATRemote = behind
				c.info = &info
				e.a.planeEvent(now, dataplane.Event{Kind: dataplane.Rebound, Child: id, Remote: elsewhere})
				e.a.planeEvent(now, dataplane.Event{Kind: dataplane.Rebound, Child: id + 1000, Remote: elsewhere}) // of nobody
				in, out = c.in[0].Remote(), c.outermost().Remote()
			}
		}); err != nil {
			t.Fatal(err)
		}
		if (in == elsewhere) != behind || in != out {
			t.Errorf("behind a NAT %v: the peer is at %v, and packets go to %v", behind, in, out)
		}
	}
}

// TestD16RebindOverTheWire: a NAT gives the peer another port. Its next packet moves this end, traffic goes on both ways, and a replay of it from an
// attacker moves nothing.
func TestD16RebindOverTheWire(t *testing.T) {
	e := ikePair(t)
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	moved := e.wire.Attach(netip.AddrPortFrom(outerA, 61000)) // what the NAT would send back to the inside
	var last []byte
	e.wire.Tamper(func(d *netio.Datagram) bool {
		if d.From == netip.AddrPortFrom(outerA, 4500) {
			d.From = netip.AddrPortFrom(outerA, 61000)
			last = append([]byte(nil), d.Data...)
		}
		return true
	})
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	remote := func() netip.AddrPort { return e.b.Status().Children[0].Remote }
	eventually(t, func() bool { return remote() == netip.AddrPortFrom(outerA, 61000) })
	e.wire.Tamper(nil)
	if err := e.b.host.Send(datagram("10.2.0.5", "10.1.0.5", []byte("to the new port"))); err != nil {
		t.Fatal(err)
	}
	msgs := []netio.Message{{Buf: make([]byte, 2000)}}
	if n, err := moved.ReadBatch(msgs); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	attacker := e.wire.Attach(netip.MustParseAddrPort("203.0.113.66:4500"))
	before := e.b.Status().Traffic.Received
	for range 20 {
		if _, err := attacker.WriteBatch([]netio.Message{{Buf: last, N: len(last), Remote: netip.AddrPortFrom(outerB, 4500)}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return e.b.Status().Traffic.Received >= before+20 })
	if got := remote(); got != netip.AddrPortFrom(outerA, 61000) {
		t.Errorf("replays from an attacker moved the peer to %v", got)
	}
}

// TestF10WhatExpiredAsleepIsNotUsed: the host was suspended for ten hours. Its SAs are past their time: not one packet more leaves under them, and traffic
// makes new ones. After a short sleep they stay.
func TestF10WhatExpiredAsleepIsNotUsed(t *testing.T) {
	e := ikePair(t)
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	old := e.a.Status().Children[0].ID
	for range 3 {
		e.a.slept.Add(int64(time.Minute))
		if c := e.a.Status().Children; len(c) != 1 || c[0].ID != old {
			t.Fatalf("after a minute of sleep: %+v", c)
		}
	}
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	e.a.slept.Add(int64(10 * time.Hour))
	sealed := e.a.plane.Counters().Sealed.Load()
	if err := e.a.host.Send(datagram("10.1.0.5", "10.2.0.5", nil)); err != nil { // faster than any timer
		t.Fatal(err)
	}
	eventually(t, func() bool { c := e.a.plane.Counters(); return c.FromTUN.Load() == 3 })
	eventually(t, func() bool { c := e.a.Status().Children; return len(c) == 0 || c[0].ID != old })
	if c := e.a.plane.Counters(); c.Sealed.Load() != sealed && c.Count(dataplane.OutboundLimit)+c.Held.Load() == 0 {
		t.Error("a packet left under an SA that was over")
	}
	// The packet, if it was held, arrives once there is a new SA.
	again := datagram("10.1.0.5", "10.2.0.5", []byte("after the sleep"))
	if err := e.a.host.Send(again); err != nil {
		t.Fatal(err)
	}
	for got := []byte(nil); !bytes.Equal(got, again); {
		var err error
		if got, err = e.b.host.Receive(); err != nil {
			t.Fatal(err)
		}
	}
	carry(t, e.b, e.a, "10.2.0.5", "10.1.0.5")
	if c := e.a.Status().Children; len(c) != 1 || c[0].ID == old {
		t.Errorf("%+v", c)
	}
}
