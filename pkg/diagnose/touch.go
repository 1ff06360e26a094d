package diagnose

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// touch reports whether a TCP connection or a UDP datagram gets any answer: accepted, refused or unreachable, it came from beyond the SA.
func touch(ctx context.Context, p *pinger, network string, from, to netip.AddrPort) bool {
	const limit = time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from)}
	if network == "udp" {
		d.LocalAddr = net.UDPAddrFromAddrPort(from)
	}
	conn, err := d.DialContext(ctx, network, to.String())
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
	}
	defer conn.Close()
	if network == "tcp" {
		return true
	}
	if err := conn.SetDeadline(p.Now().Add(limit)); err != nil {
		return false
	}
	if _, err := conn.Write([]byte{0}); err != nil {
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil || errors.Is(err, syscall.ECONNREFUSED)
}
