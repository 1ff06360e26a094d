package pipeline

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/tun"
)

// batch is how many packets a read gives at most, as a TUN device on Linux does.
const batch = 128

// meter sits in a reader: it hands out the packets of a job and measures the time until the reader comes back for more.
type meter struct {
	jobs   chan job
	ended  chan struct{}
	now    job
	left   int
	since  time.Time
	busy   time.Duration
	active bool
}

// job asks for a number of packets to be worked off; the time it took comes back.
type job struct {
	packets int
	took    chan time.Duration
}

func newMeter() meter { return meter{jobs: make(chan job), ended: make(chan struct{})} }

// next is the beginning of a read: it says how many packets to give, at most batch; false at the end of all.
func (m *meter) next() (n int, ok bool) {
	if m.active {
		m.busy += time.Since(m.since)
		if m.left == 0 {
			m.active = false
			m.now.took <- m.busy
		}
	}
	if !m.active {
		select {
		case m.now = <-m.jobs:
			m.active, m.left, m.busy = true, m.now.packets, 0
		case <-m.ended:
			return 0, false
		}
	}
	n = min(batch, m.left)
	m.left -= n
	return n, true
}

// start is the end of a read: from now on the reader works.
func (m *meter) start() { m.since = time.Now() }

// run has n packets worked off and returns how long that took.
func (m *meter) run(n int) time.Duration {
	j := job{n, make(chan time.Duration)}
	m.jobs <- j
	return <-j.took
}

// device gives one packet over and over, and swallows what is written.
type device struct {
	meter
	packet []byte
	events chan tun.Event
	// seen is called with each packet that is written, if it is set.
	seen func(packet []byte)
}

func (d *device) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	n, ok := d.next()
	if !ok {
		return 0, os.ErrClosed
	}
	for i := range n {
		sizes[i] = copy(bufs[i][offset:], d.packet)
	}
	d.start()
	return n, nil
}

func (d *device) Write(bufs [][]byte, offset int) (int, error) {
	if d.seen != nil {
		for _, b := range bufs {
			d.seen(b[offset:])
		}
	}
	return len(bufs), nil
}

func (d *device) File() *os.File           { return nil }
func (d *device) MTU() (int, error)        { return mtu, nil }
func (d *device) Name() (string, error)    { return "memory", nil }
func (d *device) Events() <-chan tun.Event { return d.events }
func (d *device) BatchSize() int           { return batch }
func (d *device) Close() error             { close(d.ended); close(d.events); return nil }

// socket gives runs of sealed packets, as receive offload does, and swallows what is sent.
type socket struct {
	meter
	local, remote netip.AddrPort
	// seal writes the next sealed packet to the beginning of b and returns its length.
	seal func(b []byte) int
	// seen is called with each datagram that is sent, if it is set.
	seen func(datagram []byte)
	sent uint64 // datagrams
}

var errShort = errors.New("pipeline: the reader offers too few messages for a batch")

// A run is as long as the kernel's receive offload makes it.
const (
	maxRun      = 65000
	maxSegments = 64
)

func (s *socket) ReadBatch(msgs []netio.Message) (int, error) {
	n, ok := s.next()
	if !ok {
		return 0, net.ErrClosed
	}
	for i := range msgs {
		if n == 0 {
			s.start()
			return i, nil
		}
		n -= s.fill(&msgs[i], n)
	}
	if n > 0 {
		return 0, errShort
	}
	s.start()
	return len(msgs), nil
}

// fill makes one run of at most n packets.
func (s *socket) fill(m *netio.Message, n int) (packets int) {
	m.N, m.Segment, m.Remote, m.Local = 0, 0, s.remote, s.local
	for packets < min(n, maxSegments) && m.N+m.Segment <= maxRun {
		m.Segment = s.seal(m.Buf[m.Off+m.N:])
		m.N += m.Segment
		packets++
	}
	return packets
}

func (s *socket) WriteBatch(msgs []netio.Message) (int, error) {
	for i := range msgs {
		m := &msgs[i]
		segment := m.Segment
		if segment == 0 {
			segment = m.N
		}
		s.sent += uint64((m.N + segment - 1) / segment)
		if s.seen != nil {
			for b := m.Bytes(); len(b) > 0; b = b[min(segment, len(b)):] {
				s.seen(b[:min(segment, len(b))])
			}
		}
	}
	return len(msgs), nil
}

func (s *socket) LocalAddr() netip.AddrPort { return s.local }
func (s *socket) Close() error              { close(s.ended); return nil }
