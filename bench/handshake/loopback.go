package handshake

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/netio"
)

const (
	// underWay is how many negotiations are begun before the first has ended.
	underWay = 48
	// markerLen is the length of the non-ESP marker, which every datagram off port 500 bears (RFC 3948 §2.2).
	markerLen = 4
	// patience ends a measurement that stands still. A lost datagram is repeated after a second.
	patience = 20 * time.Second
)

// host is one end with its socket.
type host struct {
	mu sync.Mutex // an engine is not safe for concurrent use: the socket's goroutine and the timer's take turns
	*end
	conn netio.Conn
	out  []netio.Message
	err  error
	// after is called with the lock held when datagrams were worked through.
	after func(now time.Time)
}

// link is an initiator and a responder with a socket each.
type link struct {
	client, server *host
	n              int // negotiations
	begun          int
}

// overLoopback makes n negotiations with so many pairs of engines at a time, each engine with a socket and a goroutine of its own.
func overLoopback(pairs int) func(ctx context.Context, x exchange, n int) (usage, error) {
	return func(ctx context.Context, x exchange, n int) (used usage, err error) {
		var links []*link
		var running sync.WaitGroup
		ctx, cancel := context.WithCancel(ctx)
		end := func() (err error) {
			cancel()
			for _, l := range links {
				err = errors.Join(err, l.client.conn.Close(), l.server.conn.Close())
			}
			running.Wait()
			return err
		}
		for i := range pairs {
			hosts, err := newHosts(x)
			if err != nil {
				return usage{}, errors.Join(err, end())
			}
			links = append(links, &link{client: hosts[0], server: hosts[1], n: share(n, i, pairs)})
		}
		ended := make(chan error, 4*pairs)
		late := time.NewTimer(patience)
		defer late.Stop()
		m := start()
		for _, l := range links {
			l.run(ctx, &running, ended)
		}
		for range links {
			select {
			case e := <-ended:
				err = errors.Join(err, e)
			case <-late.C:
				err = errors.New("handshake: the negotiations stand still")
			case <-ctx.Done():
				err = ctx.Err()
			}
			if err != nil {
				break
			}
		}
		used = m.stop(n)
		if err = errors.Join(err, end()); err != nil {
			return usage{}, err
		}
		for _, l := range links {
			if err := verify(l.client.end, l.server.end, l.n); err != nil {
				return usage{}, err
			}
		}
		return used, nil
	}
}

// run begins a link's negotiations. It tells of their end, or of an error.
func (l *link) run(ctx context.Context, running *sync.WaitGroup, ended chan<- error) {
	fill := func(now time.Time) { // as many as may be under way at once
		for ; l.begun < l.n && l.begun-len(l.client.children) < underWay; l.begun++ {
			l.client.begin(now, l.begun)
		}
	}
	l.client.after = fill
	told := false
	l.server.after = func(time.Time) {
		if len(l.server.children) == l.n && !told {
			told = true
			ended <- nil
		}
	}
	for _, h := range []*host{l.client, l.server} {
		running.Go(func() {
			if err := h.serve(); err != nil {
				ended <- err
			}
		})
		running.Go(func() { h.keepTime(ctx) })
	}
	if l.n == 0 {
		ended <- nil
		return
	}
	l.client.step(time.Now(), fill)
}

func newHosts(x exchange) (hosts [2]*host, err error) {
	defer func() {
		for _, h := range hosts {
			if err != nil && h != nil {
				h.conn.Close()
			}
		}
	}()
	for i, local := range []netip.Addr{netip.IPv4Unspecified(), responder} {
		conn, err := netio.ListenUDP(netip.AddrPortFrom(local, 0), netio.Options{NoOffload: true})
		if err != nil {
			return hosts, err
		}
		hosts[i] = &host{conn: conn}
	}
	for i, h := range hosts {
		if h.end, err = newEnd(x, i == 0, spis(), h.conn.LocalAddr().Port(), hosts[1-i].conn.LocalAddr().Port()); err != nil {
			return hosts, err
		}
	}
	return hosts, nil
}

// step does f and what follows from it, and sends what is to be sent. It returns the first error of all steps.
func (h *host) step(now time.Time, f func(now time.Time)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.out = h.out[:0]
	f(now)
	h.err = errors.Join(h.err, h.drain(h.queue))
	if h.after != nil {
		h.after(now)
		h.err = errors.Join(h.err, h.drain(h.queue)) // what it began
	}
	if len(h.out) > 0 && h.err == nil {
		_, h.err = h.conn.WriteBatch(h.out)
	}
	return h.err
}

// queue puts a datagram behind a marker into the batch.
func (h *host) queue(d isakmp.Datagram) {
	b := append(make([]byte, markerLen, markerLen+len(d.Data)), d.Data...)
	h.out = append(h.out, netio.Message{Buf: b, N: len(b), Local: d.Local, Remote: d.Remote})
}

// serve takes datagrams until the socket is closed.
func (h *host) serve() error {
	msgs := make([]netio.Message, 64)
	for i := range msgs {
		msgs[i].Buf = make([]byte, 2048)
	}
	for {
		n, err := h.conn.ReadBatch(msgs)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		err = h.step(time.Now(), func(now time.Time) {
			for i := range msgs[:n] {
				m := &msgs[i]
				if b := m.Bytes(); len(b) > markerLen {
					h.engine.Receive(now, isakmp.Datagram{Local: m.Local, Remote: m.Remote, Data: b[markerLen:]})
				}
			}
		})
		if err != nil {
			return err
		}
	}
}

// keepTime lets the engine do what is due, which is to repeat what was lost.
func (h *host) keepTime(ctx context.Context) {
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if h.step(time.Now(), h.engine.Advance) != nil {
				return // serve tells of it
			}
		case <-ctx.Done():
			return
		}
	}
}
