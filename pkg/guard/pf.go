package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// This file writes and reads what pf, the packet filter of macOS and the BSDs, is told. It is the same on every system, so that it can be tested on any; only
// guard_darwin.go hands it over.
//
// pf decides by the last rule that matches, or by the first that says "quick": all of ours do, so that the heaviest decides. None keeps state. What pf cannot
// express, such as ports of SCTP, it is told more widely in rules that drop and not at all in rules that accept: the guard then drops too much, never too little.

// pfParent is the anchor that ours hang in; the main rules must have  anchor "goipsec/*".
const pfParent = "goipsec"

// pfNotMe marks packets whose own address is one that me never stands for.
const pfNotMe = "goipsec_notme"

// pfRules returns the rules of the anchor of an instance, one a line.
func pfRules(cfg *Config) string {
	w := &pfWriter{}
	fixed := func(text, rule string) { w.line(rule, 0, text) }
	fixed("loopback", "pass quick on lo0 all no state")
	fixed("the TUN", "pass quick on "+cfg.Device+" all no state")
	for _, p := range [...]string{"esp", "ah"} {
		fixed(strings.ToUpper(p), "pass in quick proto "+p+" from any to (self) no state")
		fixed(strings.ToUpper(p), "pass out quick proto "+p+" from (self) to any no state")
	}
	for _, port := range cfg.Ports {
		fixed(fmt.Sprintf("IKE, UDP port %d", port), fmt.Sprintf("pass in quick proto udp from any to (self) port = %d no state", port))
		fixed(fmt.Sprintf("IKE, UDP port %d", port), fmt.Sprintf("pass out quick proto udp from (self) port = %d to any no state", port))
	}
	// Deviation: pf cannot ask for a hop limit of 255, by which neighbour discovery shows that no router has passed it on (RFC 4861 §7.1.1); the receiver asks.
	for _, kind := range [...]int{133, 134, 135, 136, 137, 130, 131, 132, 143} {
		fixed("neighbour and listener discovery", fmt.Sprintf("pass quick inet6 proto ipv6-icmp all icmp6-type %d no state", kind))
	}
	fixed("ICMP too big", "pass in quick inet proto icmp all icmp-type 3 code 4 no state")
	fixed("ICMPv6 too big", "pass in quick inet6 proto ipv6-icmp all icmp6-type 2 code 0 no state")
	for _, f := range cfg.Exempt {
		e := &entry{Rule: Rule{Filter: f, Verdict: Accept}, reach: f}
		for _, direction := range [...]bool{true, false} {
			w.rule(e, direction)
		}
	}
	if cfg.ExemptBroadcast {
		fixed("exempt: broadcast", "pass quick inet from any to 255.255.255.255 no state")
	}
	for _, d := range [...]struct {
		rules   []Rule
		inbound bool
	}{{cfg.Inbound, true}, {cfg.Outbound, false}} {
		list := entries(cfg, d.rules)
		if slices.ContainsFunc(list, func(e entry) bool { return e.srcMe || e.dstMe }) {
			w.notMe(cfg, d.inbound)
		}
		for i := range list {
			w.rule(&list[i], d.inbound)
		}
	}
	return w.String()
}

type pfWriter struct{ strings.Builder }

// line writes a rule with the label by which it is known again: its place and what it is.
func (w *pfWriter) line(rule string, index int, text string) {
	const mostLabel = 63
	fmt.Fprintf(w, "%s label %q\n", rule, fmt.Sprintf("%.*s", mostLabel, fmt.Sprintf("%d %s", index, text)))
}

// notMe marks what me does not stand for. A mark stays also where the rule that set it is not the last to match.
func (w *pfWriter) notMe(cfg *Config, inbound bool) {
	for _, p := range notMeOf(cfg) {
		if inbound {
			fmt.Fprintf(w, "pass in %s from any to %s no state tag %s\n", pfFamily(p.Addr().Is4()), p, pfNotMe)
		} else {
			fmt.Fprintf(w, "pass out %s from %s to any no state tag %s\n", pfFamily(p.Addr().Is4()), p, pfNotMe)
		}
	}
}

// rule writes one rule, or several where pf needs them.
func (w *pfWriter) rule(e *entry, inbound bool) {
	f := &e.reach
	is4 := f.Src.From.Is4()
	action, direction := "pass", "out"
	if e.Verdict == Drop {
		action = "block drop"
	}
	if inbound {
		direction = "in"
	}
	head := fmt.Sprintf("%s %s quick %s", action, direction, pfFamily(is4))
	if f.Proto != 0 {
		head += " proto " + strconv.Itoa(int(f.Proto))
	}
	src, dst := pfAddress(f.Src, e.srcMe), pfAddress(f.Dst, e.dstMe)
	tail := ""
	if e.srcMe || e.dstMe {
		tail = " ! tagged " + pfNotMe
	}
	if e.Verdict == Accept {
		tail += " no state"
	}
	text := e.text()
	ported := f.Proto == 6 || f.Proto == 17
	if !f.SrcPorts.Given && !f.DstPorts.Given {
		w.line(fmt.Sprintf("%s from %s to %s%s", head, src, dst, tail), e.index, text)
		return
	}
	if ported {
		w.line(fmt.Sprintf("%s from %s%s to %s%s%s", head, src, pfPorts(f.SrcPorts), dst, pfPorts(f.DstPorts), tail), e.index, text)
		if e.Verdict == Drop { // D10: what cannot be read might be one of the ports
			w.line(fmt.Sprintf("%s from %s to %s fragment%s", head, src, dst, tail), e.index, text)
		}
		return
	}
	kinds, exact := pfKinds(f)
	switch {
	case exact:
		w.line(fmt.Sprintf("%s from %s to %s %s%s", head, src, dst, kinds, tail), e.index, text)
	case e.Verdict == Drop:
		w.line(fmt.Sprintf("%s from %s to %s%s", head, src, dst, tail), e.index, "wider than "+text)
	}
}

func pfFamily(is4 bool) string {
	if is4 {
		return "inet"
	}
	return "inet6"
}

// pfAddress writes one side. "(self)" is every address of the host at the moment of the packet.
func pfAddress(r classifier.Range, me bool) string {
	switch {
	case me:
		return "(self)"
	case r.IsAny():
		return "any"
	}
	if _, ok := r.Prefix(); ok {
		return r.String()
	}
	return r.From.String() + " - " + r.To.String()
}

func pfPorts(p classifier.Ports) string {
	switch {
	case !p.Given:
		return ""
	case p.From == p.To:
		return fmt.Sprintf(" port = %d", p.From)
	}
	return fmt.Sprintf(" port %d:%d", p.From, p.To)
}

// mostKinds bounds the pairs of type and code that one rule is written out to.
const mostKinds = 64

// pfKinds writes ICMP types and codes; ok is false if there are too many, a code without a type, or another protocol than these have.
func pfKinds(f *classifier.Filter) (text string, ok bool) {
	word := map[uint8]string{1: "icmp-type", 58: "icmp6-type"}[f.Proto]
	if word == "" || !f.SrcPorts.Given {
		return "", false
	}
	var list []string
	for kind := int(f.SrcPorts.From); kind <= int(f.SrcPorts.To); kind++ {
		if !f.DstPorts.Given {
			list = append(list, strconv.Itoa(kind))
		}
		for code := int(f.DstPorts.From); f.DstPorts.Given && code <= int(f.DstPorts.To); code++ {
			if list = append(list, fmt.Sprintf("%d code %d", kind, code)); len(list) > mostKinds {
				return "", false
			}
		}
		if len(list) > mostKinds {
			return "", false
		}
	}
	if len(list) == 1 {
		return word + " " + list[0], true
	}
	return word + " { " + strings.Join(list, ", ") + " }", true
}

// readPF reads what  pfctl -v -s rules  prints of an anchor: a rule on each line, and behind it its counters on an indented one.
func readPF(instance, printed string) *Listing {
	l := &Listing{SchemaVersion: SchemaVersion, Instance: instance, System: "pf"}
	var last *Line
	for text := range strings.Lines(printed) {
		text = strings.TrimSpace(text)
		if counters, ok := strings.CutPrefix(text, "["); ok && last != nil && strings.Contains(counters, "Packets:") {
			last.count(counters)
			continue
		}
		last = nil
		rule, label, ok := strings.Cut(text, `label "`)
		if !ok {
			continue
		}
		number, what, _ := strings.Cut(strings.TrimSuffix(label, `"`), " ")
		n, _ := strconv.Atoi(number)
		x := Line{Rule: n, What: what, Direction: inbound, Verdict: accept}
		if strings.Contains(rule, " out ") {
			x.Direction = outbound
		}
		if strings.HasPrefix(rule, "block") {
			x.Verdict = drop
		}
		l.Lines = append(l.Lines, x)
		last = &l.Lines[len(l.Lines)-1]
	}
	for i := range l.Lines {
		if x := &l.Lines[i]; x.Verdict == drop && x.Direction == inbound {
			l.Dropped.Inbound += x.Packets
		} else if x.Verdict == drop {
			l.Dropped.Outbound += x.Packets
		}
	}
	l.sort()
	return l
}

// count reads "Evaluations: 7  Packets: 3  Bytes: 210  States: 0 ]" of a rule that drops.
func (x *Line) count(text string) {
	if x.Verdict != drop {
		return
	}
	fields := strings.Fields(text)
	for i := 0; i+1 < len(fields); i++ {
		n, err := strconv.ParseUint(fields[i+1], 10, 64)
		switch {
		case err != nil:
		case fields[i] == "Packets:":
			x.Packets = n
		case fields[i] == "Bytes:":
			x.Bytes = n
		}
	}
}

// readPFAnchors reads what  pfctl -a goipsec -s Anchors  prints: the names of instances.
func readPFAnchors(printed string) (names []string) {
	for line := range strings.Lines(printed) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), pfParent+"/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
