package netio

import "net/netip"

// Message is one datagram, or on reading from a UDP socket with receive offload and on writing with segmentation offload a run of
// equally long ones (the last may be shorter).
type Message struct {
	// Buf holds the datagram at Buf[Off:Off+N]. On reading the socket fills Buf from Off; Off is the headroom the reader wants kept free.
	Buf    []byte
	Off, N int
	// Segment is the length of each datagram in a run, or 0 for a single one.
	Segment int
	// Remote and Local are the outer addresses; for raw sockets the port is 0. On writing a zero Local leaves the choice to the system.
	Remote, Local netip.AddrPort
	// TOS is the outer DSCP and ECN octet, as received or to be sent.
	TOS uint8
	// Fragment, on writing to a UDP socket, allows the system to fragment the datagram (DF clear). Without it a datagram that its
	// link does not take is refused with *TooBig.
	Fragment bool
}

// Bytes returns the datagram, or the run of datagrams, of m.
func (m *Message) Bytes() []byte { return m.Buf[m.Off : m.Off+m.N] }

// Conn moves batches of datagrams. ReadBatch blocks until there is at least one message or the Conn is closed (net.ErrClosed).
// One goroutine may read while others write; WriteBatch is safe for concurrent use.
// On the raw kind every message is a whole IP datagram with its header, both ways, for both families (the IPv6 header is rebuilt on reading).
type Conn interface {
	ReadBatch(msgs []Message) (n int, err error)
	// WriteBatch sends all it can. It returns how many messages were handed to the system and the errors of the others, joined;
	// an error of one datagram does not stop the rest. EMSGSIZE is reported as *TooBig.
	WriteBatch(msgs []Message) (n int, err error)
	LocalAddr() netip.AddrPort
	Close() error
}

// PolledConn is a Conn whose reader may leave the waiting to somebody who waits for several files (package poll).
type PolledConn interface {
	Conn
	// TryReadBatch is ReadBatch without waiting. If there is nothing it returns 0 and no error.
	TryReadBatch(msgs []Message) (n int, err error)
	// Lend and Return are those of poll.Files.
	Lend(fds []int) ([]int, bool)
	Return()
}

// Gatherer is a Conn whose datagrams come singly, each of which wakes the reader.
type Gatherer interface {
	// Gather waits a moment without listening, some 50 microseconds, so that datagrams gather. Where many come that costs less than to be woken for each,
	// on both ends of the wake-up.
	Gather()
}
