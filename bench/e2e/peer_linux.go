package e2e

import (
	"context"
	"fmt"
	"net/netip"
)

// peer is a program that makes tunnels.
type peer interface {
	// about fills in what is known of the peer before it runs, and makes ready what running it needs.
	about(ctx context.Context, p *Peer) error
	// start makes a tunnel in the lab. What it starts ends with the lab.
	start(ctx context.Context, l *lab) (tunnel, error)
}

// tunnel is one that stands.
type tunnel interface {
	// device is the link in host a that inner traffic goes into, and ends the addresses of the two sides.
	device() string
	ends() (from, to netip.Addr)
	// protected is how many bytes the program in host a has protected so far. It is an error if it protects otherwise than was asked.
	protected(ctx context.Context) (bytes uint64, err error)
}

// bare is no tunnel at all: the reference line.
type bare struct{}

func (bare) about(_ context.Context, p *Peer) error { p.Protects = "nothing"; return nil }

func (bare) start(_ context.Context, l *lab) (tunnel, error) { return &bareCable{l.a}, nil }

type bareCable struct{ host *host }

func (*bareCable) device() string { return cable }

func (*bareCable) ends() (from, to netip.Addr) { return outerA, outerB }

// protected is what went over the cable: nothing is protected, and that is what was asked.
func (c *bareCable) protected(context.Context) (uint64, error) {
	d, err := c.host.device(cable)
	return d.sentBytes, err
}

// inner are the ends of every real tunnel.
type inner struct{}

func (inner) ends() (from, to netip.Addr) { return innerA, innerB }

// newPeer makes the peer of a name that Options.complete has let pass.
func newPeer(name string, o Options) (peer, error) {
	if file := anotherBuild(name); file != "" {
		return &goipsec{program: file, variant: variants["goipsec"]}, nil
	}
	switch name {
	case Bare:
		return bare{}, nil
	case "goipsec", "goipsec-chacha", "goipsec-queues", "goipsec-raw", "goipsec-sockets":
		return &goipsec{program: o.Program, variant: variants[name]}, nil
	case Null:
		return &nullPeer{program: o.Program}, nil
	case "wireguard-go":
		return &wireguard{module: "golang.zx2c4.com/wireguard", version: "v0.0.0-20260522210424-ecfc5a8d5446", cache: o.Cache}, nil
	case "tailscale":
		return &wireguard{module: "github.com/tailscale/wireguard-go", version: "v0.0.0-20260928213032-417aef361226", cache: o.Cache}, nil
	}
	return nil, fmt.Errorf("peer %s has no driver", name)
}
