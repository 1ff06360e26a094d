package e2e

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/bench/null"
)

// nullPeer is the forwarder without cryptography: the ceiling.
type nullPeer struct{ program string }

const (
	nullDevice = "null0"
	nullPort   = 4500
	nullMTU    = 1500 - 20 - 8 - null.Overhead // of the cable, less what stands around an inner packet
)

func (n *nullPeer) about(_ context.Context, p *Peer) (err error) {
	if n.program, err = toolsOf(n.program); err != nil {
		return err
	}
	p.Version, p.Protects = buildOf(n.program), "TUN to UDP with the I/O of goipsec, nothing protected"
	return nil
}

func (n *nullPeer) start(ctx context.Context, l *lab) (tunnel, error) {
	for _, end := range []struct {
		host          *host
		local, remote netip.Addr
		peerNet       netip.Prefix
		source        netip.Addr
	}{{l.a, outerA, outerB, networkB, innerA}, {l.b, outerB, outerA, networkA, innerB}} {
		options, err := json.Marshal(null.Options{Device: nullDevice, MTU: nullMTU, Local: netip.AddrPortFrom(end.local, nullPort), Remote: netip.AddrPortFrom(end.remote, nullPort)})
		if err != nil {
			return nil, err
		}
		p, err := end.host.start("the null forwarder", []string{n.program, "bench", "null", string(options)})
		if err != nil {
			return nil, err
		}
		if err := p.expect(ctx, "up: ", 10*time.Second); err != nil {
			return nil, err
		}
		if err := end.host.route(nullDevice, end.peerNet, end.source); err != nil {
			return nil, err
		}
	}
	return &nullTunnel{host: l.a}, nil
}

type nullTunnel struct {
	inner
	host *host
}

func (*nullTunnel) device() string { return nullDevice }

// protected is what left over the cable: there is nothing else to trust, and the device has counted what went in.
func (t *nullTunnel) protected(context.Context) (uint64, error) {
	d, err := t.host.device(cable)
	return d.sentBytes, err
}
