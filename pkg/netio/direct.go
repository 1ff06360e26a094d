package netio

import (
	"errors"
	"net/netip"
	"time"
)

// DirectReceiver is a Conn that takes raw ESP from network interfaces before the host's own network stack works on it: routing, connection tracking and the
// firewall's hooks behind the interface do not see what it takes. It is for reading only.
//
// It takes whole IPv4 datagrams of protocol 50 without options, of at most 2048 octets, with a right header checksum, to addresses that it was told. All others, and those
// of IPv6, go their ordinary way: who wants them has sockets open by ListenRaw too. What it takes does not come out of those, nor
// out of anybody else's: the SPI is not looked at.
type DirectReceiver interface {
	Conn
	// Follow says for which of the host's addresses datagrams are to be taken; it takes them from the interfaces that have these addresses now, so it is to be called whenever
	// addresses or interfaces change. An interface that cannot be had is an error; the others are followed all the same.
	Follow(addresses []netip.Addr) error
}

// ListenDirect makes a DirectReceiver, which takes nothing before Follow. Linux only, from 6.6 on, with the rights of an administrator; the error wraps ErrNoDirect where it
// cannot be had. Nothing is left in the kernel when the process ends, however it ends.
func ListenDirect(o Options) (DirectReceiver, error) { return listenDirect(o) }

// Hop is the next hop on the way to a host: the interface, the Ethernet address of who is to get the frame, that of the interface itself, and how long a datagram, in octets, the way takes.
type Hop struct {
	Interface int
	Hardware  [6]byte
	Source    [6]byte
	MTU       int
}

// DirectSender is a Conn that hands frames to network interfaces. It is for writing only.
type DirectSender interface {
	Conn
	// Refusal says why the interface that was tried last could not be had, so that the fallback sends; nil if it could.
	Refusal() error
}

// DirectConfig is what OpenDirect needs.
type DirectConfig struct {
	Options
	// Fallback sends what does not go directly, as OpenClear's Conn does. It is not closed.
	Fallback Conn
	// Clock tells how long an answer of Hop is trusted: a second.
	Clock func() time.Time
	// Hop says where datagrams to an IPv4 address go. An error means that the network stack must decide, for the next second.
	Hop func(netip.Addr) (Hop, error)
}

// OpenDirect opens a sender that hands frames to the drivers of network interfaces: the host's routing, connection tracking, firewall, queueing disciplines and captures do not see what
// it sends. It takes whole IP datagrams, which the caller must have sealed, fills in length and checksum of their header as a raw socket would, and sends directly those
// of IPv4 and protocol 50, without options, no fragments, no longer than the way takes and of at most 2034 octets, to peers to which many go: the first few to a peer in each second go by the
// fallback, which keeps the kernel's neighbour entry alive, and so do all others and those that the interface refuses. Nothing is read from it. The error wraps ErrNoDirect.
func OpenDirect(c DirectConfig) (DirectSender, error) { return openDirect(c) }

// ErrNoDirect says that the system does not let raw ESP past its network stack.
var ErrNoDirect = errors.New("raw ESP cannot bypass this system's network stack: that takes Linux 6.6 or later with BPF and XDP sockets (CONFIG_BPF_SYSCALL, CONFIG_NET_XGRESS, CONFIG_XDP_SOCKETS), " +
	"a 64-bit processor whose least octet comes first, and the rights of root. Do without --direct-esp")

const (
	// directSlot is how many octets of a datagram a place in the ring has room for, directSmall that of one for small datagrams, and recordHeader what stands before them.
	directSlot   = 2048
	directSmall  = 256
	recordHeader = 8
	// What is shared with the kernel's program begins with the word that says that the reader sleeps; here it counts what found no room.
	sharedLost = 8
)
