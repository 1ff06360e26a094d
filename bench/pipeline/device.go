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

// A read gives at most batch datagrams, or superBatch superpackets, as from a device or a socket that always has more.
const (
	batch      = 128
	superBatch = 4
)

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

// job asks for a number of datagrams to be worked off; the time it took comes back.
type job struct {
	*load
	packets int
	took    chan time.Duration
}

func newMeter() meter { return meter{jobs: make(chan job), ended: make(chan struct{})} }

// next is the beginning of a read: it says how many datagrams may be given; false at the end of all.
func (m *meter) next() (left int, ok bool) {
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
	return m.left, true
}

// start is the end of a read that gave n datagrams: from now on the reader works.
func (m *meter) start(n int) {
	m.left -= n
	m.since = time.Now()
}

// run has n datagrams of l worked off and returns how long that took.
func (m *meter) run(l *load, n int) time.Duration {
	j := job{l, n, make(chan time.Duration)}
	m.jobs <- j
	return <-j.took
}

// device gives the packets of a load, and swallows what is written.
type device struct {
	meter
	turns
	events chan tun.Event
	// seen is called with each datagram that is written, if it is set.
	seen    func(datagram []byte)
	written uint64 // packets, of which a superpacket is one
}

func (d *device) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	left, ok := d.meter.next()
	if !ok {
		return 0, os.ErrClosed
	}
	n := min(batch, left, len(bufs))
	for i := range n {
		sizes[i] = copy(bufs[i][offset:], d.now.datagrams[0])
		address(bufs[i][offset:], d.turns.next(), true)
	}
	d.start(n)
	return n, nil
}

func (d *device) Write(bufs [][]byte, offset int) (int, error) {
	d.written += uint64(len(bufs))
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

// superDevice moves superpackets.
type superDevice struct{ *device }

func (d superDevice) Offload() tun.Offload { return tun.Offload{TCP: true, UDP: true} }

func (d superDevice) ReadPackets(packets []tun.Packet) (int, error) {
	left, ok := d.meter.next()
	if !ok {
		return 0, os.ErrClosed
	}
	n := min(superBatch, left/segments, len(packets))
	for i := range n {
		p := &packets[i]
		p.N, p.Segment, p.More = copy(p.Buf[p.Off:], d.now.super), segment, nil
		address(p.Bytes(), d.turns.next(), true)
	}
	d.start(n * segments)
	return n, nil
}

func (d superDevice) WritePackets(packets []tun.Packet) error {
	d.written += uint64(len(packets))
	for i := range packets {
		packets[i].Failed = false
		if d.seen != nil {
			d.show(&packets[i])
		}
	}
	return nil
}

// show has each datagram of p seen.
func (d superDevice) show(p *tun.Packet) {
	b := append([]byte(nil), p.Bytes()...)
	if p.Segment == 0 {
		d.seen(b)
		return
	}
	for _, more := range p.More {
		b = append(b, more...)
	}
	list, err := cut(b, p.Segment)
	if err != nil {
		d.seen(b) // it is none of those that are expected
	}
	for _, datagram := range list {
		d.seen(datagram)
	}
}

// socket gives runs of sealed packets, as receive offload does, and swallows what is sent.
type socket struct {
	meter
	turns
	local netip.AddrPort
	sa    int // whose turn it is
	at    int // the next datagram of the load
	// seal writes a datagram of the peer of the i-th SA, sealed, to the beginning of b and returns its length.
	seal func(b []byte, i int, datagram []byte) int
	// seen is called with each datagram that is sent, if it is set.
	seen func(datagram []byte)
	sent uint64 // datagrams
}

// A run is as long as the kernel's receive offload makes it.
const (
	maxRun      = 65000
	maxSegments = 64
)

var errRead = errors.New("pipeline: nothing was read")

func (s *socket) ReadBatch(msgs []netio.Message) (int, error) {
	left, ok := s.meter.next()
	if !ok {
		return 0, net.ErrClosed
	}
	most := min(batch, left)
	if s.now.super != nil {
		most = min(superBatch*segments, left)
	}
	given, used := 0, 0
	for ; given < most && used < len(msgs); used++ {
		given += s.fill(&msgs[used], most-given)
	}
	if given == 0 {
		return 0, errRead
	}
	s.start(given)
	return used, nil
}

// fill makes one run of at most n datagrams, all of one SA.
func (s *socket) fill(m *netio.Message, n int) (given int) {
	m.N, m.Segment, m.Local = 0, 0, s.local
	for given < min(n, maxSegments) && m.N+m.Segment <= maxRun {
		if s.at == 0 {
			if given > 0 && (s.now.super != nil || len(s.order) > 1) {
				break
			}
			s.sa = s.turns.next()
		}
		m.Segment = s.seal(m.Buf[m.Off+m.N:], s.sa, s.now.datagrams[s.at])
		m.N += m.Segment
		given++
		if s.at++; s.at == len(s.now.datagrams) {
			s.at = 0
		}
	}
	m.Remote = peer(s.sa)
	return given
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
