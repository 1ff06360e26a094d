package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"sort"
	"time"
)

// ReassemblyLimits bounds what fragments may cost. Zero fields mean the defaults.
type ReassemblyLimits struct {
	Bytes     int           // held by all datagrams, bookkeeping included; 0: 4 MiB. Beyond it the oldest datagrams go
	Share     int           // of Bytes, for one source prefix (IPv4 /24, IPv6 /48); 0: a quarter
	Fragments int           // of one datagram; 0: 128
	Timeout   time.Duration // from a datagram's first fragment; 0 or more than 30 s: 30 s
}

// ReassemblyStats counts fragments, not datagrams: each one that Add was given is in exactly one of the counters, or still held.
type ReassemblyStats struct {
	Reassembled uint64 // became part of a whole datagram
	Held        uint64 // wait for the rest; falls when they leave
	Duplicate   uint64 // said again, byte for byte, what was held
	Overlap     uint64 // of a datagram whose fragments overlap or disagree, those that came later included
	Tiny        uint64 // too small for the upper-layer header, or made to overwrite it
	Misaligned  uint64
	Oversize    uint64
	TooMany     uint64
	Share       uint64
	Evicted     uint64 // pushed out by newer datagrams
	Expired     uint64
	ECN         uint64
}

const (
	maxReassembly = 30 * time.Second
	// What a datagram and a fragment cost beside their bytes: about what the maps and slices take.
	datagramCost = 512
	fragmentCost = 64
)

// Reassembler joins fragments of both families to datagrams. It is made for hostile input: an overlap kills the datagram (RFC 5722, and the same for
// IPv4), fragments too tiny to be judged are refused (RFC 1858 §3, RFC 3128, RFC 7112), memory and time are bounded, and the work is
// linear in what arrives. The zero value works with the default limits; set Limits before the first Add. Not safe for concurrent use.
type Reassembler struct {
	Limits ReassemblyLimits
	Stats  ReassemblyStats

	table          map[fragmentKey]*datagram
	shares         map[netip.Prefix]int
	oldest, newest *datagram // by arrival of the first fragment, which is also the order of expiry
	cost           int
}

// fragmentKey names a datagram under reassembly (RFC 791 §3.2, RFC 8200 §4.5: IPv6 leaves the protocol out).
type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8
}

// datagram is one datagram under reassembly, or the tombstone of a killed one.
type datagram struct {
	key        fragmentKey
	prefix     netip.Prefix
	deadline   time.Time
	parts      []part // sorted, disjoint
	head       []byte // headers of the first fragment, as the whole will have them but for length and checksum
	held       int    // bytes in parts
	total      int    // payload bytes of the whole, 0 while unknown
	cost       int
	ecn        uint8 // bit n: a fragment had ECN field n
	dead       bool
	prev, next *datagram
}

// part is one fragment's payload.
type part struct {
	off, end int
	data     []byte
}

// Add takes one datagram that h was parsed from. Of a fragment it keeps a copy and returns nil, nil until the datagram is whole; then it returns it in
// a buffer of its own, to be parsed again. What is no fragment, atomic fragments included (RFC 6946), comes back as it is. An error says why a
// fragment, and perhaps its datagram, was dropped; it has been counted.
func (r *Reassembler) Add(now time.Time, pkt []byte, h *Header) (whole []byte, err error) {
	if h.Key.Flags&Fragment == 0 {
		return pkt, nil
	}
	if h.TotalLen > len(pkt) {
		return nil, ErrTruncated
	}
	r.Expire(now)
	if err := r.refuse(h); err != nil {
		return nil, err
	}
	d, err := r.find(now, h)
	if err != nil {
		return nil, err
	}
	if err := r.insert(d, pkt, h); err != nil {
		return nil, err
	}
	if d.head == nil || d.total == 0 || d.held < d.total {
		return nil, nil
	}
	return r.finish(d)
}

// refuse judges a fragment by itself.
func (r *Reassembler) refuse(h *Header) error {
	n := h.TotalLen - h.UpperOffset
	if n == 0 || h.MF && n%8 != 0 {
		r.Stats.Misaligned++
		return ErrMisaligned
	}
	if h.Key.Flags&NonFirst == 0 {
		if n < firstUpperLen(h.Key.Proto) {
			r.Stats.Tiny++
			return ErrTiny
		}
		return nil
	}
	// Offset 8 would rewrite TCP's flags behind a filter that judged the first fragment (RFC 1858 §3.2).
	if h.FragOffset == 8 && h.Key.Proto == protoTCP && h.Key.Flags&ProtoKnown != 0 {
		r.Stats.Tiny++
		return ErrTiny
	}
	return nil
}

// find returns the fragment's datagram, a new one if need be, after making sure that the fragment may be kept.
func (r *Reassembler) find(now time.Time, h *Header) (*datagram, error) {
	key := fragmentKey{src: h.Key.Src, dst: h.Key.Dst, id: h.ID}
	if h.Version == 4 {
		key.proto = h.Key.Proto
	}
	d := r.table[key]
	cost := fragmentCost + h.TotalLen
	if d == nil {
		cost += datagramCost
	} else if d.dead {
		r.Stats.Overlap++
		return nil, ErrOverlap
	}
	prefix := sharePrefix(key.src)
	limit := r.Limits.bytes()
	if r.shares[prefix]+cost > r.Limits.share() || cost > limit {
		r.Stats.Share++
		return nil, ErrShare
	}
	for r.cost+cost > limit && r.oldest != nil {
		if r.oldest == d {
			d = nil // its turn to go; the fragment starts over
			cost += datagramCost
		}
		r.remove(r.oldest, &r.Stats.Evicted)
	}
	if d == nil {
		d = r.open(key, prefix, now)
	}
	r.charge(d, fragmentCost+h.TotalLen)
	return d, nil
}

// open begins a datagram.
func (r *Reassembler) open(key fragmentKey, prefix netip.Prefix, now time.Time) *datagram {
	if r.table == nil {
		r.table = map[fragmentKey]*datagram{}
		r.shares = map[netip.Prefix]int{}
	}
	d := &datagram{key: key, prefix: prefix, deadline: now.Add(r.Limits.timeout()), prev: r.newest}
	if r.newest != nil {
		r.newest.next = d
	} else {
		r.oldest = d
	}
	r.newest = d
	r.table[key] = d
	r.charge(d, datagramCost)
	return d
}

// insert puts the payload where it belongs, or kills the datagram.
func (r *Reassembler) insert(d *datagram, pkt []byte, h *Header) error {
	data := pkt[h.UpperOffset:h.TotalLen]
	if h.FragHeader > 0 {
		data = pkt[h.FragHeader+fragHeaderLen : h.TotalLen] // a first fragment's further extension headers are part of it
	}
	off, end := h.FragOffset, h.FragOffset+len(data)
	i := sort.Search(len(d.parts), func(i int) bool { return d.parts[i].off >= off })
	if i < len(d.parts) && d.parts[i].off == off && bytes.Equal(d.parts[i].data, data) && h.MF == (end != d.total) {
		r.Stats.Duplicate++ // RFC 8200 §4.5 lets an exact duplicate pass
		r.charge(d, -fragmentCost-h.TotalLen)
		return nil
	}
	head, total := d.head, d.total
	if off == 0 {
		head = wholeHeaders(pkt, h)
	}
	if !h.MF {
		total = end
	}
	switch {
	case i > 0 && d.parts[i-1].end > off, i < len(d.parts) && d.parts[i].off < end, !d.agree(end, h.MF):
		return r.kill(d, &r.Stats.Overlap, ErrOverlap)
	case len(d.parts) >= r.Limits.fragments():
		return r.kill(d, &r.Stats.TooMany, ErrTooManyFrag)
	case head != nil && claimedLen(head, total) > maxDatagram:
		return r.kill(d, &r.Stats.Oversize, ErrOversize)
	}
	d.parts = slices.Insert(d.parts, i, part{off, end, bytes.Clone(data)})
	d.head, d.total = head, total
	d.held += len(data)
	d.ecn |= 1 << (h.TOS & ecnMask)
	r.Stats.Held++
	return nil
}

// agree reports whether a fragment that ends at end fits what is known of the datagram's length.
func (d *datagram) agree(end int, more bool) bool {
	if more {
		return d.total == 0 || end < d.total
	}
	if d.total > 0 {
		return end == d.total
	}
	return len(d.parts) == 0 || d.parts[len(d.parts)-1].end <= end
}
