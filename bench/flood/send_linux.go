package flood

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sender is the generator while it runs.
type sender struct {
	o     Options
	fd    int
	heads [burst][headLen]byte
	iovs  [burst][2]unix.Iovec    // of each datagram: head and filler
	names []unix.RawSockaddrInet4 // of flows
	list  [burst]mmsghdr          // messages

	sent    Sent
	next    uint64 // number of the next datagram
	heard   uint64 // all before this number have arrived or are lost
	answers [8]mmsghdr
	answer  [8][headLen]byte
	answerV [8]unix.Iovec
}

// silence is how long a sender waits for the sink's word before it takes all that is under way for lost.
const silence = 20 * time.Millisecond

// Send sends. It ends early with the error of ctx.
func Send(ctx context.Context, o Options) (Sent, error) {
	if err := o.check(); err != nil {
		return Sent{}, err
	}
	if !o.From.Is4() {
		return Sent{}, fmt.Errorf("%w: the sender's address is not an IPv4 address", ErrOptions)
	}
	fd, err := socket(netip.AddrPortFrom(o.From, o.Port), silence)
	if err != nil {
		return Sent{}, fmt.Errorf("a socket to send from: %w", err)
	}
	defer unix.Close(fd)
	s := &sender{o: o, fd: fd, names: make([]unix.RawSockaddrInet4, o.Flows)}
	if err := s.prepare(); err != nil {
		return Sent{}, err
	}
	// Whoever points into s does so by raw addresses: it must not move, and it does not, being on the heap.
	defer runtime.KeepAlive(s)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := s.stretch(ctx, warm, o.Warm); err != nil {
		return s.sent, err
	}
	if s.sent.Seconds, err = s.stretch(ctx, count, o.Length); err != nil {
		return s.sent, err
	}
	return s.sent, s.finish(ctx)
}

// prepare fills in what is the same for every call. One flow has a connected socket, as a program would.
func (s *sender) prepare() error {
	if s.o.Flows == 1 {
		if err := unix.Connect(s.fd, &unix.SockaddrInet4{Addr: s.o.To.As4(), Port: int(s.o.Port)}); err != nil {
			return err
		}
	}
	for i := range s.names {
		name(&s.names[i], netip.AddrPortFrom(s.o.To, s.o.Port+uint16(i)))
	}
	if s.o.Segments > 1 {
		if err := unix.SetsockoptInt(s.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, s.o.Size-Overhead); err != nil {
			return fmt.Errorf("segmentation by the system: %w", err)
		}
	}
	for i := range s.iovs {
		s.iovs[i][0].Base = &s.heads[i][0]
		s.iovs[i][0].SetLen(headLen)
	}
	for i := range s.answers {
		s.answerV[i].Base = &s.answer[i][0]
		s.answerV[i].SetLen(headLen)
		s.answers[i].Iov = &s.answerV[i]
		s.answers[i].SetIovlen(1)
	}
	return nil
}

// stretch sends datagrams of a kind for some time, and returns how long that took in seconds.
func (s *sender) stretch(ctx context.Context, k kind, length time.Duration) (float64, error) {
	began := time.Now()
	for {
		took := time.Since(began)
		if took >= length {
			return took.Seconds(), nil
		}
		if err := ctx.Err(); err != nil {
			return took.Seconds(), err
		}
		room := burst
		if s.o.Window > 0 {
			room = s.room()
		}
		if err := s.send(k, room); err != nil {
			return took.Seconds(), err
		}
	}
}

// room waits until a whole burst may leave.
func (s *sender) room() int {
	s.listen(unix.MSG_DONTWAIT)
	for s.next-s.heard+burst > uint64(s.o.Window) {
		if !s.listen(unix.MSG_WAITFORONE) {
			s.heard = s.next
			s.sent.Stalls++
		}
	}
	return burst
}

// listen hears what the sink says, and reports whether it said anything.
func (s *sender) listen(flags int) bool {
	n, err := recvmmsg(s.fd, s.answers[:], flags)
	if err != nil {
		return err == unix.EINTR
	}
	for i := range n {
		if h, ok := parse(s.answer[i][:min(s.answers[i].n, headLen)]); ok && h.run == s.o.Run && h.kind == seen {
			s.heard = max(s.heard, h.number)
		}
	}
	return n > 0
}

// send sends n datagrams, at most a burst.
func (s *sender) send(k kind, n int) error {
	rest := s.o.Size - Overhead - headLen
	if k == end {
		rest = 0
	}
	each := min(max(s.o.Segments, 1), n)
	for i := range n {
		number := s.next + uint64(i)
		flow := s.o.flow(number)
		head{s.o.Run, flow, k, number}.put(s.heads[i][:])
		s.iovs[i][1] = unix.Iovec{}
		if rest > 0 {
			s.iovs[i][1].Base = unsafe.SliceData(filler(number, rest))
			s.iovs[i][1].SetLen(rest)
		}
		if i%each == 0 {
			m := &s.list[i/each]
			m.Iov = &s.iovs[i][0]
			m.SetIovlen(2 * each)
			if s.o.Flows > 1 {
				m.Name = (*byte)(unsafe.Pointer(&s.names[flow]))
				m.Namelen = unix.SizeofSockaddrInet4
			}
		}
	}
	s.next += uint64(n)
	if k == count {
		s.sent.Packets += uint64(n)
	}
	for at, last := 0, n/each; at < last; {
		done, err := sendmmsg(s.fd, s.list[at:last])
		s.sent.Calls++
		switch err {
		case nil:
			at += done
		case unix.EINTR:
		case unix.ENOBUFS, unix.EAGAIN, unix.ENOMEM:
			at++
			if k == count {
				s.sent.Refused += uint64(each)
			}
		default:
			return fmt.Errorf("sending: %w", err)
		}
	}
	return nil
}

// finish says several times that nothing follows. Behind full queues the first may be lost, and once the sink has gone it may be refused.
func (s *sender) finish(ctx context.Context) error {
	for range 10 {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.send(end, 1) != nil {
			return nil
		}
	}
	return nil
}
