package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// pinger sends echo requests from a host and waits for each answer in a blocking read, which costs less than a wake-up through a poller
// and is the same for everybody.
type pinger struct {
	fd   int
	to   unix.Sockaddr
	id   uint16
	seq  uint16
	wire [64]byte
	in   [256]byte
}

// ping opens a pinger between two addresses.
func (h *host) ping(from, to netip.Addr) (*pinger, error) {
	p := &pinger{to: &unix.SockaddrInet4{Addr: to.As4()}, id: uint16(unix.Getpid())}
	err := h.do(func() (err error) {
		p.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("a socket for echo requests cannot be made: %w", err)
	}
	if err := unix.Bind(p.fd, &unix.SockaddrInet4{Addr: from.As4()}); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *pinger) close() error { return unix.Close(p.fd) }

// errNoEcho says that an answer did not come in time.
var errNoEcho = errors.New("no answer to an echo request")

// once sends one request and returns the time to its answer. It waits at most limit.
func (p *pinger) once(limit time.Duration) (time.Duration, error) {
	p.seq++
	request(p.wire[:], p.id, p.seq)
	began := time.Now()
	if err := unix.Sendto(p.fd, p.wire[:], 0, p.to); err != nil {
		return 0, err
	}
	for {
		left := limit - time.Since(began)
		if left <= 0 {
			return 0, errNoEcho
		}
		tv := unix.NsecToTimeval(int64(left) + 1000)
		if err := unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return 0, err
		}
		n, _, err := unix.Recvfrom(p.fd, p.in[:], 0)
		took := time.Since(began)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, errNoEcho
		case err != nil:
			return 0, err
		case answers(p.in[:n], p.id, p.seq):
			return took, nil
		}
	}
}

// request writes an echo request (RFC 792) that fills b.
func request(b []byte, id, seq uint16) {
	clear(b)
	b[0] = 8
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum))
}

// answers reports whether an IPv4 datagram is the echo reply with that identifier and number.
func answers(datagram []byte, id, seq uint16) bool {
	if len(datagram) < 20 {
		return false
	}
	hlen := int(datagram[0]&15) * 4
	if len(datagram) < hlen+8 {
		return false
	}
	icmp := datagram[hlen:]
	return icmp[0] == 0 && binary.BigEndian.Uint16(icmp[4:]) == id && binary.BigEndian.Uint16(icmp[6:]) == seq
}

// reach sends requests until one is answered: the tunnel stands.
func (p *pinger) reach(ctx context.Context, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for ctx.Err() == nil {
		if _, err := p.once(200 * time.Millisecond); err == nil {
			return nil
		} else if time.Now().After(deadline) {
			return fmt.Errorf("the other end was not reached within %v: %w", limit, err)
		}
		pause(ctx, 20*time.Millisecond)
	}
	return ctx.Err()
}

// echoes measures n round trips, five milliseconds apart, and returns them in microseconds. One that is lost is an error: the lab loses nothing.
func (p *pinger) echoes(ctx context.Context, n int) ([]float64, error) {
	const warm = 10
	list := make([]float64, 0, n)
	for i := range warm + n {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		took, err := p.once(2 * time.Second)
		if err != nil {
			return nil, err
		}
		if i >= warm {
			list = append(list, float64(took.Nanoseconds())/1000)
		}
		pause(ctx, 5*time.Millisecond)
	}
	return list, nil
}

// pause waits, but not past the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
