package endpoint

import (
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/route"
)

// direct moves raw ESP past the host's network stack; the raw sockets and the clear path beside it do what it leaves to them.
type direct struct {
	in  netio.DirectReceiver
	out netio.DirectSender
}

// openDirect adds the receiver, which gets nothing yet, and has sealed packets sent directly.
func (h *systemHost) openDirect(o *opened) error {
	in, err := netio.ListenDirect(h.netio())
	if err != nil {
		return err
	}
	h.sockets = append(h.sockets, in)
	out, err := netio.OpenDirect(netio.DirectConfig{Options: h.netio(), Fallback: o.ip, Clock: h.opts.clock, Hop: h.nextHop})
	if err != nil {
		return err
	}
	h.sockets = append(h.sockets, out)
	h.direct = &direct{in, out}
	o.raw, o.sealed = append(o.raw, in), out
	return nil
}

func (h *systemHost) nextHop(remote netip.Addr) (netio.Hop, error) {
	hop, err := route.NextHop(remote, h.id.Mark)
	return netio.Hop(hop), err
}

// followDirect tells the receiver for which addresses it is, and on which interfaces.
func (h *systemHost) followDirect() error {
	if h.direct == nil {
		return nil
	}
	own := h.addresses()
	if len(h.opts.Listen) > 0 && !slices.Contains(h.opts.Listen, netip.IPv4Unspecified()) {
		own = h.opts.Listen
	}
	return h.direct.in.Follow(own)
}

func (d *direct) status() *DirectStatus {
	stats := func(c netio.Conn) (s netio.Stats) {
		if c, ok := c.(netio.Counted); ok {
			s = c.Stats()
		}
		return s
	}
	in := stats(d.in)
	status := &DirectStatus{Received: in.Direct, Lost: in.Lost, Sent: stats(d.out).Direct}
	if err := d.out.Refusal(); err != nil {
		status.Refusal = err.Error()
	}
	return status
}
