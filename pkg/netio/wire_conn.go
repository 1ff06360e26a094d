package netio

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// wireConn is one end of a Wire.
type wireConn struct {
	wire   *Wire
	local  netip.AddrPort
	ready  *sync.Cond // on wire.mu
	queue  []*flight
	closed bool
}

func (c *wireConn) LocalAddr() netip.AddrPort { return c.local }

func (c *wireConn) ReadBatch(msgs []Message) (int, error) {
	if len(msgs) == 0 {
		return 0, nil
	}
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	for {
		for len(c.queue) == 0 && !c.closed {
			c.ready.Wait()
		}
		if c.closed {
			return 0, net.ErrClosed
		}
		if n := c.take(msgs); n > 0 {
			return n, nil
		}
	}
}

// take moves what waits into msgs. A datagram that does not fit its buffer is lost, as on a real socket.
func (c *wireConn) take(msgs []Message) (n int) {
	for n < len(msgs) && len(c.queue) > 0 {
		f := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		m := &msgs[n]
		if len(f.data) > len(m.Buf)-m.Off {
			continue
		}
		m.N, m.Segment, m.TOS, m.Fragment = copy(m.Buf[m.Off:], f.data), 0, f.tos, false
		m.Remote, m.Local = f.from, c.local
		n++
	}
	return n
}

func (c *wireConn) WriteBatch(msgs []Message) (sent int, err error) {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	var errs []error
	for i := range msgs {
		switch e := c.write(&msgs[i]); {
		case errors.Is(e, net.ErrClosed):
			return sent, e
		case e != nil:
			errs = append(errs, e)
		default:
			sent++
		}
	}
	c.wire.deliverDue()
	return sent, errors.Join(errs...)
}

// write sends the datagrams of one message.
func (c *wireConn) write(m *Message) error {
	if c.closed {
		return net.ErrClosed
	}
	from := c.local
	if m.Local.IsValid() && m.Local.Addr().IsValid() {
		from = netip.AddrPortFrom(m.Local.Addr(), c.local.Port())
	}
	size := m.N
	if m.Segment > 0 && m.Segment < size {
		size = m.Segment
	}
	if mtu := c.wire.cfg.MTU; mtu > 0 && size > mtu && !m.Fragment {
		return &TooBig{Remote: m.Remote, MTU: mtu}
	}
	b := m.Bytes()
	for {
		part := b[:min(size, len(b))]
		c.wire.send(from, m.Remote, m.TOS, part)
		if b = b[len(part):]; len(b) == 0 {
			return nil
		}
	}
}

func (c *wireConn) Close() error {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	c.closed = true
	c.queue = nil
	c.ready.Broadcast()
	return nil
}

// TryRead is ReadBatch without waiting, for tests that run in one goroutine: it returns 0 if nothing has arrived.
func (c *wireConn) TryRead(msgs []Message) int {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	return c.take(msgs)
}

// TryReader is implemented by the ends of a Wire: a ReadBatch that does not wait.
type TryReader interface {
	TryRead(msgs []Message) int
}
