package netio

import (
	"context"
	"net"
	"syscall"
	"time"
)

// Dial connects to a server of the endpoint's own, such as one for revocation lists, around the tunnel, and asks name servers around it too: what the
// key exchange waits for must not wait for the key exchange.
func Dial(ctx context.Context, network, address string, o Options) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -time.Second, Control: func(_, _ string, c syscall.RawConn) error { return setMark(c, o.Mark) }}
	names := d // without a resolver of its own
	d.Resolver = &net.Resolver{PreferGo: true, Dial: names.DialContext}
	return d.DialContext(ctx, network, address)
}
