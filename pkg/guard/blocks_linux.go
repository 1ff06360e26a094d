package guard

import (
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
)

const (
	// leastSet is how many rules of one shape are worth a set.
	leastSet = 4
	// leastExact is how many rules of one exact shape in a row are worth a hash; fewer go with the ranges.
	leastExact = 256
	// mostRanges bounds a set of ranges: the kernel copies such a set as it grows.
	mostRanges = 2048
)

// shape is what rules have in common that one set can hold.
type shape struct {
	is4, srcMe, dstMe bool
	// exact: all addresses are prefixes of these lengths and all ports single, so that a hash finds them; otherwise everything is a range.
	exact                  bool
	srcBits, dstBits       int
	hasProto               bool
	hasSrcPort, hasDstPort bool
	proto                  uint8 // if the rules name ports: it says where those lie
}

// exactShape returns the shape of e for a hash; ok is false if a hash cannot hold e.
func exactShape(e *entry) (s shape, ok bool) {
	s = rangeShape(e)
	s.exact, s.hasProto = true, e.reach.Proto != 0
	var ok1, ok2 bool
	s.srcBits, ok1 = prefixBits(e.reach.Src.From, e.reach.Src.To)
	s.dstBits, ok2 = prefixBits(e.reach.Dst.From, e.reach.Dst.To)
	one := func(p classifier.Ports) bool { return !p.Given || p.From == p.To }
	return s, ok1 && ok2 && s.srcBits+s.dstBits > 0 && one(e.reach.SrcPorts) && one(e.reach.DstPorts)
}

// rangeShape returns the shape of e for a set of ranges.
func rangeShape(e *entry) shape {
	s := shape{is4: e.reach.Src.From.Is4(), srcMe: e.srcMe, dstMe: e.dstMe, hasSrcPort: e.reach.SrcPorts.Given, hasDstPort: e.reach.DstPorts.Given}
	if s.hasPorts() {
		s.proto = e.reach.Proto
	}
	// A set of ranges holds those without a protocol apart: a packet whose protocol cannot be read is still one of theirs.
	s.hasProto = e.reach.Proto != 0
	return s
}

func (s shape) hasPorts() bool { return s.hasSrcPort || s.hasDstPort }

// block is a number of rules of one shape of which no two match the same packet: their order does not matter, and one look-up finds the right one.
type block struct {
	shape shape
	rules []*entry
	keys  map[classifier.Filter]bool // exact: what is there
	near  sorted                     // ranges: what is there, by the address that differs most
}

// arrange puts rules, heaviest first, into as few blocks as it can: each rule into a block of its shape behind every block with a heavier rule that matches
// some of the same packets. The blocks in their order say what the rules in theirs do.
func arrange(list []entry, inbound bool) []*block {
	var blocks []*block
	for i := 0; i < len(list); {
		n, s := exactRun(list[i:])
		if n >= leastExact {
			for j := range n {
				blocks = place(blocks, &list[i+j], s, inbound)
			}
			i += n
			continue
		}
		for range max(n, 1) {
			blocks = place(blocks, &list[i], rangeShape(&list[i]), inbound)
			i++
		}
	}
	return blocks
}

// exactRun returns how many rules at the beginning of a list have one exact shape. Lists are in the order of weights, which puts such side by side.
func exactRun(list []entry) (n int, s shape) {
	s, ok := exactShape(&list[0])
	for ok && n < len(list) {
		if next, same := exactShape(&list[n]); !same || next != s {
			break
		}
		n++
	}
	return n, s
}

// place adds one rule to the first block that may hold it.
func place(blocks []*block, e *entry, s shape, inbound bool) []*block {
	var free *block
	for i := len(blocks) - 1; i >= 0; i-- {
		b := blocks[i]
		if b.shape == s && s.exact && b.keys[e.reach] {
			return blocks // the heavier of two equal ones counts
		}
		if b.meets(e, s) {
			break
		}
		if b.shape == s && s.exact {
			free = b
			break
		}
		if b.shape == s && len(b.rules) < mostRanges {
			free = b // an earlier one may have room too
		}
	}
	if free == nil {
		free = &block{shape: s, keys: map[classifier.Filter]bool{}, near: sorted{destination: !inbound}}
		blocks = append(blocks, free)
	}
	free.rules = append(free.rules, e)
	if s.exact {
		free.keys[e.reach] = true
	} else {
		free.near.add(e)
	}
	return blocks
}

// meets reports whether some packet may match e and a rule of b. For hashes it says yes without looking, but for rules of their own shape.
func (b *block) meets(e *entry, s shape) bool {
	if b.shape.is4 != s.is4 {
		return false
	}
	if b.shape.exact {
		return b.shape != s
	}
	return b.near.meets(e)
}

// sorted holds rules by where their range on one side begins.
type sorted struct {
	destination bool
	rules       []*entry
	last        []classifier.Range // of each: from anything to the highest address of it and those before it
}

func (s *sorted) side(e *entry) classifier.Range {
	if s.destination {
		return e.reach.Dst
	}
	return e.reach.Src
}

func (s *sorted) find(e *entry) int {
	at, _ := slices.BinarySearchFunc(s.rules, s.side(e), func(x *entry, r classifier.Range) int { return s.side(x).From.Compare(r.From) })
	return at
}

func (s *sorted) add(e *entry) {
	at := s.find(e)
	s.rules = slices.Insert(s.rules, at, e)
	s.last = slices.Insert(s.last, at, s.side(e))
	for i := at; i < len(s.rules); i++ {
		r := s.side(s.rules[i])
		if i > 0 && s.last[i-1].To.Compare(r.To) > 0 {
			r.To = s.last[i-1].To
		}
		if i > at && s.last[i].To == r.To {
			return // from here on nothing changes
		}
		s.last[i] = r
	}
}

// meets reports whether a rule here matches some packet that e matches too.
func (s *sorted) meets(e *entry) bool {
	r := s.side(e)
	end, _ := slices.BinarySearchFunc(s.rules, r, func(x *entry, r classifier.Range) int {
		if s.side(x).From.Compare(r.To) <= 0 {
			return -1
		}
		return 1
	})
	for i := end - 1; i >= 0 && s.last[i].To.Compare(r.From) >= 0; i-- {
		if s.rules[i].reach.Overlaps(&e.reach) {
			return true
		}
	}
	return false
}
