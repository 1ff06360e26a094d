package dataplane

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/tun"
)

// maxMore bounds the payloads behind the first of a superpacket, far below the 1024 pieces that one system call may write, and maxMoreUDP those of UDP:
// kernels before Linux 6.9 refuse more than 64 datagrams.
const (
	maxMore    = 127
	maxMoreUDP = 63
)

// queue is what a batch has for the TUN device: datagrams, joined to superpackets where the device takes them. The datagrams of a flow stay in order; those
// of different flows need not. Buffers that were added are in use until write.
type queue struct {
	offload tun.Offload
	packets []tun.Packet
	joins   []packet.Join // by packet, of those that others may be joined to
	// last says for each slot of flows which packet is the last one's, and in which batch.
	last  [flowSlots]lastOfFlow
	batch uint32
	// tail is, plus one, the packet that the last datagram was joined to, or is, if more might be; and most is how many.
	tail, most int
}

type lastOfFlow struct {
	batch uint32 // 0: none yet, for batches count from 1
	at    int32
}

// add queues buf[off:off+n], whose header is h.
func (q *queue) add(buf []byte, off, n int, h *packet.Header) {
	if q.batch == 0 {
		q.batch = 1
	}
	if h.Key.Proto == 6 && !q.offload.TCP || h.Key.Proto == 17 && !q.offload.UDP {
		q.append(buf, off, n)
		return
	}
	pkt := buf[off : off+n]
	slot := &q.last[hash(pkt, h)>>58]
	most := maxMore
	if h.Key.Proto == 17 {
		most = maxMoreUDP
	}
	if slot.batch == q.batch && len(q.packets[slot.at].More) < most {
		if payload := q.joins[slot.at].Add(pkt, h); payload != nil {
			p := &q.packets[slot.at]
			p.More = append(p.More, payload)
			q.tail, q.most = int(slot.at)+1, most
			return
		}
	}
	// Whatever it is, the packets of the flow that follow must not overtake it.
	*slot = lastOfFlow{q.batch, int32(len(q.packets))}
	i := q.append(buf, off, n)
	q.packets[i].Segment = maybe
	if q.joins[i].Begin(pkt, h) {
		q.tail, q.most = i+1, most
	}
}

// follow queues the datagram that b begins with if it can be joined to where the last one went: then its flow is the same. Nobody need have parsed it.
func (q *queue) follow(b []byte) bool {
	i := q.tail - 1
	if i < 0 {
		return false
	}
	p := &q.packets[i]
	if len(p.More) >= q.most {
		return false
	}
	payload := q.joins[i].AddUnparsed(b)
	if payload == nil {
		return false
	}
	p.More = append(p.More, payload)
	return true
}

// maybe stands in Segment of a packet that others may have been joined to, until write.
const maybe = -1

// append queues a packet for itself and returns where.
func (q *queue) append(buf []byte, off, n int) int {
	i := len(q.packets)
	q.packets, q.joins = slices.Grow(q.packets, 1)[:i+1], slices.Grow(q.joins, 1)[:i+1] // with the memory of More from another batch
	p := &q.packets[i]
	p.Buf, p.Off, p.N, p.More, p.Segment = buf[:off+n:off+n], off, n, p.More[:0], 0
	q.tail = 0
	return i
}

// write writes the batch and empties the queue. It returns how many datagrams the device took and how many it did not.
func (q *queue) write(device tun.PacketDevice) (delivered, failed uint64) {
	for i := range q.packets {
		p := &q.packets[i]
		if p.Segment != maybe {
			continue
		}
		p.Segment = 0
		if j := &q.joins[i]; j.Count() > 1 {
			j.Finish()
			p.Segment = j.Segment()
		}
	}
	_ = device.WritePackets(q.packets) // each packet says what of it failed
	for i := range q.packets {
		n := uint64(len(q.packets[i].More)) + 1
		lost := uint64(q.packets[i].Lost)
		if q.packets[i].Failed {
			lost = n
		}
		failed += lost
		delivered += n - lost
	}
	q.packets, q.joins, q.tail = q.packets[:0], q.joins[:0], 0
	if q.batch++; q.batch == 0 { // after 2^32 batches: a slot must not seem to be of this one
		q.last, q.batch = [flowSlots]lastOfFlow{}, 1
	}
	return delivered, failed
}

// hash mixes what tells flows apart. Who collides shares a slot, no more.
func hash(pkt []byte, h *packet.Header) uint64 {
	x := uint64(h.Key.SrcPort)<<32 | uint64(h.Key.DstPort)<<48 | uint64(h.Key.Proto)
	if h.Version == 4 {
		x ^= binary.LittleEndian.Uint64(pkt[12:])
	} else {
		x ^= binary.LittleEndian.Uint64(pkt[16:]) ^ binary.LittleEndian.Uint64(pkt[32:])
	}
	hi, lo := bits.Mul64(x^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return hi ^ lo
}
