//go:build !linux

package netio

import (
	"net/netip"
	"syscall"
)

func listenUDP(local netip.AddrPort, o Options) (Conn, error) { return listenPortable(local, o) }

func listenQueues(local netip.AddrPort, _ int, o Options) ([]Conn, error) {
	c, err := listenPortable(local, o)
	if err != nil {
		return nil, err
	}
	return []Conn{c}, nil
}

func listenRaw(uint8, netip.Addr, Options) (Conn, error) { return nil, ErrUnavailable }

func openClear(Options) (Conn, error) { return nil, ErrUnavailable }

func pathMTU(netip.Addr, Options) (int, error) { return 0, ErrUnavailable }

func listenPathEvents(Options) (PathEvents, error) { return nil, ErrUnavailable }

func setMark(syscall.RawConn, uint32) error { return nil }

func portHolder(netip.AddrPort) string { return "" }

func holders(uint16) []Holder { return nil }

func openDirect(DirectConfig) (DirectSender, error) { return nil, ErrNoDirect }

func listenDirect(Options) (DirectReceiver, error) { return nil, ErrNoDirect }
