package netio

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// The protocol numbers that ListenRaw takes.
const (
	ProtoESP = 50
	ProtoAH  = 51
)

// ListenUDP opens a UDP socket on one address and port of one family; an unspecified address (0.0.0.0 or ::) listens on all of that
// family, port 0 chooses one. If the port is in use the error names the process that holds it, where that can be found out.
func ListenUDP(local netip.AddrPort, o Options) (Conn, error) { return listenUDP(local, o) }

// ListenQueues opens several UDP sockets on one address and port that carries IKE and UDP-encapsulated ESP (RFC 3948 §2.2). The first takes what
// is not ESP: IKE behind its marker, keepalives, and what is too short to tell. ESP comes to the others, of which there are as many as queues says:
// an SPI to number SPI modulo queues, counted from the one behind the first. So a flood of ESP leaves IKE its own buffer and its own reader.
//
// Which socket a datagram comes to is the system's choice and a hint, no promise: a run may hold, behind its first datagram, what would have gone elsewhere, and
// where the system cannot steer there is one socket for everything. Errors are those of ListenUDP.
func ListenQueues(local netip.AddrPort, queues int, o Options) ([]Conn, error) {
	return listenQueues(local, queues, o)
}

// ListenRaw opens a raw socket for protocol proto (ProtoESP or ProtoAH) on one address; an unspecified one listens on all addresses
// of its family. Messages are whole IP datagrams with their header, both ways. IPv4 fragments are reassembled by the system before
// they get here; on writing the system fills in the IPv4 length and checksum, and the identification if it is 0 and DF is clear.
// The error is ErrUnavailable where the system has no such sockets.
func ListenRaw(proto uint8, local netip.Addr, o Options) (Conn, error) {
	return listenRaw(proto, local, o)
}

// OpenClear opens the sender for permitted packets that reached the TUN: it takes whole IP datagrams of both families and any
// protocol and sends them as they are, around the tunnel (o.Mark must be the endpoint's mark). Remote may be left zero: the header
// says where to. Its ReadBatch gives nothing and returns net.ErrClosed after Close.
func OpenClear(o Options) (Conn, error) { return openClear(o) }

// PathMTU returns the MTU of the route to remote, in octets, as the system knows it (the least of the device's, the route's and its
// own path MTU cache).
func PathMTU(remote netip.Addr, o Options) (int, error) { return pathMTU(remote, o) }

// ErrInUse is what the error of ListenUDP wraps if the address is taken.
var ErrInUse = errors.New("address already in use")

// explainListen says why a UDP address could not be had, and by whom it is held.
func explainListen(local netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		holder := portHolder(local)
		if holder == "" {
			holder = "another process, which could not be found out"
		}
		return fmt.Errorf("UDP %v is held by %s. Stop it, or choose another address with listen: in the policy file: %w", local, holder, ErrInUse)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("UDP %v cannot be opened: no interface has that address. Check listen: in the policy file: %w", local, err)
	case isPermission(err):
		return fmt.Errorf("UDP %v cannot be opened: the right to do so is missing (CAP_NET_BIND_SERVICE for ports below 1024, "+
			"CAP_NET_ADMIN for the mark). Run as root: %w", local, err)
	}
	return fmt.Errorf("UDP %v cannot be opened: %w", local, err)
}

func isPermission(err error) bool {
	return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)
}
