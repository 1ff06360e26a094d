package null

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/tun"
)

const (
	readBatch = 128     // packets of one read of the device
	slack     = 1088    // keeps read buffers, which begin alike, from falling into the same few sets of the caches
	arenaSize = 1 << 18 // for the datagrams of one batch
	// maxRun and maxSegments bound a segmented send: a UDP datagram's length and the kernel's number of segments.
	maxRun      = 65000
	maxSegments = 64
)

// out takes packets from the device to the socket.
type out struct {
	device  tun.PacketDevice
	conn    netio.Conn
	remote  netip.AddrPort
	packets []tun.Packet
	header  packet.Header
	super   packet.Super
	arena   []byte
	used    int
	msgs    []netio.Message
	count   int // datagrams in the last message
	seq     uint32
	stint   dataplane.Stint
}

func newOut(device tun.PacketDevice, conn netio.Conn, remote netip.AddrPort) *out {
	o := &out{device: device, conn: conn, remote: remote, packets: make([]tun.Packet, readBatch), arena: make([]byte, arenaSize)}
	const room = tun.Headroom + tun.MaxDatagram + 1 + slack
	buffers := make([]byte, readBatch*room)
	for i := range o.packets {
		o.packets[i] = tun.Packet{Buf: buffers[i*room : (i+1)*room : (i+1)*room], Off: tun.Headroom}
	}
	return o
}

func (o *out) run(duty *dataplane.Duty) error {
	turn := duty.Join(o.device, true, func() (b dataplane.Batch, err error) {
		n, err := o.device.(tun.PolledDevice).TryReadPackets(o.packets)
		if n > 0 {
			b = o.batch(n)
		}
		return b, err
	})
	for {
		n, err := o.device.ReadPackets(o.packets)
		b := o.batch(n)
		o.stint.Break(b.Now)
		if err == nil && turn.Calm(b) {
			err = turn.Rest()
		}
		if err != nil && over(err) {
			return err
		}
	}
}

// batch forwards the first n packets.
func (o *out) batch(n int) dataplane.Batch {
	now := time.Now()
	for i := range n {
		o.take(&o.packets[i])
	}
	o.flush()
	return dataplane.Batch{N: n, Single: n == 1 && o.packets[0].Segment == 0, Now: now}
}

// take takes a datagram, or the datagrams of a superpacket.
func (o *out) take(q *tun.Packet) {
	if o.header.Parse(q.Bytes()) != nil {
		return
	}
	if q.Segment == 0 {
		o.frame(q.Bytes())
		return
	}
	if o.super.Init(q.Bytes(), &o.header, q.Segment) != nil {
		return
	}
	for d := o.super.Next(); d != nil; d = o.super.Next() {
		o.frame(d)
	}
}

// frame copies a datagram to the arena as it will stand on the wire, where it follows the last message if it can be a segment of it.
func (o *out) frame(d []byte) {
	total := len(d) + Overhead
	if len(o.arena)-o.used < total {
		o.flush()
	}
	buf := o.arena[o.used : o.used+total : o.used+total]
	o.used += total
	o.seq++
	binary.BigEndian.PutUint32(buf, 0x6e756c6c)
	binary.BigEndian.PutUint32(buf[4:], o.seq)
	copy(buf[front:], d)
	if len(o.msgs) > 0 {
		m := &o.msgs[len(o.msgs)-1]
		if m.Segment == 0 {
			m.Segment = m.N
		}
		if total <= m.Segment && m.N == o.count*m.Segment && o.count < maxSegments && m.N+total <= maxRun {
			m.N += total
			m.Buf = o.arena[o.used-m.N : o.used : o.used]
			o.count++
			return
		}
	}
	o.msgs, o.count = append(o.msgs, netio.Message{Buf: buf, N: total, Remote: o.remote}), 1
}

// flush sends what the arena holds. What the system does not take is lost, as on any wire.
func (o *out) flush() {
	for i := range o.msgs {
		if m := &o.msgs[i]; m.Segment == m.N {
			m.Segment = 0
		}
	}
	if len(o.msgs) > 0 {
		_, _ = o.conn.WriteBatch(o.msgs)
	}
	o.msgs, o.used = o.msgs[:0], 0
}
