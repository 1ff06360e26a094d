package guard

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// elementsAMessage is how many elements of a map go in one netlink message: an attribute holds 64 KiB.
const elementsAMessage = 400

// firstConcat is the first of the 32-bit registers in which a concatenated key is put together.
const firstConcat = unix.NFT_REG32_00

// shape is what filters have in common whose differences a map can hold: family, prefix lengths, and which fields they name.
type shape struct {
	is4, hasProto, hasSrcPort, hasDstPort bool
	srcBits, dstBits                      int
	// proto is the protocol if the filters name ports: it says where those lie.
	proto uint8
}

// shapeOf returns the shape of f; ok is false if a map cannot hold f: ranges that are no prefixes, or fewer than two fields.
func shapeOf(f *classifier.Filter) (s shape, ok bool) {
	s.is4 = f.Src.From.Is4()
	var ok1, ok2 bool
	s.srcBits, ok1 = prefixBits(f.Src.From, f.Src.To)
	s.dstBits, ok2 = prefixBits(f.Dst.From, f.Dst.To)
	s.hasProto, s.hasSrcPort, s.hasDstPort = f.Proto != 0, f.SrcPorts.Given, f.DstPorts.Given
	if s.hasSrcPort || s.hasDstPort {
		s.proto = f.Proto
	}
	one := func(p classifier.Ports) bool { return !p.Given || p.From == p.To }
	return s, ok1 && ok2 && s.srcBits > 0 && s.dstBits > 0 && one(f.SrcPorts) && one(f.DstPorts)
}

// key returns the values of f as the registers will hold them, each padded to 32 bits.
func (s shape) key(f *classifier.Filter, ports bool) []byte {
	k := append(f.Src.From.AsSlice(), f.Dst.From.AsSlice()...)
	if s.hasProto {
		k = append(k, f.Proto, 0, 0, 0)
	}
	for _, p := range [...]struct {
		classifier.Ports
		source bool
	}{{f.SrcPorts, true}, {f.DstPorts, false}} {
		if p.Given && ports {
			_, length := portField(s.proto, p.source)
			var field [4]byte
			copy(field[:], portBytes(p.From, length))
			k = append(k, field[:]...)
		}
	}
	return k
}

// load returns the expressions that put the key of a packet into the registers.
func (s shape) load(ports bool) match {
	m := match{}.family(s.is4)
	h := headerOf(s.is4)
	reg := uint32(firstConcat)
	for _, side := range [...]struct{ offset, bits int }{{h.src, s.srcBits}, {h.dst, s.dstBits}} {
		m = append(m, &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: uint32(side.offset), Len: uint32(h.length)})
		if side.bits < h.length*8 {
			m = append(m, &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(h.length), Mask: maskOf(side.bits, h.length), Xor: make([]byte, h.length)})
		}
		reg += uint32(h.length / 4)
	}
	if s.hasProto {
		m = append(m, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg})
		reg++
	}
	for _, side := range [...]struct{ has, source bool }{{s.hasSrcPort, true}, {s.hasDstPort, false}} {
		if side.has && ports {
			offset, length := portField(s.proto, side.source)
			m = append(m, &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: uint32(offset), Len: uint32(length)})
			reg++
		}
	}
	return m
}

// keyType returns the type of the map's key, for those who list it.
func (s shape) keyType(ports bool) (nftables.SetDatatype, error) {
	addr := nftables.TypeIP6Addr
	if s.is4 {
		addr = nftables.TypeIPAddr
	}
	types := []nftables.SetDatatype{addr, addr}
	if s.hasProto {
		types = append(types, nftables.TypeInetProto)
	}
	for _, has := range [...]bool{s.hasSrcPort, s.hasDstPort} {
		if has && ports {
			types = append(types, nftables.TypeInetService)
		}
	}
	return nftables.ConcatSetType(types...)
}

// runMap compiles rules of one shape into one look-up. Where two have the same values the first, the heavier, counts.
func (c *compiler) runMap(ch *nftables.Chain, s shape, rules []Rule) error {
	if s.hasSrcPort || s.hasDstPort {
		// D10: later fragments between the addresses of a rule that drops.
		var drops []Rule
		for _, r := range rules {
			if r.Verdict == Drop {
				drops = append(drops, r)
			}
		}
		if err := c.lookup(ch, s, drops, false, match{}.family(s.is4).laterFragment(s.is4)); err != nil {
			return err
		}
	}
	return c.lookup(ch, s, rules, true, nil)
}

// lookup adds a map from keys to verdicts, and the rule that asks it under the condition given.
func (c *compiler) lookup(ch *nftables.Chain, s shape, rules []Rule, ports bool, condition match) error {
	if len(rules) == 0 {
		return nil
	}
	keyType, err := s.keyType(ports)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	var elements []nftables.SetElement
	for i := range rules {
		k := s.key(&rules[i].Filter, ports)
		if seen[string(k)] {
			continue
		}
		seen[string(k)] = true
		kind := expr.VerdictAccept
		if rules[i].Verdict == Drop {
			kind = expr.VerdictDrop
		}
		elements = append(elements, nftables.SetElement{Key: k, VerdictData: &expr.Verdict{Kind: kind}})
	}
	c.maps++
	set := &nftables.Set{Table: c.table, Name: fmt.Sprintf("rules%d", c.maps), IsMap: true, Concatenation: true,
		KeyType: keyType, DataType: nftables.TypeVerdict, Size: uint32(len(elements))}
	if err := c.conn.AddSet(set, nil); err != nil {
		return err
	}
	for len(elements) > 0 {
		n := min(len(elements), elementsAMessage)
		if err := c.conn.SetAddElements(set, elements[:n]); err != nil {
			return err
		}
		elements = elements[n:]
	}
	m := append(condition, s.load(ports)...)
	c.add(ch, append(m, &expr.Lookup{SourceRegister: firstConcat, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true, SetName: set.Name, SetID: set.ID}))
	return nil
}
