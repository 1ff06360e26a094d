package system

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
	"golang.org/x/sys/unix"
)

// A stream is UDP traffic from one host to another, each datagram with its number: what is missing at the end was lost.
type stream struct {
	w        *world
	size     int // of a datagram, bytes
	conn     [2]*net.UDPConn
	stop     chan struct{}
	stopped  chan struct{}
	received chan struct{}
	watch    lab.Stopwatch

	mu         sync.Mutex
	sent       int // numbers 0 to sent-1
	refused    int // datagrams that the sender's system would not take
	seen       []bool
	got        int
	duplicates int
	reordered  int
	last       int
	elapsed    time.Duration
}

const (
	streamPort = 9000
	// burst is how many datagrams are sent at once, as segments of one.
	burst = 8
	// mostBehind bounds what a sender that was kept from running catches up with at once, so that it does not flood.
	mostBehind = 8 * burst
)

// stream starts sending size-byte datagrams at a rate in megabits a second.
func (w *world) stream(from *lab.Host, source string, to *lab.Host, destination string, megabits, size int) *stream {
	w.t.Helper()
	s := &stream{w: w, size: size, stop: make(chan struct{}), stopped: make(chan struct{}), received: make(chan struct{}), last: -1}
	dst := netip.AddrPortFrom(netip.MustParseAddr(destination), streamPort)
	to.Inside(func() (err error) {
		if s.conn[1], err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(dst)); err != nil {
			return err
		}
		return errors.Join(setsockopt(s.conn[1], unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20), setsockopt(s.conn[1], unix.IPPROTO_UDP, unix.UDP_GRO, 1))
	})
	from.Inside(func() (err error) {
		if s.conn[0], err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(source), 0))); err != nil {
			return err
		}
		return errors.Join(setsockopt(s.conn[0], unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20), setsockopt(s.conn[0], unix.IPPROTO_UDP, unix.UDP_SEGMENT, size))
	})
	w.t.Cleanup(func() { s.end(); s.conn[1].Close() })
	s.watch = lab.StartWatch()
	go s.receive()
	go s.send(dst, float64(megabits)*1e6/8/float64(size))
	return s
}

func setsockopt(c *net.UDPConn, level, name, value int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Control(func(fd uintptr) { result = unix.SetsockoptInt(int(fd), level, name, value) })
	return errors.Join(err, result)
}

// send keeps to the rate, in datagrams a second, in bursts.
func (s *stream) send(dst netip.AddrPort, rate float64) {
	defer close(s.stopped)
	buffer := make([]byte, burst*s.size)
	timer := time.NewTimer(0)
	due := 0.0
	last := s.watch.Elapsed()
	for {
		select {
		case <-s.stop:
			return
		case <-timer.C:
		}
		now := s.watch.Elapsed()
		due = min(due+rate*(now-last).Seconds(), mostBehind)
		for last = now; due >= burst; due -= burst {
			for i := range burst {
				binary.BigEndian.PutUint32(buffer[i*s.size:], uint32(s.sent+i))
			}
			if _, err := s.conn[0].WriteToUDPAddrPort(buffer, dst); err != nil {
				s.mu.Lock()
				s.refused += burst
				s.mu.Unlock()
				continue
			}
			s.mu.Lock()
			s.sent += burst
			s.mu.Unlock()
		}
		timer.Reset(time.Millisecond)
	}
}

func (s *stream) receive() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := s.conn[1].Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.mu.Lock()
		for at := 0; err == nil && at+s.size <= n; at += s.size {
			s.take(int(binary.BigEndian.Uint32(buffer[at:])))
		}
		s.mu.Unlock()
	}
}

func (s *stream) take(number int) {
	for len(s.seen) <= number {
		s.seen = append(s.seen, make([]bool, 4096)...)
	}
	switch {
	case s.seen[number]:
		s.duplicates++
		return
	case number < s.last:
		s.reordered++
	}
	s.last = max(s.last, number)
	s.seen[number] = true
	s.got++
}

// mark is the number of the next datagram: what has been sent before it is older.
func (s *stream) mark() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// flowing waits until datagrams that were sent from now on arrive.
func (s *stream) flowing(limit time.Duration) {
	s.w.t.Helper()
	from := s.mark()
	s.w.Until(limit, "the stream to flow", func() (bool, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.last > from+2*burst, s.describe()
	})
}

// end stops the sender.
func (s *stream) end() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
		s.elapsed = s.watch.Elapsed()
	}
	<-s.stopped
	s.conn[0].Close()
}

// gaps stops the sender, waits for what is on its way, and lists what of the datagrams with the number from and after did not
// arrive. An empty answer is no loss.
func (s *stream) gaps(from int) string {
	s.w.t.Helper()
	s.end()
	quiet := lab.StartWatch()
	for s.missing(from) != "" && quiet.Elapsed() < 3*time.Second {
		<-time.After(50 * time.Millisecond)
	}
	if s.sent <= from {
		s.w.t.Fatal("nothing was sent: no gap proves nothing")
	}
	return s.missing(from)
}

func (s *stream) missing(from int) string { return s.missingOf(from, s.mark()) }

// missingOf lists the numbers from and up to, but not with, to that have not arrived.
func (s *stream) missingOf(from, to int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for i := from; i < to; i++ {
		if i < len(s.seen) && s.seen[i] {
			continue
		}
		first := i
		for i < to && !(i < len(s.seen) && s.seen[i]) {
			i++
		}
		list = append(list, fmt.Sprintf("%d-%d", first, i-1))
	}
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf("%d gaps: %s; %s", len(list), strings.Join(list[:min(len(list), 20)], ", "), s.describe())
}

func (s *stream) describe() string {
	return fmt.Sprintf("sent %d (%d refused), received %d, %d twice, %d out of order", s.sent, s.refused, s.got, s.duplicates, s.reordered)
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s, %.0f Mb/s", s.describe(), float64(s.sent*s.size*8)/s.elapsed.Seconds()/1e6)
}

// refusals is how many datagrams the sender's system would not take.
func (s *stream) refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// gapsSoFar is gaps of what has been sent until now, while the sender goes on.
func (s *stream) gapsSoFar(from int) string {
	to := s.mark()
	quiet := lab.StartWatch()
	for s.missingOf(from, to) != "" && quiet.Elapsed() < 3*time.Second {
		<-time.After(50 * time.Millisecond)
	}
	return s.missingOf(from, to)
}
