package null

import (
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/tun"
)

const (
	messages = 16 // of one read of the socket, each up to a run of 64 KiB
	headroom = tun.Headroom
	maxMore  = 127 // payloads behind the first of a superpacket
)

// in takes datagrams from the socket to the device.
type in struct {
	device  tun.PacketDevice
	conn    netio.Conn
	remote  netip.AddrPort
	offload tun.Offload
	msgs    []netio.Message
	header  packet.Header
	packets []tun.Packet
	joins   []packet.Join // by packet
	// last says which packet is the last of a flow in this batch. Those that follow must not overtake it, even if they cannot be joined to it.
	last map[packet.Key]int
	key  packet.Key // of the datagram before, and
	at   int        // where it went

	stint dataplane.Stint
}

func newIn(device tun.PacketDevice, conn netio.Conn, remote netip.AddrPort) *in {
	i := &in{device: device, conn: conn, remote: remote, offload: device.Offload(), msgs: make([]netio.Message, messages), last: map[packet.Key]int{}}
	const room = headroom + 1<<16
	arena := make([]byte, messages*room)
	for m := range i.msgs {
		i.msgs[m] = netio.Message{Buf: arena[m*room : (m+1)*room : (m+1)*room], Off: headroom}
	}
	return i
}

func (i *in) run(duty *dataplane.Duty) error {
	turn := duty.Join(i.conn, false, func() (b dataplane.Batch, err error) {
		n, err := i.conn.(netio.PolledConn).TryReadBatch(i.msgs)
		if n > 0 {
			b = i.batch(n)
		}
		return b, err
	})
	for {
		n, err := i.conn.ReadBatch(i.msgs)
		b := i.batch(n)
		i.stint.Break(b.Now)
		if err == nil && turn.Calm(b) {
			err = turn.Rest()
		}
		if err != nil && over(err) {
			return err
		}
	}
}

// batch forwards the first n messages.
func (i *in) batch(n int) dataplane.Batch {
	now := time.Now()
	for m := range n {
		i.message(&i.msgs[m])
	}
	i.flush()
	return dataplane.Batch{N: n, Single: n == 1 && i.msgs[0].Segment == 0, Now: now}
}

// message walks through the datagrams of a run.
func (i *in) message(m *netio.Message) {
	if m.Remote != i.remote {
		return
	}
	segment := m.Segment
	if segment <= 0 {
		segment = max(m.N, 1)
	}
	for at := 0; at < m.N; at += segment {
		if n := min(segment, m.N-at); n > Overhead {
			i.datagram(m.Buf, m.Off+at+front, n-Overhead)
		}
	}
}

// datagram takes the inner packet buf[off:off+n].
func (i *in) datagram(buf []byte, off, n int) {
	h := &i.header
	if h.Parse(buf[off:off+n]) != nil {
		return
	}
	n = h.TotalLen
	pkt := buf[off : off+n]
	joins := h.Key.Proto == 6 && i.offload.TCP || h.Key.Proto == 17 && i.offload.UDP
	if joins && len(i.packets) > 0 {
		if h.Key != i.key {
			at, ok := i.last[h.Key]
			if !ok {
				at = -1
			}
			i.key, i.at = h.Key, at
		}
		if i.at >= 0 && len(i.packets[i.at].More) < maxMore {
			if payload := i.joins[i.at].Add(pkt, h); payload != nil {
				p := &i.packets[i.at]
				p.More = append(p.More, payload)
				return
			}
		}
	}
	at := len(i.packets)
	i.packets, i.joins = slices.Grow(i.packets, 1)[:at+1], slices.Grow(i.joins, 1)[:at+1] // with the memory of More from another batch
	p := &i.packets[at]
	*p = tun.Packet{Buf: buf[: off+n : off+n], Off: off, N: n, More: p.More[:0]}
	i.joins[at] = packet.Join{}
	if joins {
		i.joins[at].Begin(pkt, h)
		i.last[h.Key], i.key, i.at = at, h.Key, at
	}
}

// flush writes the batch to the device. What it does not take is lost, as on any wire.
func (i *in) flush() {
	for at := range i.packets {
		if j := &i.joins[at]; j.Count() > 1 {
			j.Finish()
			i.packets[at].Segment = j.Segment()
		}
	}
	if len(i.packets) > 0 {
		_ = i.device.WritePackets(i.packets)
	}
	i.packets, i.joins, i.key, i.at = i.packets[:0], i.joins[:0], packet.Key{}, -1
	clear(i.last)
}
