//go:build !linux

package diagnose

import (
	"errors"
	"net/netip"
	"syscall"
)

func openProber(_, remote netip.AddrPort, _ uint32) (prober, error) {
	return openPortableProber(remote)
}

func isUnreachable(err error) bool { return errors.Is(err, syscall.EHOSTUNREACH) }

func wayTo(to netip.Addr, _ uint32) (way, error) { return wayByDialling(to) }

// neighbour has nothing to say on this system.
func neighbour(netip.Addr, uint32) string { return "" }
