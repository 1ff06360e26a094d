//go:build !linux

package diagnose

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

func openProber(_, remote netip.AddrPort, _ uint32) (prober, error) {
	return openPortableProber(remote)
}

func isUnreachable(err error) bool { return errors.Is(err, syscall.EHOSTUNREACH) }

// wayTo asks the system for the source of packets to an address by connecting a UDP socket, which sends nothing.
func wayTo(to netip.Addr, _ uint32) (way, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, ikePort)))
	if err != nil {
		return way{}, err
	}
	defer conn.Close()
	return way{source: conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()}, nil
}

// neighbour has nothing to say on this system.
func neighbour(netip.Addr, uint32) string { return "" }
