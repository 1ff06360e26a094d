package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"time"
)

// patternLen is the length of the random pattern that all data repeats.
const patternLen = 1 << 16

// world is the two ends and the wire between them.
type world struct {
	a, b    *host
	wire    *wire
	pattern []byte
}

func newWorld(ctx context.Context, methods string) (*world, error) {
	w := &world{pattern: make([]byte, patternLen)}
	if _, err := rand.Read(w.pattern); err != nil {
		return nil, err
	}
	w.wire = newWire(w.pattern)
	key, err := freshKey()
	if err != nil {
		return nil, err
	}
	if w.a, err = newHost("a", hostA, w.wire); err != nil {
		return nil, err
	}
	if w.b, err = newHost("b", hostB, w.wire); err != nil {
		return nil, errors.Join(err, w.a.stop())
	}
	if err = w.a.start(ctx, policyText(w.a, w.b, methods, key)); err == nil {
		err = w.b.start(ctx, policyText(w.b, w.a, methods, key))
	}
	if err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

func (w *world) stop() error { return errors.Join(w.a.stop(), w.b.stop()) }

// ping sends an echo request with a window of the pattern in it and waits for the answer. The stack wakes a reader only for what arrives while the reader
// waits: a reply that is faster than its reader is never shown, and the request is made again.
func (w *world) ping(ctx context.Context) (time.Duration, error) {
	var last error
	for range 20 {
		rtt, err := w.pingOnce()
		if err == nil || ctx.Err() != nil {
			return rtt, err
		}
		last = err
	}
	return 0, last
}

func (w *world) pingOnce() (time.Duration, error) {
	conn, err := w.a.stack.DialPingAddr(hostA, hostB)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	answered := make(chan error, 1)
	go func() { answered <- w.readReply(conn) }()
	runtime.Gosched()
	start := time.Now()
	// ICMP echo request; the stack chooses the identifier and the checksum.
	if _, err := conn.Write(append([]byte{8, 0, 0, 0, 0, 1, 0, 1}, w.pattern[:pingLen]...)); err != nil {
		return 0, err
	}
	err = <-answered
	return time.Since(start), err
}

// pingLen is how much of the pattern a ping carries.
const pingLen = 56

func (w *world) readReply(conn io.Reader) error {
	reply := make([]byte, 1500)
	n, err := conn.Read(reply)
	if err != nil {
		return fmt.Errorf("a ping was not answered: %w", err)
	}
	if !bytes.Contains(reply[:n], w.pattern[:pingLen]) {
		return errors.New("a ping came back changed")
	}
	return nil
}

// transfer moves n bytes from A to B and back over TCP, compares them, and calls halfway in the midst. It returns how many bytes arrived as sent.
func (w *world) transfer(ctx context.Context, n int, halfway func() error) (int, error) {
	listener, err := w.b.stack.ListenTCPAddrPort(netip.AddrPortFrom(hostB, 7))
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	echoed := make(chan error, 1)
	go func() { echoed <- echo(listener) }()
	dialCtx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, err := w.a.stack.DialContextTCPAddrPort(dialCtx, netip.AddrPortFrom(hostB, 7))
	if err != nil {
		return 0, fmt.Errorf("TCP through the tunnel could not connect: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	written := make(chan error, 1)
	go func() { written <- w.write(conn, n, halfway) }()
	got, err := w.compare(conn, n)
	if err == nil {
		err = <-written
	}
	if err == nil {
		conn.Close()
		err = <-echoed
	}
	return got * 2, err
}

// write sends n bytes of the repeated pattern.
func (w *world) write(conn net.Conn, n int, halfway func() error) error {
	for sent := 0; sent < n; {
		if halfway != nil && sent >= n/2 {
			if err := halfway(); err != nil {
				return err
			}
			halfway = nil
		}
		part := min(n-sent, patternLen)
		if _, err := conn.Write(w.pattern[:part]); err != nil {
			return fmt.Errorf("after %d bytes: %w", sent, err)
		}
		sent += part
	}
	return nil
}

// compare reads n bytes and compares them with the repeated pattern.
func (w *world) compare(conn net.Conn, n int) (int, error) {
	buf := make([]byte, patternLen)
	for got := 0; got < n; {
		part := min(n-got, patternLen)
		if _, err := io.ReadFull(conn, buf[:part]); err != nil {
			return got, fmt.Errorf("%d of %d bytes came back: %w", got, n, err)
		}
		if !bytes.Equal(buf[:part], w.pattern[:part]) {
			return got, fmt.Errorf("what came back after %d bytes is not what was sent", got)
		}
		got += part
	}
	return n, nil
}

// echo returns what the first connection sends.
func echo(l net.Listener) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.Copy(conn, conn)
	return err
}
