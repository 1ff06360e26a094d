package classifier

// rule4 and rule6 are filters in the form in which they are compared. A value passes if value - from <= span.
type rule4 struct {
	src, srcSpan, dst, dstSpan uint32
	limits
}

type rule6 struct {
	srcFrom, srcTo, dstFrom, dstTo [2]uint64
	limits
}

// limits are what a filter says beside addresses, and what stands for its entry: rank says which of several wins, pos where its value lies.
type limits struct {
	srcPort, srcSpan, dstPort, dstSpan uint16
	proto                              uint8 // 0: any
	ported                             uint8 // 1: names ports, and does not match where they could not be read
	pos                                uint32
	rank                               uint64
}

// rule is what building and changing trees needs of both kinds.
type rule[R any] interface {
	*R
	set(f *Filter)
	interval(dim int) (from, to uint64)
	upper() *limits
	bare() R
	cell(side int) (key uint64, ok bool)
}

// ruleOf converts a filter.
func ruleOf[R any, P rule[R]](f *Filter, pos uint32, rank uint64) (r R) {
	P(&r).set(f)
	l := P(&r).upper()
	l.pos, l.rank = pos, rank
	return r
}

func (l *limits) upper() *limits { return l }

func (l *limits) set(f *Filter) {
	*l = limits{proto: f.Proto, srcSpan: noPort - 1, dstSpan: noPort - 1}
	if f.SrcPorts.Given {
		l.srcPort, l.srcSpan, l.ported = f.SrcPorts.From, f.SrcPorts.To-f.SrcPorts.From, 1
	}
	if f.DstPorts.Given {
		l.dstPort, l.dstSpan, l.ported = f.DstPorts.From, f.DstPorts.To-f.DstPorts.From, 1
	}
}

func (r *rule4) set(f *Filter) {
	r.limits.set(f)
	_, srcSpan := f.Src.span()
	_, dstSpan := f.Dst.span()
	p := f.hosts()
	r.src, r.srcSpan, r.dst, r.dstSpan = uint32(p[dimSrcLo]), uint32(srcSpan), uint32(p[dimDstLo]), uint32(dstSpan)
}

func (r *rule6) set(f *Filter) {
	r.limits.set(f)
	r.srcFrom[0], r.srcFrom[1] = words(f.Src.From)
	r.srcTo[0], r.srcTo[1] = words(f.Src.To)
	r.dstFrom[0], r.dstFrom[1] = words(f.Dst.From)
	r.dstTo[0], r.dstTo[1] = words(f.Dst.To)
}

// bare is the rule of the same filter that stands for nothing.
func (r *rule4) bare() rule4 {
	b := *r
	b.pos, b.rank = 0, 0
	return b
}

func (r *rule6) bare() rule6 {
	b := *r
	b.pos, b.rank = 0, 0
	return b
}

// cell is the prefix that holds all of one side of a rule, 0 the destination and 1 the source, if there is one of the length that cells have.
func (r *rule4) cell(side int) (key uint64, ok bool) {
	from, span := r.dst, r.dstSpan
	if side == 1 {
		from, span = r.src, r.srcSpan
	}
	return uint64(from >> cellShift), from>>cellShift == (from+span)>>cellShift
}

func (r *rule6) cell(side int) (key uint64, ok bool) {
	from, to := r.dstFrom[0], r.dstTo[0]
	if side == 1 {
		from, to = r.srcFrom[0], r.srcTo[0]
	}
	return from >> cellShift, from>>cellShift == to>>cellShift
}

// interval is what a rule takes of one dimension. The low word of an address counts only where the high words are equal: else it is any.
func (r *rule4) interval(dim int) (from, to uint64) {
	switch dim {
	case dimSrcLo:
		return uint64(r.src), uint64(r.src + r.srcSpan)
	case dimDstLo:
		return uint64(r.dst), uint64(r.dst + r.dstSpan)
	case dimSrcHi, dimDstHi:
		return 0, ^uint64(0) // nothing to part or to sieve by
	}
	return r.limits.interval(dim)
}

func (r *rule6) interval(dim int) (from, to uint64) {
	switch dim {
	case dimSrcHi, dimSrcLo:
		return wordOf(&r.srcFrom, &r.srcTo, dim-dimSrcHi)
	case dimDstHi, dimDstLo:
		return wordOf(&r.dstFrom, &r.dstTo, dim-dimDstHi)
	}
	return r.limits.interval(dim)
}

func wordOf(from, to *[2]uint64, word int) (uint64, uint64) {
	if word == 1 && from[0] != to[0] {
		return 0, ^uint64(0)
	}
	return from[word], to[word]
}

// interval gives any the number that stands for unreadable, too.
func (l *limits) interval(dim int) (from, to uint64) {
	switch {
	case dim == dimProto && l.proto != 0:
		return uint64(l.proto), uint64(l.proto)
	case dim == dimProto:
		return 0, noProto
	case dim == dimSrcPort && l.srcSpan != noPort-1:
		return uint64(l.srcPort), uint64(l.srcPort) + uint64(l.srcSpan)
	case dim == dimDstPort && l.dstSpan != noPort-1:
		return uint64(l.dstPort), uint64(l.dstPort) + uint64(l.dstSpan)
	}
	return 0, noPort
}

// match compares ports as numbers of 16 bits: the bit above says that they could not be read.
func (l *limits) match(p *point) bool {
	return uint16(p[dimDstPort])-l.dstPort <= l.dstSpan && uint16(p[dimSrcPort])-l.srcPort <= l.srcSpan &&
		(l.proto == 0 || uint64(l.proto) == p[dimProto]) && uint8(p[dimSrcPort]>>16)&l.ported == 0
}

func (r *rule6) match(p *point) bool {
	return within(p[dimSrcHi], p[dimSrcLo], &r.srcFrom, &r.srcTo) && within(p[dimDstHi], p[dimDstLo], &r.dstFrom, &r.dstTo) && r.limits.match(p)
}

// within compares numbers of 128 bits.
func within(hi, lo uint64, from, to *[2]uint64) bool {
	if hi < from[0] || hi == from[0] && lo < from[1] {
		return false
	}
	return hi < to[0] || hi == to[0] && lo <= to[1]
}

// hit is the best that a look-up has found.
type hit struct {
	rank uint64
	pos  uint32
}

// miss is no hit: anything is better.
var miss = hit{^uint64(0), none}

// scan4 looks through rules of ascending rank. What most rules fail by differs from rule to rule, so all is compared without a branch: a difference that
// is too large leaves the uppermost bit set.
func scan4(rules []rule4, p *point, h *hit) {
	src, dst, srcPort, dstPort := uint32(p[dimSrcLo]), uint32(p[dimDstLo]), uint16(p[dimSrcPort]), uint16(p[dimDstPort])
	proto, unread := p[dimProto], uint8(p[dimSrcPort]>>16)
	for i := range rules {
		r := &rules[i]
		if r.rank >= h.rank {
			return
		}
		far := (uint64(r.srcSpan) - uint64(src-r.src)) | (uint64(r.dstSpan) - uint64(dst-r.dst)) |
			(uint64(r.limits.srcSpan) - uint64(srcPort-r.srcPort)) | (uint64(r.limits.dstSpan) - uint64(dstPort-r.dstPort))
		if int64(far) >= 0 && (r.proto == 0 || uint64(r.proto) == proto) && unread&r.ported == 0 {
			h.rank, h.pos = r.rank, r.pos
			return
		}
	}
}

func scan6(rules []rule6, p *point, h *hit) {
	for i := range rules {
		r := &rules[i]
		if r.rank >= h.rank {
			return
		}
		if r.match(p) {
			h.rank, h.pos = r.rank, r.pos
			return
		}
	}
}
