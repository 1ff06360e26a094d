package guard

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// This file says what the Windows Filtering Platform is told. It is the same on every system, so that it can be tested on any; only guard_windows.go hands
// it over.
//
// Filters of one sublayer are asked by weight, and the first that permits or blocks ends that. Layers see datagrams whole, but for that of forwarding, which sees neither
// protocols nor ports: there rules that name them drop more, or are left out if they accept, so that too much is dropped, never too little. A filter whose conditions
// name one field several times matches if one of them holds.

// wfpFilter is one filter of the platform.
type wfpFilter struct {
	Layer      string // "inbound", "outbound", "forward", and the family: "inbound4"
	Weight     uint64
	Conditions []wfpCondition
	Block      bool
	Name       string
}

// wfpCondition asks one field. Value is a netip.Prefix, a classifier.Range, a number, or a classifier.Ports.
type wfpCondition struct {
	Field string // "local", "remote", "source", "destination", "protocol", "local-port", "remote-port", "interface", "arrival", "next", "loopback"
	Value any
}

// String writes a filter on a line, as a listing of what was generated shows it.
func (f *wfpFilter) String() string {
	action := "permit"
	if f.Block {
		action = "block"
	}
	s := fmt.Sprintf("%s %d %s", f.Layer, f.Weight, action)
	for _, c := range f.Conditions {
		s += fmt.Sprintf(" %s=%v", c.Field, c.Value)
	}
	return s + " # " + f.Name
}

// wfpWriter collects filters, each lighter than the one before.
type wfpWriter struct {
	cfg     *Config
	filters []wfpFilter
	weight  uint64
}

// wfpFilters returns the filters of an instance. The platform knows devices by a number of its own, which takes the place of luid.
func wfpFilters(cfg *Config, luid uint64) []wfpFilter {
	w := &wfpWriter{cfg: cfg, weight: 1 << 62}
	for _, is4 := range [...]bool{true, false} {
		for _, direction := range [...]string{inbound, outbound} {
			w.fixed(direction, is4, luid)
		}
		w.add("forward", is4, "into the TUN", wfpCondition{"next", luid})
		w.add("forward", is4, "out of the TUN", wfpCondition{"arrival", luid})
	}
	for _, f := range cfg.Exempt {
		e := &entry{Rule: Rule{Filter: f, Verdict: Accept}, reach: f}
		w.rule(e, true)
		w.rule(e, false)
	}
	if cfg.ExemptBroadcast {
		w.add(inbound, true, "exempt: broadcast", wfpCondition{"local", netip.MustParsePrefix("255.255.255.255/32")})
		w.add(outbound, true, "exempt: broadcast", wfpCondition{"remote", netip.MustParsePrefix("255.255.255.255/32")})
	}
	for _, e := range entries(cfg, cfg.Inbound) {
		w.rule(&e, true)
	}
	for _, e := range entries(cfg, cfg.Outbound) {
		w.rule(&e, false)
	}
	return w.filters
}

// fixed adds what passes in any case to and from this host.
func (w *wfpWriter) fixed(direction string, is4 bool, luid uint64) {
	w.add(direction, is4, "loopback", wfpCondition{"loopback", true})
	w.add(direction, is4, "the TUN", wfpCondition{"interface", luid})
	w.add(direction, is4, "ESP", wfpCondition{"protocol", uint8(50)})
	w.add(direction, is4, "AH", wfpCondition{"protocol", uint8(51)})
	for _, port := range w.cfg.Ports {
		w.add(direction, is4, fmt.Sprintf("IKE, UDP port %d", port), wfpCondition{"protocol", uint8(17)}, wfpCondition{"local-port", classifier.Port(port)})
	}
	// Of ICMP the local port is the type and the remote port the code.
	if is4 {
		w.add(direction, is4, "ICMP too big", wfpCondition{"protocol", uint8(1)}, wfpCondition{"local-port", classifier.Port(3)}, wfpCondition{"remote-port", classifier.Port(4)})
		return
	}
	for _, kinds := range [...]classifier.Ports{{From: 130, To: 137, Given: true}, classifier.Port(143)} {
		w.add(direction, is4, "neighbour and listener discovery", wfpCondition{"protocol", uint8(58)}, wfpCondition{"local-port", kinds})
	}
	w.add(direction, is4, "ICMPv6 too big", wfpCondition{"protocol", uint8(58)}, wfpCondition{"local-port", classifier.Port(2)}, wfpCondition{"remote-port", classifier.Port(0)})
}

func (w *wfpWriter) add(direction string, is4 bool, name string, conditions ...wfpCondition) {
	w.weight--
	w.filters = append(w.filters, wfpFilter{Layer: direction + map[bool]string{true: "4", false: "6"}[is4], Weight: w.weight, Conditions: conditions, Name: name})
}

// rule adds one rule for this host and, if it may be about others, for what is forwarded.
func (w *wfpWriter) rule(e *entry, in bool) {
	f := &e.reach
	is4 := f.Src.From.Is4()
	direction, local, remote := outbound, f.Src, f.Dst
	localMe, remoteMe := e.srcMe, e.dstMe
	localPorts, remotePorts := f.SrcPorts, f.DstPorts
	if in {
		direction, local, remote = inbound, f.Dst, f.Src
		localMe, remoteMe = e.dstMe, e.srcMe
		localPorts, remotePorts = f.DstPorts, f.SrcPorts
	}
	if f.Proto == 1 || f.Proto == 58 { // type and code, whatever the direction
		localPorts, remotePorts = f.SrcPorts, f.DstPorts
	}
	if remoteMe {
		return // what this host sends to itself is loopback
	}
	var conditions []wfpCondition
	add := func(field string, value any) { conditions = append(conditions, wfpCondition{field, value}) }
	switch {
	case localMe:
		for _, r := range w.mine(is4) {
			add("local", r)
		}
	case !local.IsAny():
		add("local", local)
	}
	if !remote.IsAny() {
		add("remote", remote)
	}
	if f.Proto != 0 {
		add("protocol", f.Proto)
	}
	if localPorts.Given {
		add("local-port", localPorts)
	}
	if remotePorts.Given {
		add("remote-port", remotePorts)
	}
	name := e.comment()
	w.verdict(direction, is4, e, name, conditions)
	if localMe || e.index == 0 {
		return // not about what is forwarded
	}
	if e.Verdict == Accept {
		return // the one layer of what is forwarded has both directions in it: what may arrive would also leave
	}
	conditions = nil
	if !f.Src.IsAny() {
		add("source", f.Src)
	}
	if !f.Dst.IsAny() {
		add("destination", f.Dst)
	}
	w.verdict("forward", is4, e, name, conditions)
}

func (w *wfpWriter) verdict(direction string, is4 bool, e *entry, name string, conditions []wfpCondition) {
	w.add(direction, is4, name, conditions...)
	w.filters[len(w.filters)-1].Block = e.Verdict == Drop
}

// mine are the addresses that me may be: at the layers of this host the local address is the host's, or one for many.
func (w *wfpWriter) mine(is4 bool) []classifier.Range {
	all, many := classifier.AnyV6, netip.MustParsePrefix("ff00::/8")
	if is4 {
		all, many = classifier.AnyV4, netip.MustParsePrefix("224.0.0.0/3")
	}
	except := []classifier.Range{classifier.RangeOf(many)}
	for _, p := range notMeOf(w.cfg) {
		if p.Addr().Is4() == is4 {
			except = append(except, classifier.RangeOf(p))
		}
	}
	slices.SortFunc(except, func(a, b classifier.Range) int { return a.From.Compare(b.From) })
	var list []classifier.Range
	next := all.From
	for _, x := range except {
		if next.IsValid() && next.Less(x.From) {
			list = append(list, classifier.Range{From: next, To: x.From.Prev()})
		}
		if to := x.To.Next(); !to.IsValid() || next.Less(to) {
			next = to // not valid behind the last address of the family
		}
	}
	if next.IsValid() {
		list = append(list, classifier.Range{From: next, To: all.To})
	}
	return list
}
