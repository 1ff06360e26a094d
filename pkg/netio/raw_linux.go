package netio

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawConn is a raw socket for one protocol and family.
type rawConn struct {
	socket
	proto uint8
	in    *receiver
}

func listenRaw(proto uint8, local netip.Addr, o Options) (Conn, error) {
	if proto != ProtoESP && proto != ProtoAH {
		return nil, fmt.Errorf("raw sockets are for protocols %d and %d, not %d", ProtoESP, ProtoAH, proto)
	}
	c, err := openRaw(int(proto), local.Unmap(), o)
	if err != nil {
		return nil, err
	}
	if c.is4 {
		c.in = newReceiver(8) // the header says all
	} else {
		c.in = newReceiver(rawControlRoom)
	}
	return c, nil
}

// openRaw opens a raw socket that sends whole datagrams.
func openRaw(proto int, local netip.Addr, o Options) (*rawConn, error) {
	family, options := unix.AF_INET, [][3]int{{unix.IPPROTO_IP, unix.IP_HDRINCL, 1}}
	if local.Is6() {
		family, options = unix.AF_INET6, raw6Options
	}
	fd, err := newSocket(family, unix.SOCK_RAW, proto, o)
	if err != nil {
		return nil, explainRaw(proto, err)
	}
	if err := setOptions(fd, options); err != nil {
		unix.Close(fd)
		return nil, explainRaw(proto, err)
	}
	c := &rawConn{proto: uint8(proto)}
	c.opts = o
	if err := c.finish(fd, netip.AddrPortFrom(local, 0)); err != nil {
		return nil, explainRaw(proto, fmt.Errorf("address %v: %w", local, err))
	}
	c.local = netip.AddrPortFrom(c.local.Addr(), 0) // the kernel reports the protocol as the port
	return c, nil
}

func explainRaw(proto int, err error) error {
	if isPermission(err) {
		return fmt.Errorf("a raw socket for protocol %d could not be opened: the capability CAP_NET_RAW (and CAP_NET_ADMIN for the mark) "+
			"is missing. Run as root, or set encapsulation: udp: %w", proto, err)
	}
	return fmt.Errorf("a raw socket for protocol %d could not be opened: %w", proto, err)
}

func (c *rawConn) ReadBatch(msgs []Message) (int, error) {
	skip := 0
	if !c.is4 {
		skip = ip6HeaderLen
	}
	for {
		got, err := c.in.receive(&c.socket, msgs, skip)
		if err != nil {
			return 0, err
		}
		n := 0
		for i := range got {
			if n != i {
				msgs[n], msgs[i] = msgs[i], msgs[n]
			}
			if c.in.damaged(i) || !c.describe(&msgs[n], i) {
				c.truncated.Add(1)
				continue
			}
			n++
		}
		if n > 0 || len(msgs) == 0 || c.in.try {
			return n, nil
		}
	}
}

// TryReadBatch implements PolledConn.
func (c *rawConn) TryReadBatch(msgs []Message) (int, error) {
	c.in.try = true
	defer func() { c.in.try = false }()
	return c.ReadBatch(msgs)
}

// describe fills m from slot i of the receiver. It reports false if the datagram cannot be had whole.
func (c *rawConn) describe(m *Message, i int) bool {
	m.Segment, m.Fragment = 0, false
	if !c.is4 {
		return c.rebuild6(m, i)
	}
	m.N = int(c.in.hdrs[i].n)
	return m.describe4()
}

// describe4 fills in what an IPv4 header says.
func (m *Message) describe4() bool {
	b := m.Bytes()
	if len(b) < 20 {
		return false
	}
	m.TOS = b[1]
	m.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), 0)
	m.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), 0)
	return true
}

// gatherTime is how long Gather waits. The kernel adds up to its timer slack, 50 microseconds.
var gatherTime = unix.Timespec{Nsec: 30_000}

// Gather implements Gatherer.
func (c *rawConn) Gather() { _ = unix.Nanosleep(&gatherTime, nil) }

func (c *rawConn) WriteBatch(msgs []Message) (int, error) {
	s := begin(len(msgs))
	for i := range msgs {
		c.addItem(s, &msgs[i], i)
	}
	return c.flush(s)
}

func (c *rawConn) flush(s *sender) (int, error) { return s.end(s.sendAll(c)) }

func (c *rawConn) base() *socket { return &c.socket }

func (c *rawConn) appendControls(b []byte, _ *item) []byte { return b }

// fragmentable does nothing: the header of the datagram says it.
func (c *rawConn) fragmentable(bool) {}

func (c *rawConn) refused(s *sender, it *item, errno syscall.Errno) { s.refuse(&c.socket, it, errno) }

// addItem takes the destination from the datagram's header: what is in the header and where it is sent to must not differ. The zone of a
// link-local destination comes from Remote.
func (c *rawConn) addItem(s *sender, m *Message, at int) {
	b := m.Bytes()
	dst, ok := destination(b)
	it := item{data: b, remote: netip.AddrPortFrom(dst, 0), msg: at}
	if !ok || dst.Is4() != c.is4 {
		c.refusals.Add(1)
		s.fail(&it, fmt.Errorf("%w: not an IP datagram of this socket's family", net.InvalidAddrError("raw socket")))
		return
	}
	if dst.IsLinkLocalUnicast() {
		it.remote = netip.AddrPortFrom(dst.WithZone(m.Remote.Addr().Zone()), 0)
	}
	s.items = append(s.items, it)
}

// putIP6Header writes the fixed header of RFC 8200 §3; flow is the first word without the version.
func putIP6Header(b []byte, flow uint32, payload int, next, hops uint8, src, dst netip.Addr) {
	binary.BigEndian.PutUint32(b[0:], 6<<28|flow&0x0fffffff)
	binary.BigEndian.PutUint16(b[4:], uint16(payload))
	b[6], b[7] = next, hops
	s, d := src.As16(), dst.As16()
	copy(b[8:], s[:])
	copy(b[24:], d[:])
}
