package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Stream sends an echo request every 20 ms until it is stopped and notes which were answered: what ran through a tunnel while
// its keys changed.
type Stream struct {
	e        *echoer
	host     *Host
	stop     chan struct{}
	done     chan struct{}
	mu       sync.Mutex
	sent     uint16
	answered map[uint16]bool
	change   chan struct{} // closed and replaced at every answer
	failed   error
}

// Stream starts asking an address for echoes.
func (h *Host) Stream(from, to string) *Stream {
	h.lab.t.Helper()
	s := &Stream{e: &echoer{from: netip.MustParseAddr(from), to: netip.MustParseAddr(to)}, host: h, stop: make(chan struct{}), done: make(chan struct{}),
		answered: make(map[uint16]bool), change: make(chan struct{})}
	if err := h.inside(s.e.open); err != nil {
		h.lab.t.Fatalf("an ICMP socket on %s of %s: %v", from, h.Name, err)
	}
	h.lab.t.Cleanup(s.end)
	go s.run()
	return s
}

func (s *Stream) run() {
	defer close(s.done)
	beat := ticks(20)
	buffer := make([]byte, 2048)
	for stopping := false; ; {
		select {
		case <-s.stop:
			return
		case <-beat:
		}
		s.mu.Lock()
		if !stopping && s.failed == nil {
			if s.sent == 1<<16-1 {
				stopping = true
			} else {
				s.sent++
				s.e.sequence = s.sent
				s.failed = unix.Sendto(s.e.fd, s.e.request(), 0, sockaddr(s.e.to))
			}
		}
		s.mu.Unlock()
		for {
			n, sender, err := unix.Recvfrom(s.e.fd, buffer, 0)
			if err != nil {
				break
			}
			if sequence, ok := s.e.answer(buffer[:n], sender); ok {
				s.mu.Lock()
				s.answered[sequence] = true
				close(s.change)
				s.change = make(chan struct{})
				s.mu.Unlock()
			}
		}
	}
}

func (s *Stream) end() {
	select {
	case <-s.done:
	default:
		close(s.stop)
		<-s.done
		unix.Close(s.e.fd)
	}
}

// Flow waits until n requests that are sent from now on have been answered.
func (s *Stream) Flow(n int, limit time.Duration) {
	s.host.lab.t.Helper()
	s.mu.Lock()
	from := s.sent
	s.mu.Unlock()
	watch := StartWatch()
	for {
		s.mu.Lock()
		got, change := 0, s.change
		for sequence := range s.answered {
			if sequence > from {
				got++
			}
		}
		s.mu.Unlock()
		if got >= n {
			return
		}
		if !wait(change, limit-watch.Elapsed()) {
			s.host.lab.t.Fatalf("%d of %d echoes were answered within %v", got, n, limit)
		}
	}
}

// Stop ends the stream once the answers of its last requests have had three seconds to come, and returns how many requests were
// sent and which were never answered.
func (s *Stream) Stop() (sent int, lost []int, err error) {
	s.host.lab.t.Helper()
	s.mu.Lock()
	last := s.sent
	s.mu.Unlock()
	s.host.lab.Await(echoPatience, func() bool { return len(s.missing(last)) == 0 })
	lost = s.missing(last)
	s.end()
	if s.failed != nil {
		err = fmt.Errorf("sending an echo request: %w", s.failed)
	}
	return int(last), lost, err
}

func (s *Stream) missing(last uint16) (lost []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range int(last) {
		if !s.answered[uint16(n+1)] {
			lost = append(lost, n+1)
		}
	}
	slices.Sort(lost)
	return lost
}

// Lossless stops a stream and fails the test unless every request was answered.
func (s *Stream) Lossless() {
	s.host.lab.t.Helper()
	sent, lost, err := s.Stop()
	if err != nil || len(lost) > 0 || sent == 0 {
		s.host.lab.t.Errorf("of %d echo requests these have no answer: %v (error: %v)", sent, lost, err)
	}
}
