package demo

import (
	"context"
	"fmt"
	"net/netip"

	"golang.zx2c4.com/wireguard/tun/netstack"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/tun"
)

const mtu = 1380

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// hostA and hostB are the inner addresses.
var hostA, hostB = netip.MustParseAddr("10.77.1.1"), netip.MustParseAddr("10.77.2.1")

// host is one of the two ends.
type host struct {
	name  string
	inner netip.Addr
	conn  netio.Conn
	stack *netstack.Net
	*endpoint.Endpoint
	ended chan error
}

// policyText is the policy file of one end. The key is made for one run and never leaves the process.
func policyText(self, peer *host, methods, key string) string {
	return fmt.Sprintf(`policy: demo-%s
rules:
  - name: to-%s
    filters: [%s -> %s]
    tunnel: {remote: %s}
    encapsulation: udp
    peer_port: %d
    negotiate: {methods: [%s]}
    auth: [{psk: "%s"}]
`, self.name, peer.name, self.inner, peer.inner, loopback, peer.conn.LocalAddr().Port(), methods, key)
}

// newHost binds the loopback socket of one end, tapped by w.
func newHost(name string, inner netip.Addr, w *wire) (*host, error) {
	conn, err := netio.ListenUDP(netip.AddrPortFrom(loopback, 0), netio.Options{NoOffload: true})
	if err != nil {
		return nil, err
	}
	return &host{name: name, inner: inner, conn: w.tap(conn), ended: make(chan error, 1)}, nil
}

// start makes the endpoint from its policy file and runs it.
func (h *host) start(ctx context.Context, text string) error {
	file, err := config.Parse(h.name+".yaml", []byte(text), config.Options{})
	if err != nil {
		return err
	}
	device, stack, err := tun.NewNetstack([]netip.Addr{h.inner}, nil, mtu)
	if err != nil {
		return err
	}
	h.stack = stack
	h.Endpoint, err = endpoint.New(endpoint.Options{Policy: file.Assigned, Instance: h.name, Port: h.conn.LocalAddr().Port(),
		Load: func() (*endpoint.PolicyFile, error) {
			return &endpoint.PolicyFile{Policies: file.Policies, Assigned: file.Assigned}, nil
		},
		Parts: &endpoint.Parts{Device: device, UDP: []dataplane.Socket{{Conn: h.conn, Marker: true}}, Addresses: []netip.Addr{h.inner}}})
	if err != nil {
		device.Close()
		return err
	}
	go func() { h.ended <- h.Run(ctx) }()
	return nil
}

// stop ends the endpoint and waits for it.
func (h *host) stop() error {
	if h.Endpoint == nil {
		return h.conn.Close()
	}
	h.Stop()
	return <-h.ended
}
