package netio

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	left  = netip.MustParseAddrPort("192.0.2.1:4500")
	right = netip.MustParseAddrPort("192.0.2.2:4500")
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func put(tb testing.TB, c Conn, to netip.AddrPort, texts ...string) {
	tb.Helper()
	var msgs []Message
	for _, s := range texts {
		msgs = append(msgs, Message{Buf: []byte(s), N: len(s), Remote: to})
	}
	if n, err := c.WriteBatch(msgs); n != len(texts) || err != nil {
		tb.Fatal(n, err)
	}
}

// take returns what has arrived, without waiting.
func take(c Conn) (texts []string) {
	msgs := make([]Message, 8)
	for i := range msgs {
		msgs[i] = Message{Buf: make([]byte, 2000), Off: 3}
	}
	for {
		n := c.(TryReader).TryRead(msgs)
		if n == 0 {
			return texts
		}
		for i := range n {
			texts = append(texts, string(msgs[i].Bytes()))
		}
	}
}

func TestWirePerfect(t *testing.T) {
	a, b, w := Pipe(left, right)
	run := []byte("aaabbbcc")
	n, err := a.WriteBatch([]Message{{Buf: []byte("--one"), Off: 2, N: 3, Remote: right, TOS: 3}, {Buf: run, N: len(run), Segment: 3, Remote: right}})
	if n != 2 || err != nil {
		t.Fatal(n, err)
	}
	msgs := room(8)
	n, err = b.ReadBatch(msgs)
	if n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if m := msgs[0]; string(m.Bytes()) != "one" || m.TOS != 3 || m.Remote != left || m.Local != right {
		t.Errorf("%q %+v", m.Bytes(), m.Remote)
	}
	if string(msgs[3].Bytes()) != "cc" || msgs[3].Segment != 0 {
		t.Errorf("%q", msgs[3].Bytes())
	}
	if c := w.Captured(); len(c) != 4 || string(c[0].Data) != "one" || c[0].From != left || c[0].To != right || c[0].Delivered != 1 {
		t.Errorf("%+v", c)
	}
	if a.LocalAddr() != left {
		t.Error(a.LocalAddr())
	}
}

func TestWireTimePassesOnlyByAdvance(t *testing.T) {
	w := NewWire(WireConfig{Delay: time.Second}, start)
	a, b := w.Attach(left), w.Attach(right)
	put(t, a, right, "x")
	if at, ok := w.Deadline(); !ok || !at.Equal(start.Add(time.Second)) {
		t.Error(at, ok)
	}
	w.Advance(start.Add(999 * time.Millisecond))
	if got := take(b); got != nil {
		t.Error("too early:", got)
	}
	w.Advance(start.Add(time.Second))
	if got := take(b); !slices.Equal(got, []string{"x"}) {
		t.Error(got)
	}
	if _, ok := w.Deadline(); ok {
		t.Error("a deadline on an empty wire")
	}
	w.Configure(WireConfig{})
	put(t, b, left, "y")
	if got := take(a); !slices.Equal(got, []string{"y"}) {
		t.Error(got)
	}
}

func TestWireTreatsAsTold(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  WireConfig
		want []string
	}{
		"loss":    {WireConfig{Loss: 1}, nil},
		"dup":     {WireConfig{Dup: 1}, []string{"a", "a", "b", "b", "c", "c"}},
		"reorder": {WireConfig{Reorder: 1}, []string{"b", "a", "c"}},
	} {
		w := NewWire(c.cfg, start)
		a, b := w.Attach(left), w.Attach(right)
		put(t, a, right, "a", "b", "c")
		w.Flush()
		if got := take(b); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	w := NewWire(WireConfig{Corrupt: 1}, start)
	a, b := w.Attach(left), w.Attach(right)
	put(t, a, right, "datagram", "")
	got := take(b)
	if len(got) != 2 || got[0] == "datagram" || len(got[0]) != 8 || string(w.Captured()[0].Data) != "datagram" {
		t.Errorf("%q", got)
	}
	flipped := 0
	for i := range got[0] {
		for x := got[0][i] ^ "datagram"[i]; x != 0; x &= x - 1 {
			flipped++
		}
	}
	if flipped != 1 {
		t.Errorf("%d bits flipped", flipped)
	}
}

func TestWireIsRepeatable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := func(name string) float64 { return rapid.Float64Range(0, 0.5).Draw(rt, name) }
		cfg := WireConfig{Seed: rapid.Uint64().Draw(rt, "seed"), Loss: p("loss"), Dup: p("dup"), Reorder: p("reorder"), Corrupt: p("corrupt"),
			Delay: time.Second, Jitter: time.Second}
		run := func() ([]string, *Wire) {
			w := NewWire(cfg, start)
			a, b := w.Attach(left), w.Attach(right)
			for i := range 50 {
				put(t, a, right, fmt.Sprint("datagram ", i))
			}
			w.Flush()
			for at, ok := w.Deadline(); ok; at, ok = w.Deadline() {
				w.Advance(at)
			}
			return take(b), w
		}
		one, w := run()
		two, _ := run()
		if !slices.Equal(one, two) {
			rt.Fatalf("%q\n%q", one, two)
		}
		copies := 0
		for _, d := range w.Captured() {
			copies += d.Delivered
		}
		if copies != len(one) {
			rt.Fatalf("%d copies on their way, %d arrived", copies, len(one))
		}
	})
}

func TestWireTamperAndTooBig(t *testing.T) {
	w := NewWire(WireConfig{MTU: 10}, start)
	a, b := w.Attach(left), w.Attach(right)
	w.Tamper(func(d *Datagram) bool {
		d.Data[0] = '!'
		d.From = netip.MustParseAddrPort("198.51.100.9:1")
		return string(d.Data) != "!rop"
	})
	put(t, a, right, "keep", "drop")
	msgs := room(4)
	if n, err := b.ReadBatch(msgs); n != 1 || err != nil || string(msgs[0].Bytes()) != "!eep" || msgs[0].Remote.Port() != 1 {
		t.Errorf("%d %v %q", n, err, msgs[0].Bytes())
	}
	w.Tamper(nil)
	big := []byte("longer than ten")
	n, err := a.WriteBatch([]Message{{Buf: big, N: len(big), Remote: right}, {Buf: big, N: 3, Remote: right}, {Buf: big, N: len(big), Remote: right, Fragment: true}})
	var tooBig *TooBig
	if n != 2 || !errors.As(err, &tooBig) || tooBig.MTU != 10 || len(tooBig.Error()) == 0 {
		t.Error(n, err)
	}
	if got := take(b); len(got) != 2 {
		t.Error(got)
	}
}

func TestWireBoundsAndClose(t *testing.T) {
	w := NewWire(WireConfig{Queue: 3}, start)
	a, b := w.Attach(left), w.Attach(right)
	put(t, a, right, "1", "2", "3", "4")
	put(t, a, netip.MustParseAddrPort("203.0.113.1:1"), "to nobody")
	if got := take(b); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Error(got)
	}
	put(t, a, right, "does not fit the buffer", "fits")
	small := []Message{{Buf: make([]byte, 6)}, {Buf: make([]byte, 6)}}
	if n, err := b.ReadBatch(small); n != 1 || err != nil || string(small[0].Bytes()) != "fits" {
		t.Error(n, err)
	}
	done := make(chan error)
	go func() { _, err := b.ReadBatch(room(1)); done <- err }()
	b.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	put(t, a, right, "to a closed end")
	if n, err := b.WriteBatch([]Message{{Buf: []byte("x"), N: 1, Remote: left}}); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Error(n, err)
	}
	if n, err := a.ReadBatch(nil); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestPortableUDP(t *testing.T) {
	open := func(s string) Conn {
		c, err := listenPortable(netip.MustParseAddrPort(s), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		a, b := open(addr), open(addr)
		data := pattern(250)
		n, err := a.WriteBatch([]Message{{Buf: data, N: 250, Segment: 100, Remote: b.LocalAddr()}, {Buf: data, N: 0, Remote: netip.AddrPort{}}})
		if n != 1 || err == nil {
			t.Fatal(n, err)
		}
		var got []byte
		for range 3 {
			m := room(2)
			if n, err := b.ReadBatch(m); n != 1 || err != nil || m[0].Remote != a.LocalAddr() || m[0].Local != b.LocalAddr() {
				t.Fatal(n, err, m[0].Remote)
			}
			got = append(got, m[0].Bytes()...)
		}
		if !bytes.Equal(got, data) {
			t.Error("the octets differ")
		}
		if s := a.(Counted).Stats(); s.Refused != 1 {
			t.Errorf("%+v", s)
		}
		if _, err := listenPortable(b.LocalAddr(), Options{}); !errors.Is(err, ErrInUse) {
			t.Error(err)
		}
		done := make(chan error)
		go func() { _, err := b.ReadBatch(room(1)); done <- err }()
		b.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if n, err := a.ReadBatch(nil); n != 0 || err != nil {
			t.Error(n, err)
		}
		big := make([]byte, 70000)
		_, err = a.WriteBatch([]Message{{Buf: big, N: len(big), Remote: b.LocalAddr()}})
		if tooBig := new(TooBig); !errors.As(err, &tooBig) || tooBig.MTU != 0 || tooBig.Error() == "" {
			t.Error(err)
		}
	}
}

func ExamplePipe() {
	a, b, wire := Pipe(left, right)
	_, _ = a.WriteBatch([]Message{{Buf: []byte("sealed"), N: 6, Remote: right}})
	msgs := []Message{{Buf: make([]byte, 1500)}}
	n, _ := b.ReadBatch(msgs)
	fmt.Printf("%d from %v: %s; %d on the wire\n", n, msgs[0].Remote, msgs[0].Bytes(), len(wire.Captured()))
	// Output: 1 from 192.0.2.1:4500: sealed; 1 on the wire
}
