package guard

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// elementsAMessage is how many elements of a set go in one netlink message: an attribute holds 64 KiB.
const elementsAMessage = 200

// firstConcat is the first of the 32-bit registers in which a concatenated key is put together.
const firstConcat = unix.NFT_REG32_00

// setComment is the beginning of the comment of a rule that asks a set; the set's name follows.
const setComment = "set "

// field is one part of the key of a set: how a packet's is loaded, and what a rule's is.
type field struct {
	kind nftables.SetDatatype
	load []expr.Any // into register; patched to the one it gets
	size int        // in registers
	span func(f *classifier.Filter) (from, to []byte)
}

// fields returns the parts of the key of a shape, ports only if they are wanted. There are always two at least, as a set of ranges needs.
func (s shape) fields(ports bool) []field {
	var list []field
	h := headerOf(s.is4)
	kind := nftables.TypeIP6Addr
	if s.is4 {
		kind = nftables.TypeIPAddr
	}
	for _, side := range [...]struct {
		left   bool
		bits   int
		offset int
		of     func(f *classifier.Filter) classifier.Range
	}{
		{s.srcMe || s.exact && s.srcBits == 0, s.srcBits, h.src, func(f *classifier.Filter) classifier.Range { return f.Src }},
		{s.dstMe || s.exact && s.dstBits == 0, s.dstBits, h.dst, func(f *classifier.Filter) classifier.Range { return f.Dst }},
	} {
		if side.left {
			continue
		}
		load := []expr.Any{&expr.Payload{Base: expr.PayloadBaseNetworkHeader, Offset: uint32(side.offset), Len: uint32(h.length)}}
		if s.exact && side.bits < h.length*8 {
			load = append(load, &expr.Bitwise{Len: uint32(h.length), Mask: maskOf(side.bits, h.length), Xor: make([]byte, h.length)})
		}
		list = append(list, field{kind, load, h.length / 4, func(f *classifier.Filter) (from, to []byte) {
			return side.of(f).From.AsSlice(), side.of(f).To.AsSlice()
		}})
	}
	if s.hasProto {
		list = append(list, field{nftables.TypeInetProto, []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO}}, 1,
			func(f *classifier.Filter) (from, to []byte) { return []byte{f.Proto}, []byte{f.Proto} }})
	} else {
		family := []byte{familyByte(s.is4)}
		list = append(list, field{nftables.TypeNFProto, []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO}}, 1,
			func(*classifier.Filter) (from, to []byte) { return family, family }})
	}
	for _, side := range [...]struct {
		has, source bool
		of          func(f *classifier.Filter) classifier.Ports
	}{
		{s.hasSrcPort, true, func(f *classifier.Filter) classifier.Ports { return f.SrcPorts }},
		{s.hasDstPort, false, func(f *classifier.Filter) classifier.Ports { return f.DstPorts }},
	} {
		if !side.has || !ports {
			continue
		}
		offset, length := portField(s.proto, side.source)
		kind := nftables.TypeInetService
		if length == 1 {
			kind = nftables.TypeInetProto
		}
		load := []expr.Any{&expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: uint32(offset), Len: uint32(length)}}
		list = append(list, field{kind, load, 1, func(f *classifier.Filter) (from, to []byte) {
			return portBytes(side.of(f).From, length), portBytes(side.of(f).To, length)
		}})
	}
	return list
}

// load adds the expressions that put a packet's key together.
func (m match) load(fields []field) match {
	reg := uint32(firstConcat)
	for _, f := range fields {
		for _, x := range f.load {
			switch x := x.(type) {
			case *expr.Payload:
				x.DestRegister = reg
			case *expr.Meta:
				x.Register = reg
			case *expr.Bitwise:
				x.SourceRegister, x.DestRegister = reg, reg
			}
			m = append(m, x)
		}
		reg += uint32(f.size)
	}
	return m
}

// element returns the key of a rule; a hash has no end of it.
func (s shape) element(f *classifier.Filter, fields []field) nftables.SetElement {
	var e nftables.SetElement
	for _, x := range fields {
		from, to := x.span(f)
		e.Key = append(e.Key, padded(from, x.size)...)
		if !s.exact {
			e.KeyEnd = append(e.KeyEnd, padded(to, x.size)...)
		}
	}
	return e
}

func padded(b []byte, words int) []byte {
	p := make([]byte, 4*words)
	copy(p, b)
	return p
}

// set is one set of the table, filled, and the rule that asks it.
type set struct {
	set    *nftables.Set
	fields []field
}

// newSet writes a set of the rules. They are all of the shape s, and no two have the same key.
func (c *compiler) newSet(s shape, rules []*entry, ports, counted bool) (*set, error) {
	fields := s.fields(ports)
	var kinds []nftables.SetDatatype
	for _, f := range fields {
		kinds = append(kinds, f.kind)
	}
	key, err := nftables.ConcatSetType(kinds...)
	if err != nil {
		return nil, err
	}
	c.sets++
	n := &nftables.Set{Table: c.table, Name: fmt.Sprintf("rules%d", c.sets), Concatenation: true, Interval: !s.exact, KeyType: key, Size: uint32(len(rules)), Counter: counted}
	if err := c.setConn.AddSet(n, nil); err != nil {
		return nil, err
	}
	elements := make([]nftables.SetElement, len(rules))
	for i, r := range rules {
		elements[i] = s.element(&r.reach, fields)
		elements[i].Comment = r.comment()
	}
	for len(elements) > 0 {
		some := min(len(elements), elementsAMessage)
		if err := c.setConn.SetAddElements(n, elements[:some]); err != nil {
			return nil, err
		}
		elements = elements[some:]
	}
	return &set{n, fields}, nil
}

// lookup adds the condition that the set has the packet's key.
func (m match) lookup(s *set) match {
	return append(m.load(s.fields), &expr.Lookup{SourceRegister: firstConcat, SetName: s.set.Name})
}
