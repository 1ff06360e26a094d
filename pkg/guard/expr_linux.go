package guard

import (
	"encoding/binary"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// fragmentHeader is the number of the IPv6 fragment header (RFC 8200 §4.5).
const fragmentHeader = 44

// match is a list of expressions that together are one condition. Each appends to it and returns the result.
type match []expr.Any

// register is where single values are loaded.
const register = unix.NFT_REG_1

func eq(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data} }
func ne(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: data} }

func (m match) meta(key expr.MetaKey, cond expr.Any) match {
	return append(m, &expr.Meta{Key: key, Register: register}, cond)
}

// device adds the condition that the interface of key is name.
func (m match) device(key expr.MetaKey, name string) match {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return m.meta(key, eq(padded))
}

// proto adds the condition that the upper-layer protocol, behind IPv6 extension headers, is p.
func (m match) proto(p uint8) match { return m.meta(expr.MetaKeyL4PROTO, eq([]byte{p})) }

// family adds the condition that the packet is IPv4, or IPv6.
func (m match) family(is4 bool) match {
	return m.meta(expr.MetaKeyNFPROTO, eq([]byte{familyByte(is4)}))
}

func familyByte(is4 bool) byte {
	if is4 {
		return unix.NFPROTO_IPV4
	}
	return unix.NFPROTO_IPV6
}

// address adds the condition that one side of the packet is in a range.
func (m match) address(destination bool, r classifier.Range) match {
	h := headerOf(r.From.Is4())
	offset := h.src
	if destination {
		offset = h.dst
	}
	return m.payload(expr.PayloadBaseNetworkHeader, offset, r.From.AsSlice(), r.To.AsSlice())
}

// local adds the condition that one side of the packet is an address of this host at this moment.
func (m match) local(destination bool) match {
	return m.addressType(destination, unix.RTN_LOCAL)
}

// addressType adds the condition that the routing tables have a type for one side of the packet.
func (m match) addressType(destination bool, kind uint32) match {
	return append(m, &expr.Fib{Register: register, ResultADDRTYPE: true, FlagDADDR: destination, FlagSADDR: !destination}, eq(native32(kind)))
}

// readable adds a condition that always holds, but for packets whose upper-layer protocol cannot be found behind broken or cut extension headers.
func (m match) readable() match {
	return append(m, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register}, &expr.Range{Op: expr.CmpOpEq, Register: register, FromData: []byte{0}, ToData: []byte{255}})
}

// portsReadable adds a condition that always holds, but for packets without the first four octets of their transport header.
func (m match) portsReadable() match {
	return append(m, &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Len: 4},
		&expr.Range{Op: expr.CmpOpEq, Register: register, FromData: []byte{0, 0, 0, 0}, ToData: []byte{255, 255, 255, 255}})
}

// fragment6 adds the condition that the packet has an IPv6 fragment header.
func (m match) fragment6() match {
	return append(m, &expr.Exthdr{DestRegister: register, Type: fragmentHeader, Len: 1, Op: expr.ExthdrOpIpv6, Flags: unix.NFT_EXTHDR_F_PRESENT}, eq([]byte{1}))
}

// payload adds the condition that n octets at an offset of a header are in a range. A later fragment has no transport header: the
// condition then fails.
func (m match) payload(base expr.PayloadBase, offset int, from, to []byte) match {
	m = append(m, &expr.Payload{DestRegister: register, Base: base, Offset: uint32(offset), Len: uint32(len(from))})
	if string(from) == string(to) {
		return append(m, eq(from))
	}
	return append(m, &expr.Range{Op: expr.CmpOpEq, Register: register, FromData: from, ToData: to})
}

// laterFragment adds the condition that the packet is a fragment that does not start its datagram.
func (m match) laterFragment(is4 bool) match {
	if is4 {
		return append(m, &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 6, Len: 2},
			&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 2, Mask: []byte{0x1f, 0xff}, Xor: []byte{0, 0}},
			ne([]byte{0, 0}))
	}
	return append(m, &expr.Exthdr{DestRegister: register, Type: fragmentHeader, Offset: 2, Len: 2, Op: expr.ExthdrOpIpv6},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 2, Mask: []byte{0xff, 0xf8}, Xor: []byte{0, 0}},
		ne([]byte{0, 0}))
}

// marked adds the condition that the packet carries our mark.
func (m match) marked(mark, mask uint32) match {
	m = append(m, &expr.Meta{Key: expr.MetaKeyMARK, Register: register},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4, Mask: native32(mask), Xor: native32(0)})
	return append(m, eq(native32(mark&mask)))
}

// toMarked matches packets for a socket that carries a mark: answers of servers that the endpoint itself asks.
func (m match) toMarked(mark, mask uint32) match {
	m = append(m, &expr.Socket{Key: expr.SocketKeyMark, Register: register},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4, Mask: native32(mask), Xor: native32(0)})
	return append(m, eq(native32(mark&mask)))
}

func (m match) verdict(v Verdict) match {
	if v == Accept {
		return append(m, &expr.Verdict{Kind: expr.VerdictAccept})
	}
	return append(m, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})
}

// rule ends a rule of the policy. One that lets a packet pass goes back to the hook, and does not end it: what is forwarded is asked about in both directions.
func (m match) rule(v Verdict) match {
	if v == Accept {
		return m.back()
	}
	return m.verdict(v)
}

func (m match) jump(chain string) match {
	return append(m, &expr.Verdict{Kind: expr.VerdictJump, Chain: chain})
}

func (m match) goTo(chain string) match {
	return append(m, &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain})
}

func (m match) back() match { return append(m, &expr.Verdict{Kind: expr.VerdictReturn}) }

func native32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
func big16(v uint16) []byte    { return binary.BigEndian.AppendUint16(nil, v) }

// header says where the fields of a family's IP header lie.
type header struct{ src, dst, length int }

func headerOf(is4 bool) header {
	if is4 {
		return header{src: 12, dst: 16, length: 4}
	}
	return header{src: 8, dst: 24, length: 16}
}

// portField says where, in octets of the transport header, a filter's source or destination ports lie, and how long they are: for ICMP
// and ICMPv6 they are type and code, for the mobility header its type (RFC 4301 §4.4.1.1).
func portField(proto uint8, source bool) (offset, length int) {
	switch {
	case proto == unix.IPPROTO_ICMP || proto == unix.IPPROTO_ICMPV6:
		if source {
			return 0, 1
		}
		return 1, 1
	case proto == unix.IPPROTO_MH:
		return 2, 1
	case source:
		return 0, 2
	}
	return 2, 2
}

// portBytes returns a port as its field holds it.
func portBytes(n uint16, length int) []byte {
	if length == 1 {
		return []byte{byte(min(n, 255))}
	}
	return big16(n)
}

// maskOf returns the mask of a prefix of bits.
func maskOf(bits, length int) []byte {
	m := make([]byte, length)
	for i := range bits {
		m[i/8] |= 0x80 >> (i % 8)
	}
	return m
}

// prefixBits returns the length of the prefix that is exactly the range, or ok false if there is none.
func prefixBits(from, to netip.Addr) (bits int, ok bool) {
	a, b := from.AsSlice(), to.AsSlice()
	for bits < len(a)*8 && (a[bits/8]^b[bits/8])&(0x80>>(bits%8)) == 0 {
		bits++
	}
	p := netip.PrefixFrom(from, bits).Masked()
	last := p.Addr().AsSlice()
	for i := bits; i < len(last)*8; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	return bits, p.Addr() == from && end == to
}
