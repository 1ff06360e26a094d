package netio

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
)

// portableUDP is a Conn over net.UDPConn: one datagram a call, no TOS, no path MTU. It is what systems other than Linux have.
type portableUDP struct {
	conn      *net.UDPConn
	local     netip.AddrPort
	truncated atomic.Uint64
	refused   atomic.Uint64
}

func listenPortable(local netip.AddrPort, o Options) (Conn, error) {
	network := "udp4"
	if local.Addr().Is6() {
		network = "udp6"
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, explainListen(local, err)
	}
	// The size of buffers is a wish; a system that refuses it still works.
	_ = c.SetReadBuffer(o.buffer())
	_ = c.SetWriteBuffer(o.buffer())
	return &portableUDP{conn: c, local: c.LocalAddr().(*net.UDPAddr).AddrPort()}, nil
}

func (c *portableUDP) LocalAddr() netip.AddrPort { return c.local }
func (c *portableUDP) Close() error              { return c.conn.Close() }

func (c *portableUDP) Stats() Stats {
	return Stats{Truncated: c.truncated.Load(), Refused: c.refused.Load()}
}

func (c *portableUDP) ReadBatch(msgs []Message) (int, error) {
	if len(msgs) == 0 {
		return 0, nil
	}
	m := &msgs[0]
	for {
		n, from, err := c.conn.ReadFromUDPAddrPort(m.Buf[m.Off:])
		switch {
		case errors.Is(err, net.ErrClosed):
			return 0, net.ErrClosed
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
			continue // an ICMP message, which anybody may forge
		case err != nil:
			c.truncated.Add(1)
			return 0, err
		}
		m.N, m.Segment, m.TOS, m.Fragment = n, 0, 0, false
		m.Remote = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		m.Local = c.local
		if c.local.Addr().IsUnspecified() {
			m.Local = netip.AddrPort{}
		}
		return 1, nil
	}
}

func (c *portableUDP) WriteBatch(msgs []Message) (sent int, err error) {
	var errs []error
	for i := range msgs {
		m := &msgs[i]
		if e := c.writeRun(m); e != nil {
			c.refused.Add(1)
			errs = append(errs, e)
			continue
		}
		sent++
	}
	return sent, errors.Join(errs...)
}

// writeRun sends the datagrams of m one by one and returns the first error.
func (c *portableUDP) writeRun(m *Message) error {
	var first error
	for b := m.Bytes(); ; {
		part := b
		if m.Segment > 0 && len(b) > m.Segment {
			part = b[:m.Segment]
		}
		_, err := c.conn.WriteToUDPAddrPort(part, m.Remote)
		if errors.Is(err, syscall.EMSGSIZE) {
			err = &TooBig{Remote: m.Remote}
		}
		if err != nil && first == nil {
			first = err
		}
		b = b[len(part):]
		if len(b) == 0 {
			return first
		}
	}
}
