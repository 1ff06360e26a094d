package endpoint

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/tun"
)

// host is what an endpoint stands on: the system it runs on, or parts within the process.
type host interface {
	// addresses are what *me* stands for now.
	addresses() []netip.Addr
	// look is all that the expansion of p takes from the host; what live keywords stand for only if the policy has any.
	look(p *policy.Policy, live bool) policy.LocalHost
	// open makes device, sockets, routes and guard for a policy. What it made, close takes back.
	open(c *policy.Compiled) (*opened, error)
	// apply changes routes and guard to those of another policy, or of the same one after a change of addresses or of its dynamic filters.
	apply(c *policy.Compiled, dynamic []*policy.QuickModeFilter) error
	// inForce says that the policy in force was expanded for these addresses of the host.
	inForce(own []netip.Addr)
	// stranger reports whether an address is the host's and the policy in force does not know it; leaveOut that it knows it, and does not count it as *me*.
	stranger(netip.Addr) bool
	leaveOut(netip.Addr)
	// soften lets clear packets in that belong to soft SAs, by filter ID: all that there are, not only new ones.
	soften(pairs map[string][]dataplane.Pair) error
	// sourceFor is the local address that packets to remote leave from.
	sourceFor(remote netip.Addr) (netip.Addr, error)
	// pathMTU is that of the path to remote, in bytes.
	pathMTU(remote netip.Addr) int
	// dial connects to a server that the endpoint itself asks, around the device.
	dial(ctx context.Context, network, address string) (net.Conn, error)
	// deviceChanged is called when the device went up or down or changed its MTU.
	deviceChanged()
	// describe fills what status says about the host.
	describe(s *Status)
	close() error
	// abandon closes device and sockets but leaves in force what stops protected traffic.
	abandon() error
}

// opened are the parts that the data plane works with.
type opened struct {
	device   tun.Device
	udp      []dataplane.Socket
	raw      []netio.Conn
	ip       netio.Conn
	sealed   netio.Conn // of raw ESP and AH; nil: ip
	mtu      int
	warnings []string
	changes  <-chan struct{}
	paths    <-chan netio.PathEvent
}

const defaultPathMTU = 1500

// partsHost is a host that is all within the process.
type partsHost struct{ parts *Parts }

func (h *partsHost) addresses() []netip.Addr { return h.parts.Addresses }

func (h *partsHost) look(*policy.Policy, bool) policy.LocalHost {
	return policy.LocalHost{Addresses: h.parts.Addresses}
}

func (h *partsHost) open(c *policy.Compiled) (*opened, error) {
	mtu, err := h.parts.Device.MTU()
	if err != nil {
		return nil, err
	}
	return &opened{device: h.parts.Device, udp: h.parts.UDP, mtu: mtu}, nil
}

func (h *partsHost) apply(*policy.Compiled, []*policy.QuickModeFilter) error { return nil }

func (h *partsHost) soften(map[string][]dataplane.Pair) error { return nil }

func (h *partsHost) inForce([]netip.Addr)     {}
func (h *partsHost) stranger(netip.Addr) bool { return false }
func (h *partsHost) leaveOut(netip.Addr)      {}

func (h *partsHost) sourceFor(remote netip.Addr) (netip.Addr, error) {
	for _, u := range h.parts.UDP {
		if a := u.LocalAddr().Addr(); a.Is4() == remote.Is4() {
			return a, nil
		}
	}
	return netip.Addr{}, errNoSource
}

func (h *partsHost) pathMTU(netip.Addr) int {
	if h.parts.PathMTU > 0 {
		return h.parts.PathMTU
	}
	return defaultPathMTU
}

func (h *partsHost) dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("this endpoint has no network but its peers")
}

func (h *partsHost) deviceChanged() {}

func (h *partsHost) describe(s *Status) {
	s.TUN.Name, _ = h.parts.Device.Name()
	s.TUN.MTU, _ = h.parts.Device.MTU()
	s.Guard = "off"
	for _, u := range h.parts.UDP {
		s.Listen = append(s.Listen, Listener{Kind: "udp", Address: u.LocalAddr()})
	}
}

func (h *partsHost) close() error { return h.parts.Device.Close() }

func (h *partsHost) abandon() error { return h.close() }
