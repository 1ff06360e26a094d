package diagnose

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// socketProber speaks from a port that the system chooses: all that can be had without raw sockets. It works where no policy is in force.
type socketProber struct {
	conn   *net.UDPConn
	remote netip.AddrPort
}

func openPortableProber(remote netip.AddrPort) (prober, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote))
	if err != nil {
		return nil, err
	}
	return &socketProber{conn: conn, remote: remote}, nil
}

func (s *socketProber) close() { s.conn.Close() }

// send leaves it to next to tell what a closed port has answered.
func (s *socketProber) send(payload []byte) error {
	_, err := s.conn.Write(payload)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}

func (s *socketProber) next(deadline time.Time, mine func([]byte) (string, bool)) (heard, error) {
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return heard{}, err
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := s.conn.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return heard{}, nil
		case errors.Is(err, syscall.ECONNREFUSED):
			return heard{kind: heardClosed, from: s.remote.Addr()}, nil
		case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
			return heard{kind: heardUnreachable, from: s.remote.Addr(), text: "the peer cannot be reached"}, nil
		case err != nil:
			return heard{}, err
		}
		if text, ok := mine(buf[:n]); ok {
			return heard{kind: heardIKE, from: s.remote.Addr(), text: text}, nil
		}
	}
}
