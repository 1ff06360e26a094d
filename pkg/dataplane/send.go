package dataplane

import (
	"errors"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
)

// flush sends what is queued, consecutive messages of one socket in one call, and counts what happened to each.
func (o *outbound) flush() {
	o.unlock()
	var again []refused
	for start := 0; start < len(o.msgs); {
		conn, end := o.msgs[start].conn, start+1
		for end < len(o.msgs) && o.msgs[end].conn == conn {
			end++
		}
		again = o.write(conn, o.msgs[start:end], again)
		start = end
	}
	o.msgs, o.used = o.msgs[:0], 0
	for _, r := range again {
		o.clearTooBig(r)
	}
}

// write sends messages by one socket. Clear packets that were refused for their size are appended to again.
func (o *outbound) write(conn netio.Conn, msgs []route, again []refused) []refused {
	o.out = o.out[:0]
	for i := range msgs {
		o.out = append(o.out, msgs[i].Message)
	}
	sent, err := conn.WriteBatch(o.out)
	if lost := len(msgs) - sent; lost > 0 {
		return o.failed(msgs, lost, err, again)
	}
	for i := range msgs {
		o.sent(&msgs[i])
	}
	return again
}

// sent counts a message that the system took.
func (o *outbound) sent(m *route) {
	switch *m.kind {
	case countSealed:
		o.p.count.Sealed.Add(uint64(m.packets))
	case countSoft:
		o.p.count.Soft.Add(uint64(m.packets))
	default:
		o.p.count.Permitted.Add(uint64(m.packets))
	}
}

// failed counts a batch of which some messages were lost. The system does not say which. They are those that are larger than what it says of their
// path; if there are more, they are taken to be the last.
func (o *outbound) failed(msgs []route, lost int, err error, again []refused) []refused {
	big := tooBigs(err, nil)
	o.learnPath(big)
	for i := range msgs {
		if limit(&msgs[i], big) > 0 {
			lost--
		}
	}
	for i := len(msgs) - 1; i >= 0; i-- {
		m := &msgs[i]
		mtu := limit(m, big)
		switch {
		case mtu > 0 && *m.kind != countSealed && m.packets > 0 && !m.cut:
			again = append(again, refused{append([]byte(nil), m.Bytes()...), mtu, m.joined, m.kind})
		case mtu > 0:
			o.p.count.drop[SendFailed].Add(uint64(m.packets))
		case lost > 0:
			lost--
			o.p.count.drop[SendFailed].Add(uint64(m.packets))
		default:
			o.sent(m)
		}
	}
	return again
}

// tooBigs appends what an error, which may join others, says of the size of datagrams.
func tooBigs(err error, list []*netio.TooBig) []*netio.TooBig {
	switch e := err.(type) {
	case nil:
	case *netio.TooBig:
		list = append(list, e)
	case interface{ Unwrap() []error }:
		for _, e := range e.Unwrap() {
			list = tooBigs(e, list)
		}
	default:
		list = tooBigs(errors.Unwrap(err), list)
	}
	return list
}

// limit returns the MTU for which a message was refused, 0 if it was not.
func limit(m *route, big []*netio.TooBig) int {
	n := m.N
	if m.Segment > 0 {
		n = m.Segment
	}
	for _, b := range big {
		if b.Remote.Addr() == m.Remote.Addr() && n > b.MTU && b.MTU > 0 {
			return b.MTU
		}
	}
	return 0
}

// learnPath takes the MTU of paths from refusals, so that the next packet is answered with ICMP instead.
func (o *outbound) learnPath(big []*netio.TooBig) {
	if len(big) == 0 || o.snap == nil {
		return
	}
	o.checked = nil // what the batch has worked out of its flows no longer holds
	for _, e := range o.snap.byID {
		for _, b := range e.all() {
			for _, t := range big {
				if t.MTU > 0 && b.Outer.Remote.Addr() == t.Remote.Addr() {
					b.outermost().SetPMTU(o.now, t.MTU)
				}
			}
		}
	}
}

// refused is a clear packet that the system would not send because it is too big for its path.
type refused struct {
	data   []byte
	mtu    int
	joined bool
	kind   *countKind
}

// clearTooBig does to a clear packet what the router would that it was sent to: fragment it if its source lets it, else answer with ICMP.
func (o *outbound) clearTooBig(r refused) {
	inHand := o.header // of the packet that found the arena full, if one did
	defer func() { o.header = inHand }()
	if o.header.Parse(r.data) != nil {
		o.p.count.add(Malformed)
		return
	}
	if o.header.DF && !r.joined {
		o.tooBig(r.data, r.mtu)
		return
	}
	frags, err := packet.Fragments(nil, r.data, &o.header, r.mtu, o.p.nextID.Add(1))
	if err != nil {
		o.p.count.add(Oversize)
		return
	}
	o.copyFragments(frags, o.header.Key.Dst, r.kind)
	o.flush()
}
