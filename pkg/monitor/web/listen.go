package web

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// maxConnections bounds what browsers, or whoever else is on this host, can have open at once.
const maxConnections = 64

// Listen takes a loopback address and port, such as 127.0.0.1:0 or [::1]:8080. Any other address is refused: the page is for people on this host, and
// who is elsewhere forwards a port by SSH.
func Listen(addr string) (net.Listener, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%.60q is no address and port; write one such as 127.0.0.1:0, or unix:PATH", addr)
	}
	if !ap.Addr().Unmap().IsLoopback() {
		return nil, fmt.Errorf("the web page is served on loopback addresses only, and %v is none: whoever could reach it could read it, unencrypted; "+
			"listen on 127.0.0.1 and forward the port by SSH (ssh -L 8080:127.0.0.1:8080 HOST)", ap.Addr())
	}
	return net.Listen("tcp", ap.String())
}

// limited hands out a bounded number of connections at a time; the others wait in the kernel's queue.
type limited struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limit(l net.Listener, n int) *limited {
	return &limited{Listener: l, places: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for a place before it takes a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &place{Conn: c, free: func() { <-l.places }}, nil
}

// Close may be called more than once.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	err := l.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// place is a connection that gives its place back once.
type place struct {
	net.Conn
	once sync.Once
	free func()
}

// Close closes the connection.
func (p *place) Close() error {
	p.once.Do(p.free)
	return p.Conn.Close()
}
