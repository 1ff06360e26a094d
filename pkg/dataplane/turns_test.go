package dataplane

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"sync"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// mirror is a device with a host behind it that answers each datagram within the write, as a kernel answers an echo: it sends it back.
type mirror struct {
	tun.Device // only what is not called
	mu         sync.Mutex
	ready      *sync.Cond
	queue      [][]byte
	closed     bool
	asleep     bool // Wait does not return before the device is closed
	waiting    chan struct{}
	events     chan tun.Event
}

func newMirror() *mirror {
	m := &mirror{waiting: make(chan struct{}, 1<<16), events: make(chan tun.Event)}
	m.ready = sync.NewCond(&m.mu)
	return m
}

func (m *mirror) Offload() tun.Offload                  { return tun.Offload{} }
func (m *mirror) ReadPackets([]tun.Packet) (int, error) { panic("a device that is read in turns") }
func (m *mirror) Events() <-chan tun.Event              { return m.events }
func (m *mirror) MTU() (int, error)                     { return 1400, nil }
func (m *mirror) BatchSize() int                        { return 1 }
func (m *mirror) Write(b [][]byte, _ int) (int, error)  { return len(b), nil }

func (m *mirror) Wait() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting <- struct{}{}
	for !m.closed && (len(m.queue) == 0 || m.asleep) {
		m.ready.Wait()
	}
	return nil
}

func (m *mirror) TryReadPackets(packets []tun.Packet) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, os.ErrClosed
	}
	for n < len(packets) && len(m.queue) > 0 {
		packets[n].N, packets[n].Segment = copy(packets[n].Buf[packets[n].Off:], m.queue[0]), 0
		m.queue = m.queue[1:]
		n++
	}
	return n, nil
}

func (m *mirror) WritePackets(packets []tun.Packet) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range packets {
		packets[i].Failed = false
		b := bytes.Clone(packets[i].Bytes())
		for k := range 4 { // source and destination change places
			b[12+k], b[16+k] = b[16+k], b[12+k]
		}
		m.queue = append(m.queue, b)
	}
	m.ready.Broadcast()
	return nil
}

func (m *mirror) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.events)
	}
	m.ready.Broadcast()
	return nil
}

// mirrored runs side b's plane on a mirror, by its one UDP socket.
func mirrored(t *testing.T, w *world, m *mirror) (end func()) {
	t.Helper()
	s := setup{mode: suite.Tunnel, esp: true, udp: true}
	var socket Socket
	for _, u := range w.b.plane.cfg.UDP {
		if u.LocalAddr().Port() == 4500 && u.LocalAddr().Addr() == w.b.addr[0] {
			socket = u
		}
	}
	cfg := w.b.plane.cfg
	cfg.TUN, cfg.UDP, cfg.Raw, cfg.IP = m, []Socket{socket}, nil, nil
	p, err := New(cfg)
	check(t, err)
	w.b.plane = p
	w.protect(s)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// numbered is a datagram from a's network to b's with a number in it.
func numbered(i int) []byte {
	pkt := udp("10.1.0.5", "10.2.0.5", 64)
	binary.BigEndian.PutUint32(pkt[28:], uint32(i))
	var h packet.Header
	if err := h.Parse(pkt); err != nil {
		panic(err)
	}
	packet.FixTransportChecksum(pkt, &h)
	return pkt
}

// answers waits for n answers at a and returns their numbers.
func (w *world) answers(t *testing.T, n int) (got []int) {
	t.Helper()
	for i := range w.a.ins {
		if u := w.a.ins[i].socket; u == nil || u.LocalAddr().Port() != 4500 || u.LocalAddr().Addr() != w.a.addr[0] {
			continue
		}
		in := w.a.ins[i]
		for len(got) < n {
			k, err := w.a.conns[i].ReadBatch(in.msgs)
			check(t, err)
			in.now = w.now
			in.batch(in.msgs[:k])
			for _, d := range w.a.delivered() {
				got = append(got, int(binary.BigEndian.Uint32(d[28:])))
			}
		}
	}
	return got
}

// What the host answers within the write leaves though the device's own reader never wakes.
func TestAnswersAreSentByWhoeverWroteTheQuestion(t *testing.T) {
	w, m := newWorld(t), newMirror()
	m.asleep = true
	end := mirrored(t, w, m)
	defer end()
	<-m.waiting // the reader found nothing and sleeps
	for i := range 50 {
		w.a.send(numbered(i))
		if got := w.answers(t, 1); len(got) != 1 || got[0] != i {
			t.Fatalf("question %d was answered by %v", i, got)
		}
	}
}

// Packets leave in the order in which they were read, whoever takes the turn.
func TestTurnsKeepTheOrder(t *testing.T) {
	w, m := newWorld(t), newMirror()
	end := mirrored(t, w, m)
	const n = 2000
	for i := 0; i < n; {
		var list [][]byte
		for range 1 + i%7 {
			list = append(list, numbered(i))
			i++
		}
		w.a.send(list...)
		for k, got := range w.answers(t, len(list)) {
			if want := i - len(list) + k; got != want {
				end()
				t.Fatalf("answer %d came in place of %d", got, want)
			}
		}
	}
	end() // a datagram may arrive before it is counted
	c := w.b.plane.Counters()
	if c.FromTUN.Load() != c.Delivered.Load() || c.Sealed.Load() != c.FromTUN.Load() {
		t.Errorf("%d delivered, %d read, %d sealed", c.Delivered.Load(), c.FromTUN.Load(), c.Sealed.Load())
	}
}

var _ tun.TurnReader = (*mirror)(nil)
