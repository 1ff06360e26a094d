package packet

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// finish joins a complete datagram and forgets it.
func (r *Reassembler) finish(d *datagram) ([]byte, error) {
	ecn, ok := d.mergeECN()
	if !ok {
		r.remove(d, &r.Stats.ECN)
		return nil, ErrECN
	}
	whole := make([]byte, 0, len(d.head)+d.total)
	whole = append(whole, d.head...)
	for _, p := range d.parts {
		whole = append(whole, p.data...)
	}
	headLen := len(d.head)
	r.remove(d, &r.Stats.Reassembled)
	if whole[0]>>4 == 4 {
		binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
		whole[1] = whole[1]&^ecnMask | ecn
		putHeaderChecksum(whole[:headLen])
		return whole, nil
	}
	binary.BigEndian.PutUint16(whole[4:], uint16(len(whole)-ipv6HeaderLen))
	whole[1] = whole[1]&^(ecnMask<<4) | ecn<<4
	return whole, nil
}

// mergeECN is the ECN field of the whole: congestion that a fragment experienced must not be lost, and a mixture of it with
// not-ECT means drop (RFC 3168 §5.3). Otherwise the field of the first fragment stays.
func (d *datagram) mergeECN() (ecn uint8, ok bool) {
	if d.ecn&(1<<ce) != 0 {
		return ce, d.ecn&(1<<notECT) == 0
	}
	if d.head[0]>>4 == 4 {
		return d.head[1] & ecnMask, true
	}
	return d.head[1] >> 4 & ecnMask, true
}

// wholeHeaders returns the first fragment's headers with the traces of fragmentation removed; the lengths are set when the whole is known.
func wholeHeaders(pkt []byte, h *Header) []byte {
	if h.Version == 4 {
		head := append([]byte(nil), pkt[:h.UpperOffset]...)
		head[6] &= 0xc0 // reserved bit and DF stay, MF and offset go
		head[7] = 0
		return head
	}
	head := append([]byte(nil), pkt[:h.FragHeader]...)
	head[nextHeaderBefore(pkt, h.FragHeader)] = pkt[h.FragHeader]
	return head
}

// nextHeaderBefore returns where the octet lies that names the header at offset end of an IPv6 datagram.
func nextHeaderBefore(pkt []byte, end int) int {
	nextAt := 6
	for at := ipv6HeaderLen; at < end; at += 8 + int(pkt[at+1])*8 { // Parse has checked the lengths
		nextAt = at
	}
	return nextAt
}

// claimedLen is what the IP header of a whole would have to claim, in the 16 bits of its length field.
func claimedLen(head []byte, total int) int {
	if head[0]>>4 == 6 {
		return len(head) - ipv6HeaderLen + total
	}
	return len(head) + total
}

// Expire forgets the datagrams whose time is over by now. Add does it too; call it where no fragments arrive.
func (r *Reassembler) Expire(now time.Time) {
	for r.oldest != nil && !now.Before(r.oldest.deadline) {
		r.remove(r.oldest, &r.Stats.Expired)
	}
}

// Deadline is when Expire has next something to do, or false while nothing is held.
func (r *Reassembler) Deadline() (time.Time, bool) {
	if r.oldest == nil {
		return time.Time{}, false
	}
	return r.oldest.deadline, true
}

// Bytes is the memory that is held now, by the reassembler's own reckoning.
func (r *Reassembler) Bytes() int { return r.cost }

// kill drops a datagram's fragments, the one in hand included, and leaves a tombstone until the deadline, so that later ones cannot make a datagram
// of their own: "that datagram (and any constituent fragments, including those not yet received) MUST be silently discarded" (RFC 5722 §4).
func (r *Reassembler) kill(d *datagram, counter *uint64, err error) error {
	*counter++
	r.forget(d, counter)
	d.dead, d.head = true, nil
	r.charge(d, datagramCost-d.cost)
	return err
}

// remove takes a datagram out of the table and counts its fragments.
func (r *Reassembler) remove(d *datagram, counter *uint64) {
	r.forget(d, counter)
	r.charge(d, -d.cost)
	delete(r.table, d.key)
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		r.oldest = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		r.newest = d.prev
	}
}

// forget moves a datagram's fragments from Held to another counter.
func (r *Reassembler) forget(d *datagram, counter *uint64) {
	n := uint64(len(d.parts))
	*counter += n
	r.Stats.Held -= n
	d.parts = nil
}

// charge books n bytes, negative to give back, on a datagram, on its prefix and on the whole.
func (r *Reassembler) charge(d *datagram, n int) {
	d.cost += n
	r.cost += n
	if r.shares[d.prefix] += n; r.shares[d.prefix] == 0 {
		delete(r.shares, d.prefix)
	}
}

// sharePrefix is what counts as one source.
func sharePrefix(a netip.Addr) netip.Prefix {
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits)
	return p
}

func (l *ReassemblyLimits) bytes() int {
	if l.Bytes > 0 {
		return l.Bytes
	}
	return 4 << 20
}

func (l *ReassemblyLimits) share() int {
	if l.Share > 0 {
		return l.Share
	}
	return l.bytes() / 4
}

func (l *ReassemblyLimits) fragments() int {
	if l.Fragments > 0 {
		return l.Fragments
	}
	return 128
}

func (l *ReassemblyLimits) timeout() time.Duration {
	if l.Timeout > 0 && l.Timeout < maxReassembly {
		return l.Timeout
	}
	return maxReassembly
}
