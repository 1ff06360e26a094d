package diagnose

import (
	"bytes"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
)

// A walk follows one flow through the rules of nftables without a packet: a condition is true, false, or depends on what is not known.
type walk struct {
	r    *ruleset
	flow flow
	// maybeAccepted is set once a rule might have let the flow pass, maybeDropped once one that names its port or protocol might have dropped it.
	maybeAccepted, maybeDropped bool
}

// end is how a chain or a rule ends for the flow.
type end uint8

const (
	nothing end = iota // on to the next rule
	accept
	drop
	back // return
)

// truth is what is known of a condition.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

// deepest bounds jumps; the kernel allows 16.
const deepest = 16

// chain walks the rules of a chain.
func (w *walk) chain(c *nftables.Chain, depth int) end {
	if c == nil || depth > deepest {
		return nothing
	}
	for _, rule := range w.r.rulesOf(c) {
		switch e := w.rule(c, rule, depth); e {
		case nothing:
		case back:
			return nothing
		default:
			return e
		}
	}
	return nothing
}

// register is what one holds: a value, or the name of a device that is not loopback.
type register struct {
	value  []byte
	device bool
	named  bool // the value is the flow's own port or protocol
}

// rule walks the expressions of one rule.
func (w *walk) rule(c *nftables.Chain, rule *nftables.Rule, depth int) end {
	regs := map[uint32]register{}
	match, named := yes, false
	condition := func(t truth, byName bool) {
		match = min(match, t)
		named = named || t == yes && byName
	}
	for _, x := range rule.Exprs {
		switch x := x.(type) {
		case *expr.Meta:
			if x.SourceRegister {
				continue // it sets a mark
			}
			r, v, device, byName := w.flow.load(x)
			regs[r] = register{v, device, byName}
		case *expr.Payload, *expr.Ct:
			r, v, device, byName := w.flow.load(x)
			regs[r] = register{v, device, byName}
		case *expr.Bitwise:
			regs[x.DestRegister] = register{value: masked(regs[x.SourceRegister].value, x)}
		case *expr.Cmp:
			r := regs[x.Register]
			condition(r.compare(x.Op, x.Data), r.named && x.Op == expr.CmpOpEq)
		case *expr.Range:
			r := regs[x.Register]
			condition(negate(both(r.compare(expr.CmpOpGte, x.FromData), r.compare(expr.CmpOpLte, x.ToData)), x.Op == expr.CmpOpNeq), r.named)
		case *expr.Lookup:
			r := regs[x.SourceRegister]
			t, v := w.lookup(c.Table, x, r)
			condition(negate(t, x.Invert), r.named && !x.Invert)
			if v != nil && match != no {
				if e := w.verdict(c, v, match, named, depth); e != nothing {
					return e
				}
			}
		case *expr.Match:
			t, byName := w.xtMatch(x)
			condition(t, byName)
		case *expr.Verdict:
			return w.verdict(c, x, match, named, depth)
		case *expr.Reject:
			return w.verdict(c, &expr.Verdict{Kind: expr.VerdictDrop}, match, named, depth)
		case *expr.Target:
			if x.Name == "REJECT" {
				return w.verdict(c, &expr.Verdict{Kind: expr.VerdictDrop}, match, named, depth)
			}
		case *expr.Counter, *expr.Log, *expr.Notrack, *expr.Immediate, *expr.Objref, *expr.Dynset:
		default: // a limit, a fib lookup, another lookup of the kernel's own
			condition(maybe, false)
			if reg, ok := destination(x); ok {
				delete(regs, reg)
			}
		}
		if match == no {
			return nothing
		}
	}
	return nothing
}

// destination is the register that an expression writes which is not understood.
func destination(x expr.Any) (uint32, bool) {
	switch x := x.(type) {
	case *expr.Fib:
		return x.Register, true
	case *expr.Rt:
		return x.Register, true
	case *expr.Socket:
		return x.Register, true
	case *expr.Byteorder:
		return x.DestRegister, true
	}
	return 0, false
}

// verdict does what a rule says whose conditions hold, or may hold.
func (w *walk) verdict(c *nftables.Chain, v *expr.Verdict, match truth, named bool, depth int) end {
	if match == no {
		return nothing
	}
	sure := match == yes
	switch v.Kind {
	case expr.VerdictAccept, expr.VerdictQueue, expr.VerdictStop:
		if sure {
			return accept
		}
		w.maybeAccepted = true
	case expr.VerdictDrop:
		if sure && !w.maybeAccepted {
			return drop
		}
		if sure {
			w.maybeDropped = true
			return accept // what is behind it does not count; it may be dropped here
		}
		w.maybeDropped = w.maybeDropped || named
	case expr.VerdictReturn:
		if sure {
			return back
		}
	case expr.VerdictJump, expr.VerdictGoto:
		return w.jump(w.r.chainNamed(c.Table, v.Chain), v.Kind == expr.VerdictGoto, sure, named, depth)
	}
	return nothing
}

// jump walks another chain; what it decides is no more certain than the jump.
func (w *walk) jump(to *nftables.Chain, leave, sure, named bool, depth int) end {
	e := w.chain(to, depth+1)
	if sure {
		if leave && e == nothing {
			return back
		}
		return e
	}
	w.maybeAccepted = w.maybeAccepted || e == accept
	w.maybeDropped = w.maybeDropped || e == drop && named
	return nothing
}

func (r register) compare(op expr.CmpOp, data []byte) truth {
	if r.device && strings.TrimRight(string(data), "\x00") == "lo" {
		return negate(no, op == expr.CmpOpNeq)
	}
	if r.value == nil || len(r.value) != len(data) {
		return maybe
	}
	c := bytes.Compare(r.value, data)
	holds := map[expr.CmpOp]bool{expr.CmpOpEq: c == 0, expr.CmpOpNeq: c != 0, expr.CmpOpLt: c < 0, expr.CmpOpLte: c <= 0, expr.CmpOpGt: c > 0, expr.CmpOpGte: c >= 0}
	return negate(no, holds[op])
}

// negate is the opposite if not is set.
func negate(t truth, not bool) truth {
	if not {
		return yes - t
	}
	return t
}

func both(a, b truth) truth { return min(a, b) }

func masked(value []byte, x *expr.Bitwise) []byte {
	if value == nil || len(value) != len(x.Mask) || len(value) != len(x.Xor) {
		return nil
	}
	out := make([]byte, len(value))
	for i := range out {
		out[i] = value[i]&x.Mask[i] ^ x.Xor[i]
	}
	return out
}

// lookup says whether a set holds what a register holds, and the verdict that a map has for it.
func (w *walk) lookup(t *nftables.Table, x *expr.Lookup, r register) (truth, *expr.Verdict) {
	set, list, ok := w.r.elements(t, x.SetName)
	if !ok || r.value == nil || set.Concatenation || set.Dynamic {
		return maybe, nil
	}
	if set.Interval {
		return interval(list, r.value)
	}
	for _, e := range list {
		if bytes.Equal(e.Key, r.value) {
			return yes, e.VerdictData
		}
	}
	return no, nil
}

// interval looks a value up in a set of intervals: each begins with an element, and ends before the next one that is marked as an end.
func interval(list []nftables.SetElement, value []byte) (truth, *expr.Verdict) {
	var begin *nftables.SetElement // the last one at or before value
	for i := range list {
		e := &list[i]
		if len(e.Key) != len(value) {
			return maybe, nil
		}
		if bytes.Compare(e.Key, value) > 0 {
			continue
		}
		// Where an interval ends and the next begins, the beginning counts.
		if begin == nil || bytes.Compare(e.Key, begin.Key) > 0 || bytes.Equal(e.Key, begin.Key) && begin.IntervalEnd {
			begin = e
		}
	}
	if begin == nil || begin.IntervalEnd {
		return no, nil
	}
	return yes, begin.VerdictData
}

// xtMatch understands the matches of iptables that name ports, and comments.
func (w *walk) xtMatch(x *expr.Match) (t truth, named bool) {
	switch info := x.Info.(type) {
	case *xt.Comment:
		return yes, false
	case *xt.Udp:
		if w.flow.proto != 17 || info.InvFlags != 0 {
			return maybe, false
		}
		own, other := info.DstPorts, info.SrcPorts
		if w.flow.out {
			own, other = other, own
		}
		anyOther := other[0] == 0 && other[1] == 65535
		if w.flow.port < own[0] || w.flow.port > own[1] {
			return no, false
		}
		if !anyOther {
			return maybe, true
		}
		return yes, own[0] != 0 || own[1] != 65535
	}
	return maybe, false
}
