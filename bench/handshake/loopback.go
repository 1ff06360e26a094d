package handshake

import (
	"context"
	"errors"
	"fmt"
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

// overLoopback makes n negotiations between two engines with a socket and a goroutine each.
func overLoopback(ctx context.Context, x exchange, n int) (used usage, err error) {
	hosts, err := newHosts(x)
	if err != nil {
		return usage{}, err
	}
	client, server := hosts[0], hosts[1]
	finished := make(chan struct{})
	begun := 0
	fill := func(now time.Time) { // as many as may be under way at once
		for ; begun < n && begun-len(client.children) < underWay; begun++ {
			client.begin(now, begun)
		}
	}
	client.after = fill
	server.after = func(time.Time) {
		if len(server.children) == n {
			close(finished)
			server.after = func(time.Time) {}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m := start()
	failed := make(chan error, 2)
	var running sync.WaitGroup
	for _, h := range hosts {
		running.Go(func() {
			if err := h.serve(); err != nil {
				failed <- err
			}
		})
		running.Go(func() { h.keepTime(ctx) })
	}
	client.step(time.Now(), fill)
	select {
	case <-finished:
		used = m.stop(n)
	case err = <-failed:
	case <-ctx.Done():
		err = fmt.Errorf("handshake: the negotiations stand still: %w", ctx.Err())
	}
	cancel()
	err = errors.Join(err, client.conn.Close(), server.conn.Close())
	running.Wait()
	if err != nil {
		return usage{}, err
	}
	return used, verify(client.end, server.end, n)
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

// step does f and what follows from it, and sends what is to be sent.
func (h *host) step(now time.Time, f func(now time.Time)) {
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
		h.step(time.Now(), func(now time.Time) {
			for i := range msgs[:n] {
				m := &msgs[i]
				if b := m.Bytes(); len(b) > markerLen {
					h.engine.Receive(now, isakmp.Datagram{Local: m.Local, Remote: m.Remote, Data: b[markerLen:]})
				}
			}
		})
		if h.err != nil {
			return h.err
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
			h.step(time.Now(), h.engine.Advance)
		case <-ctx.Done():
			return
		}
	}
}
