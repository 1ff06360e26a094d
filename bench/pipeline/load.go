package pipeline

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/packet"
)

// Kind is how packets pass the device.
type Kind string

// The kinds of packets.
const (
	// Datagrams are of UDP and pass the device one by one.
	Datagrams Kind = "datagrams"
	// Superpackets are of TCP: the device hands them out uncut and takes them joined.
	Superpackets Kind = "superpackets"
)

// Kinds names them all.
func Kinds() []Kind { return []Kind{Datagrams, Superpackets} }

// A superpacket stands for so many datagrams of superSize bytes. What a peer's superpacket becomes fits a run of the kernel's receive offload, or two.
const (
	segments  = 45
	superSize = 1400
	tcpHead   = 20 + 20
	segment   = superSize - tcpHead
)

// load is what one measurement moves: the same in both directions but for the addresses.
type load struct {
	size      int      // of a datagram
	datagrams [][]byte // what an SA carries before it is another's turn
	super     []byte   // what the datagrams are cut from; nil for Datagrams
}

func newLoad(k Kind, size int) (load, error) {
	if k == Datagrams {
		return load{size: size, datagrams: [][]byte{datagram(size)}}, nil
	}
	l := load{size: superSize, super: superpacket()}
	var err error
	l.datagrams, err = cut(l.super, segment)
	return l, err
}

// whole rounds n up to whole turns of SAs.
func (l *load) whole(n int) int {
	turn := len(l.datagrams)
	return (n + turn - 1) / turn * turn
}

// datagram is of UDP, size bytes in all, from 64 up.
func datagram(size int) []byte {
	b := random(size)
	o := packet.Outer{Src: inner(0, false), Dst: inner(0, true), Proto: 17, TTL: 64, DF: true}
	o.Put(b, size)
	u := b[o.Len():]
	binary.BigEndian.PutUint16(u, 4000)
	binary.BigEndian.PutUint16(u[2:], 4001)
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	return b
}

// superpacket is of TCP, with data in the middle of a connection. Its transport checksum is not computed, as on reading from a device.
func superpacket() []byte {
	b := random(tcpHead + segments*segment)
	o := packet.Outer{Src: inner(0, false), Dst: inner(0, true), Proto: 6, TTL: 64, DF: true}
	o.Put(b, len(b))
	t := b[o.Len():]
	binary.BigEndian.PutUint16(t, 4000)
	binary.BigEndian.PutUint16(t[2:], 4001)
	t[12], t[13] = tcpHead/2/4<<4, 0x10 // no options; ACK
	clear(t[16:20])
	return b
}

// cut returns the datagrams that a superpacket stands for.
func cut(super []byte, segment int) (list [][]byte, err error) {
	var h packet.Header
	var s packet.Super
	super = slices.Clone(super)
	if err := h.Parse(super); err != nil {
		return nil, err
	}
	if err := s.Init(super, &h, segment); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	for d := s.Next(); d != nil; d = s.Next() {
		list = append(list, slices.Clone(d))
	}
	return list, nil
}

// inner is the address of the i-th SA's own host on this side or that. The sum of both addresses is the same for all SAs, so that a packet whose
// addresses are changed to another SA's keeps its checksums.
func inner(i int, there bool) netip.Addr {
	if there {
		return netip.AddrFrom4([4]byte{11, ^byte(i >> 16), ^byte(i >> 8), ^byte(i)})
	}
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// address gives a packet the addresses of the i-th SA, on its way out or in.
func address(pkt []byte, i int, out bool) {
	here, there := inner(i, false).As4(), inner(i, true).As4()
	if !out {
		here, there = there, here
	}
	copy(pkt[12:], here[:])
	copy(pkt[16:], there[:])
}

// turns says whose turn it is: the SAs carry packets in an order that is random, but the same in every run.
type turns struct {
	order []int32
	at    int
}

func (t *turns) next() int {
	i := t.order[t.at]
	if t.at++; t.at == len(t.order) {
		t.at = 0
	}
	return int(i)
}

// datagrams returns a function that says of one datagram of l after the other whose it is, and what it looks like.
func (t turns) datagrams(l *load, out bool) func() (i int, d []byte) {
	at, i := len(l.datagrams), 0
	return func() (int, []byte) {
		if at == len(l.datagrams) {
			at, i = 0, t.next()
		}
		d := slices.Clone(l.datagrams[at])
		address(d, i, out)
		at++
		return i, d
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
