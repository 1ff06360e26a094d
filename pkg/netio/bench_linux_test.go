package netio

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
)

// benchmarkUDP sends b.N datagrams of 1450 octets over a cable, size at a time, while the other end reads. What the receiver misses does
// not count: the figure is the sender's, with the receiver's work on the same processors.
func benchmarkUDP(b *testing.B, o Options, run int) {
	testnet.Need(b)
	other := link(b, 1500)
	here := listen(b, "10.9.0.1:0", o)
	var there *udpConn
	other.Do(func() { there = listen(b, "10.9.0.2:0", o) })
	done := make(chan int)
	go func() {
		in, octets := room(32), 0
		for {
			n, err := there.ReadBatch(in)
			if errors.Is(err, net.ErrClosed) {
				done <- octets
				return
			}
			for i := range n {
				octets += in[i].N
			}
		}
	}()
	const size, batch = 1450, 44
	data := pattern(size * batch)
	var msgs []Message
	for at := 0; at < batch; at += run {
		m := Message{Buf: data, Off: at * size, N: run * size, Remote: there.LocalAddr()}
		if run > 1 {
			m.Segment = size
		}
		msgs = append(msgs, m)
	}
	b.SetBytes(size)
	b.ResetTimer()
	for sent := 0; sent < b.N; sent += batch {
		if _, err := here.WriteBatch(msgs); err != nil && !errors.Is(err, ErrFull) {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	there.Close()
	b.ReportMetric(float64(<-done)/size/float64((b.N+batch-1)/batch*batch), "received/sent")
}

func BenchmarkUDPSegmentationOffload(b *testing.B) { benchmarkUDP(b, Options{}, 44) }
func BenchmarkUDPSendmmsg(b *testing.B)            { benchmarkUDP(b, Options{NoOffload: true}, 1) }

// BenchmarkUDPRoundTrip measures what an idle socket costs: two wake-ups of a reader.
func BenchmarkUDPRoundTrip(b *testing.B) {
	x, y := listen(b, "127.0.0.1:0", Options{}), listen(b, "127.0.0.1:0", Options{})
	go func() {
		in := room(1)
		for {
			if _, err := y.ReadBatch(in); err != nil {
				return
			}
			in[0].Remote, in[0].Local = x.LocalAddr(), netip.AddrPort{}
			_, _ = y.WriteBatch(in)
		}
	}()
	in := room(1)
	out := []Message{{Buf: make([]byte, 100), N: 100, Remote: y.LocalAddr()}}
	b.ResetTimer()
	for b.Loop() {
		if _, err := x.WriteBatch(out); err != nil {
			b.Fatal(err)
		}
		if _, err := x.ReadBatch(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawESP(b *testing.B) {
	testnet.Need(b)
	other := link(b, 1500)
	here, err := ListenRaw(ProtoESP, netip.MustParseAddr("10.9.0.1"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer here.Close()
	var there Conn
	other.Do(func() { there, err = ListenRaw(ProtoESP, netip.MustParseAddr("10.9.0.2"), Options{}) })
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		in := room(64)
		for err := error(nil); err == nil; {
			_, err = there.ReadBatch(in)
		}
	}()
	pkt := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 1, true, pattern(1450))
	var msgs []Message
	for range 64 {
		msgs = append(msgs, Message{Buf: pkt, N: len(pkt)})
	}
	b.SetBytes(1450)
	b.ResetTimer()
	for sent := 0; sent < b.N; sent += len(msgs) {
		if _, err := here.WriteBatch(msgs); err != nil && !errors.Is(err, ErrFull) {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	there.Close()
}
