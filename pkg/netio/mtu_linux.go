package netio

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// pathMTU asks a connected UDP socket, which sends nothing.
func pathMTU(remote netip.Addr, o Options) (int, error) {
	remote = remote.Unmap()
	family, level, option := unix.AF_INET, unix.IPPROTO_IP, unix.IP_MTU
	if remote.Is6() {
		family, level, option = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	fd, err := newSocket(family, unix.SOCK_DGRAM, 0, Options{Mark: o.Mark, Buffer: 4096})
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, sockaddr(netip.AddrPortFrom(remote, 9))); err != nil {
		return 0, fmt.Errorf("there is no route to %v: %w", remote, err)
	}
	mtu, err := unix.GetsockoptInt(fd, level, option)
	if err != nil {
		return 0, fmt.Errorf("the path MTU to %v is not known: %w", remote, err)
	}
	return mtu, nil
}
