package netio

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// Options are common to all sockets of the package. The zero value works everywhere.
type Options struct {
	// Mark is the firewall mark (SO_MARK) that keeps a socket's datagrams out of the tunnel; 0 sets none. Linux only.
	Mark uint32
	// NoOffload turns segmentation and receive offload of UDP off: every message is then one datagram, and 2048 octets of buffer
	// are enough on ordinary links. With offload, buffers for reading should have room for 64 KiB.
	NoOffload bool
	// Buffer is the size of the system's send and receive buffers in octets; 0 means 4 MiB. The system may grant less.
	Buffer int
}

// DefaultBuffer is the size of socket buffers, in octets, where Options name none.
const DefaultBuffer = 4 << 20

// MaxBatch is how many messages one call moves at most; ReadBatch and WriteBatch accept longer slices.
const MaxBatch = 128

func (o Options) buffer() int {
	if o.Buffer == 0 {
		return DefaultBuffer
	}
	return o.Buffer
}

// TooBig says that a datagram is larger than the link it would leave by. It is EMSGSIZE with the reason.
type TooBig struct {
	// Remote is where the datagram was going to.
	Remote netip.AddrPort
	// MTU is the largest IP datagram, in octets with its header, that the way to Remote takes; 0 if the system did not say.
	MTU int
}

func (e *TooBig) Error() string {
	if e.MTU == 0 {
		return fmt.Sprintf("the datagram to %v is too big for its link", e.Remote)
	}
	return fmt.Sprintf("the datagram to %v is too big for its link, which takes %d octets", e.Remote, e.MTU)
}

// Unwrap makes errors.Is(err, syscall.EMSGSIZE) true.
func (e *TooBig) Unwrap() error { return syscall.EMSGSIZE }

// ErrFull says that the system had no room for a datagram for a while and that it was dropped (ENOBUFS, EAGAIN).
var ErrFull = errors.New("the system's send buffer is full; the datagram was dropped")

// ErrUnavailable says that the operating system does not offer this kind of socket to us; use UDP encapsulation there.
var ErrUnavailable = errors.New("raw IP sockets for IPsec are Linux only so far; set encapsulation: udp")

// Stats counts what a socket met since it was opened, in datagrams or messages.
type Stats struct {
	// Truncated were received but longer than the buffer that was offered, and dropped.
	Truncated uint64
	// Full were dropped because the system's send buffer was full (ErrFull). Of a DirectSender it is how often an interface took nothing for 20 ms: the fallback sent.
	Full uint64
	// Refused could not be sent for another reason (no route, a firewall, too big).
	Refused uint64
	// Runs went out by segmentation offload; Fallbacks are runs that had to be sent datagram by datagram instead.
	Runs, Fallbacks uint64
	// Lost came directly and found no room, because the reader was behind.
	Lost uint64
	// Direct went, or came, past the network stack (OpenDirect, ListenDirect).
	Direct uint64
}

// Counted is implemented by the sockets of this package that keep Stats.
type Counted interface{ Stats() Stats }
