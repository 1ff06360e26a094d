package netio

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// clearConn is the clear path: a raw socket of each family that sends any protocol and receives nothing.
type clearConn struct {
	v4, v6 *rawConn // v6 is nil on a kernel without IPv6
	done   chan struct{}
	once   sync.Once
}

func openClear(o Options) (Conn, error) {
	v4, err := openRaw(unix.IPPROTO_RAW, netip.IPv4Unspecified(), o)
	if err != nil {
		return nil, err
	}
	v6, err := openRaw(unix.IPPROTO_RAW, netip.IPv6Unspecified(), o)
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
		v4.Close()
		return nil, err
	}
	c := &clearConn{v4: v4, v6: v6, done: make(chan struct{})}
	if err := c.ignorePathCache(); err != nil {
		c.Close()
		return nil, err
	}
	for _, r := range c.both() {
		// An IPv6 socket for protocol 255 would receive it; nobody reads here.
		_ = r.set(unix.SOL_SOCKET, unix.SO_RCVBUF, 0)
	}
	return c, nil
}

// ignorePathCache keeps the kernel from refusing what is larger than the path MTU in its cache: any forger of ICMP can shrink that (D13). The interface's
// MTU holds all the same.
func (c *clearConn) ignorePathCache() error {
	var errs []error
	for i, r := range c.both() {
		level, option := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER
		if i == 1 {
			level, option = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER
		}
		errs = append(errs, r.set(level, option, unix.IP_PMTUDISC_PROBE))
	}
	return errors.Join(errs...)
}

func (c *clearConn) both() []*rawConn {
	if c.v6 == nil {
		return []*rawConn{c.v4}
	}
	return []*rawConn{c.v4, c.v6}
}

func (c *clearConn) ReadBatch([]Message) (int, error) {
	<-c.done
	return 0, net.ErrClosed
}

// WriteBatch sends the datagrams of each family in their order. What is no IP datagram is refused.
func (c *clearConn) WriteBatch(msgs []Message) (sent int, err error) {
	s4, s6 := begin(0), begin(0)
	var bad []error
	for i := range msgs {
		m := &msgs[i]
		dst, ok := destination(m.Bytes())
		switch {
		case ok && dst.Is4():
			s4.lost = append(s4.lost, false)
			c.v4.addItem(s4, m, len(s4.lost)-1)
		case ok && c.v6 != nil:
			s6.lost = append(s6.lost, false)
			c.v6.addItem(s6, m, len(s6.lost)-1)
		default:
			c.v4.refusals.Add(1)
			bad = append(bad, errors.New("what is not an IP datagram cannot be sent in clear"))
		}
	}
	n4, err4 := c.v4.flush(s4)
	n6, err6 := 0, error(nil)
	if c.v6 != nil {
		n6, err6 = c.v6.flush(s6)
	}
	return n4 + n6, errors.Join(errors.Join(bad...), err4, err6)
}

func (c *clearConn) LocalAddr() netip.AddrPort { return netip.AddrPort{} }

func (c *clearConn) Stats() (sum Stats) {
	for _, r := range c.both() {
		s := r.Stats()
		sum.Full += s.Full
		sum.Refused += s.Refused
	}
	return sum
}

func (c *clearConn) Close() (err error) {
	c.once.Do(func() {
		close(c.done)
		for _, r := range c.both() {
			err = errors.Join(err, r.Close())
		}
	})
	return err
}
