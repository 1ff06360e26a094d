package lab

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// random is the same noise in every run.
func random() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

const transferLimit = 60 * time.Second

// Transfer moves random bytes by TCP from an address of one host to one of another. It is an error if they do not arrive as they were.
func (l *Lab) Transfer(from *Host, source string, to *Host, destination string, size int64) (err error) {
	l.t.Helper()
	var listener net.Listener
	to.Inside(func() (err error) {
		listener, err = net.Listen("tcp", net.JoinHostPort(destination, "0"))
		return err
	})
	defer listener.Close()
	var conn net.Conn
	from.Inside(func() (err error) {
		d := net.Dialer{Timeout: 20 * time.Second, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(source), 0))}
		conn, err = d.Dial("tcp", listener.Addr().String())
		return err
	})
	defer conn.Close()
	sent, received := sha256.New(), sha256.New()
	var arrived int64
	var failed [2]error
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := listener.Accept()
		if err == nil {
			defer c.Close()
			arrived, err = io.Copy(received, c)
		}
		failed[1] = err
	}()
	go func() {
		_, failed[0] = io.Copy(conn, io.TeeReader(io.LimitReader(random(), size), sent))
		failed[0] = errors.Join(failed[0], conn.(*net.TCPConn).CloseWrite())
	}()
	if !wait(done, transferLimit) {
		return fmt.Errorf("TCP from %s to %s: %d bytes are not through after %v", source, destination, size, transferLimit)
	}
	if err := errors.Join(failed[:]...); err != nil || arrived != size || !bytes.Equal(sent.Sum(nil), received.Sum(nil)) {
		return fmt.Errorf("TCP from %s to %s: of %d bytes %d arrived, as sum %x and not %x: %v", source, destination, size, arrived, received.Sum(nil), sent.Sum(nil), err)
	}
	return nil
}

// Datagrams sends a UDP datagram with each of some lengths of payload, in bytes, from an address of one host to one of another, and waits for it there. It is
// an error if one does not come, in five tries, or comes as another.
func (l *Lab) Datagrams(from *Host, source string, to *Host, destination string, lengths ...int) error {
	l.t.Helper()
	bind := func(h *Host, address string) (c *net.UDPConn) {
		h.Inside(func() (err error) {
			c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 0)))
			return err
		})
		return c
	}
	sink, conn := bind(to, destination), bind(from, source)
	defer conn.Close()
	defer sink.Close()
	c := new(catcher)
	go c.read(sink)
	noise, retries := random(), 0
	for _, n := range lengths {
		payload := make([]byte, n)
		noise.Read(payload)
		got := c.expect(payload)
		for try := 0; ; try++ {
			if _, err := conn.WriteTo(payload, sink.LocalAddr()); err != nil && !errors.Is(err, unix.EMSGSIZE) { // that is how the path's MTU is told
				return fmt.Errorf("a datagram of %d bytes from %s to %s: %w", n, source, destination, err)
			}
			if wait(got, 2*time.Second) {
				break
			}
			if retries++; try == 4 {
				return fmt.Errorf("a datagram of %d bytes from %s to %s did not come as it was", n, source, destination)
			}
		}
	}
	if n := c.count(); n > retries {
		return fmt.Errorf("UDP from %s to %s: %d datagrams came that were not sent, or twice", source, destination, n)
	}
	return nil
}

// A catcher waits for one datagram at a time and counts the others.
type catcher struct {
	mu     sync.Mutex
	want   []byte
	got    chan struct{} // closed when it is here; nil: it was
	others int
}

func (c *catcher) read(from net.Conn) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		c.mu.Lock()
		if c.got != nil && bytes.Equal(buffer[:n], c.want) {
			close(c.got)
			c.got = nil
		} else {
			c.others++
		}
		c.mu.Unlock()
	}
}

func (c *catcher) expect(payload []byte) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := make(chan struct{})
	c.want, c.got = payload, got
	return got
}

func (c *catcher) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.others
}
