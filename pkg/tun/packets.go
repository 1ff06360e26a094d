package tun

import "errors"

// Packet is an IP datagram, or a superpacket: one that stands for several of one flow, alike but for their payload.
//
// A superpacket begins with the IP and transport header of the first datagram it stands for, behind which lies the payload of all of them. On reading
// its transport checksum is not computed and its lengths are those of the whole. On writing the total length (and in UDP its length)
// must be those of the whole too; the device takes care of the checksums of the IPv4 and the transport header, and the kernel of what it hands up. It is
// written without anybody's looking at the checksums of the datagrams again: who joins them must have verified each.
type Packet struct {
	// Buf holds the packet at Buf[Off:Off+N]. On reading, the device fills Buf from Off. Both ways it may use the Headroom octets before Off,
	// which have to be there.
	Buf    []byte
	Off, N int
	// More are, on writing a superpacket, the payloads that follow the first datagram, in order. They are not in N.
	More [][]byte
	// Segment is the number of payload octets of each datagram but the last, which may have fewer; 0 for an ordinary datagram.
	Segment int
	// Failed is set by WritePackets for a packet of which the device took nothing.
	Failed bool
	// Lost is set by WritePackets for a superpacket of which the device took some datagrams: how many it did not take.
	Lost int
}

// Bytes returns the packet without More.
func (p *Packet) Bytes() []byte { return p.Buf[p.Off : p.Off+p.N] }

// Offload says which superpackets a device takes.
type Offload struct{ TCP, UDP bool }

// PacketDevice is a device that moves superpackets whole. Where there are none it is as good as Device.
type PacketDevice interface {
	// ReadPackets fills packets from the front and returns how many it filled. It waits for the first one only. A packet whose Buf has no room
	// for MaxDatagram octets behind Off may be cut: it is not handed out, and an error says so.
	ReadPackets(packets []Packet) (n int, err error)
	// WritePackets writes all it can and says in each packet what of it failed; the error is the first one's. Its buffers may be used again afterwards.
	WritePackets(packets []Packet) error
	// Offload says which superpackets WritePackets takes. It does not change.
	Offload() Offload
}

// PolledDevice is a PacketDevice whose reader may leave the waiting to somebody who waits for several files (package poll).
type PolledDevice interface {
	PacketDevice
	// TryReadPackets is ReadPackets without waiting. If there is nothing it returns 0 and no error.
	TryReadPackets(packets []Packet) (n int, err error)
	// Lend and Return are those of poll.Files.
	Lend(fds []int) ([]int, bool)
	Return()
}

// Queued is a device of several queues, each of which has a reader and writers of its own. The system keeps a flow on one queue: where it was last
// written to, if it was.
type Queued interface {
	// Queues returns them, at least one. They do not change, and end with the device.
	Queues() []PacketDevice
}

// QueuesOf says how many queues d has.
func QueuesOf(d Device) int {
	if q, ok := d.(Queued); ok {
		return len(q.Queues())
	}
	return 1
}

// QueueOf returns queue i of d, counted modulo their number. If d has one only it is PacketsOf.
func QueueOf(d Device, i int) PacketDevice {
	if q, ok := d.(Queued); ok {
		list := q.Queues()
		return list[i%len(list)]
	}
	return PacketsOf(d)
}

// PacketsOf returns d itself if it moves superpackets, or a front for it that moves datagrams one by one.
func PacketsOf(d Device) PacketDevice {
	if p, ok := d.(PacketDevice); ok {
		return p
	}
	return &plain{d: d}
}

// plain is a Device as a PacketDevice: no superpackets either way.
type plain struct {
	d       Device
	in, out [][]byte
	sizes   []int
}

func (p *plain) Offload() Offload { return Offload{} }

func (p *plain) ReadPackets(packets []Packet) (int, error) {
	batch := min(len(packets), p.d.BatchSize())
	if batch == 0 {
		return 0, nil
	}
	if len(p.sizes) < batch {
		p.in, p.sizes = make([][]byte, batch), make([]int, batch)
	}
	off := packets[0].Off
	for i := range batch {
		if packets[i].Off != off {
			return 0, errors.New("the packets of one read must all begin at the same offset")
		}
		p.in[i] = packets[i].Buf
	}
	n, err := p.d.Read(p.in[:batch], p.sizes[:batch], off)
	for i := range n {
		packets[i].N, packets[i].Segment, packets[i].More = p.sizes[i], 0, nil
	}
	return n, err
}

func (p *plain) WritePackets(packets []Packet) (first error) {
	size := max(p.d.BatchSize(), 1)
	for len(packets) > 0 {
		n := min(size, len(packets))
		p.out = p.out[:0]
		for i := range n {
			// The device may append what follows in a flow to a buffer: each begins at Headroom and can grow into nothing that is in use.
			q := &packets[i]
			q.Failed, q.Lost = false, 0
			p.out = append(p.out, q.Buf[q.Off-Headroom:q.Off+q.N:q.Off+q.N])
		}
		if _, err := p.d.Write(p.out, Headroom); err != nil {
			for i := range n {
				packets[i].Failed = true
			}
			if first == nil {
				first = err
			}
		}
		packets = packets[n:]
	}
	return first
}
