package diagnose

import (
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// chains makes a ruleset of chains without a kernel: what real rules look like, the tests in network namespaces show.
func chains(rules map[string][][]expr.Any) *ruleset {
	r := &ruleset{rules: map[string][]*nftables.Rule{}}
	table := &nftables.Table{Name: "t", Family: nftables.TableFamilyINet}
	for name, list := range rules {
		c := &nftables.Chain{Name: name, Table: table}
		if name == "input" {
			accept := nftables.ChainPolicyAccept
			c.Hooknum, c.Type, c.Policy = nftables.ChainHookInput, nftables.ChainTypeFilter, &accept
		}
		r.chains = append(r.chains, c)
		key := "1t/" + name
		r.rules[key] = []*nftables.Rule{}
		for _, exprs := range list {
			r.rules[key] = append(r.rules[key], &nftables.Rule{Exprs: exprs})
		}
	}
	return r
}

func verdictOf(kind expr.VerdictKind, chain string) expr.Any {
	return &expr.Verdict{Kind: kind, Chain: chain}
}

// TestRulesAreFollowedAsFarAsTheyCanBeTold: conditions that hold, that do not, and that depend on the peer; jumps, gotos and returns; matches of iptables.
func TestRulesAreFollowedAsFarAsTheyCanBeTold(t *testing.T) {
	drops, accepts, returns := verdictOf(expr.VerdictDrop, ""), verdictOf(expr.VerdictAccept, ""), verdictOf(expr.VerdictReturn, "")
	port := func(n byte) []expr.Any { // udp dport 0x01n
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_UDP}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{1, n}}}
	}
	const ours = 0xf4 // 0x01f4 is 500
	peer := []expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{10, 0, 0, 1}}}
	loopback := []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte("lo\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")}}
	established := []expr.Any{&expr.Ct{Key: expr.CtKeySTATE, Register: 1}, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: native(2 | 4), Xor: native(0)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: native(0)}}
	limit := []expr.Any{&expr.Limit{}}
	udp := func(from, to uint16) expr.Any {
		return &expr.Match{Name: "udp", Info: &xt.Udp{SrcPorts: [2]uint16{0, 65535}, DstPorts: [2]uint16{from, to}}}
	}
	rule := func(parts ...[]expr.Any) (all []expr.Any) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	one := func(x expr.Any) []expr.Any { return []expr.Any{x} }
	for _, c := range []struct {
		name  string
		rules map[string][][]expr.Any
		want  verdict
	}{
		{"nothing", map[string][][]expr.Any{"input": nil}, passes},
		{"our port", map[string][][]expr.Any{"input": {rule(port(ours), one(drops))}}, dropped},
		{"another port", map[string][][]expr.Any{"input": {rule(port(ours+1), one(drops))}}, passes},
		{"everything", map[string][][]expr.Any{"input": {one(drops)}}, dropped},
		{"let in before", map[string][][]expr.Any{"input": {rule(port(ours), one(accepts)), one(drops)}}, passes},
		{"let in for a peer before", map[string][][]expr.Any{"input": {rule(peer, one(accepts)), one(drops)}}, maybeDropped},
		{"our port for a peer", map[string][][]expr.Any{"input": {rule(port(ours), peer, one(drops))}}, maybeDropped},
		{"a peer, whatever the port", map[string][][]expr.Any{"input": {rule(peer, one(drops))}}, passes},
		{"loopback only", map[string][][]expr.Any{"input": {rule(loopback, one(drops))}}, passes},
		{"established only", map[string][][]expr.Any{"input": {rule(established, one(accepts)), one(drops)}}, dropped},
		{"beyond a rate", map[string][][]expr.Any{"input": {rule(port(ours), limit, one(drops))}}, maybeDropped},
		{"a counter and a log", map[string][][]expr.Any{"input": {rule(port(ours), []expr.Any{&expr.Counter{}, &expr.Log{}}, one(drops))}}, dropped},
		{"a jump that comes back", map[string][][]expr.Any{"input": {one(verdictOf(expr.VerdictJump, "a")), one(drops)}, "a": {rule(port(ours), one(returns)), one(accepts)}}, dropped},
		{"a goto that does not", map[string][][]expr.Any{"input": {one(verdictOf(expr.VerdictGoto, "a")), one(drops)}, "a": {rule(port(ours+1), one(drops))}}, passes},
		{"a jump for a peer", map[string][][]expr.Any{"input": {rule(port(ours), peer, one(verdictOf(expr.VerdictJump, "a")))}, "a": {one(drops)}}, maybeDropped},
		{"a circle", map[string][][]expr.Any{"input": {one(verdictOf(expr.VerdictJump, "a"))}, "a": {one(verdictOf(expr.VerdictJump, "a"))}}, passes},
		{"iptables, our port", map[string][][]expr.Any{"input": {{udp(500, 500), drops}}}, dropped},
		{"iptables, a range with it", map[string][][]expr.Any{"input": {{udp(400, 600), &expr.Target{Name: "REJECT"}}}}, dropped},
		{"iptables, another port", map[string][][]expr.Any{"input": {{udp(53, 53), drops}}}, passes},
		{"iptables, a match that is not known", map[string][][]expr.Any{"input": {{udp(500, 500), &expr.Match{Name: "geoip"}, drops}}}, maybeDropped},
		{"iptables, a comment", map[string][][]expr.Any{"input": {{udp(500, 500), &expr.Match{Name: "comment", Info: new(xt.Comment)}, drops}}}, dropped},
		{"a range of ports", map[string][][]expr.Any{"input": {{port(0)[0], port(0)[1], port(0)[2], &expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{1, 0}, ToData: []byte{2, 0}}, drops}}}, dropped},
		{"all but a range", map[string][][]expr.Any{"input": {{port(0)[0], port(0)[1], port(0)[2], &expr.Range{Op: expr.CmpOpNeq, Register: 1, FromData: []byte{1, 0}, ToData: []byte{2, 0}}, drops}}}, passes},
	} {
		got := chains(c.rules).follow(flow{name: "UDP 500", is4: true, proto: unix.IPPROTO_UDP, port: 500})
		if len(got) != 1 || got[0].verdict != c.want {
			t.Errorf("%s: %+v, want %v", c.name, got, c.want)
		}
		if got := chains(c.rules).follow(flow{is4: true, out: true, proto: unix.IPPROTO_UDP, port: 500}); len(got) != 0 {
			t.Errorf("%s: what leaves is judged by a chain for what arrives: %+v", c.name, got)
		}
	}
}

// TestIntervalsOfSets: each begins with an element and ends before the next that is marked as an end; adjacent ones touch.
func TestIntervalsOfSets(t *testing.T) {
	at := func(n byte, end bool) nftables.SetElement {
		return nftables.SetElement{Key: []byte{0, n}, IntervalEnd: end}
	}
	list := []nftables.SetElement{at(0, true), at(10, false), at(20, true), at(20, false), at(30, true), at(50, false), at(51, true)}
	for n := range byte(60) {
		want := no
		if n >= 10 && n < 30 || n == 50 {
			want = yes
		}
		if got, _ := interval(list, []byte{0, n}); got != want {
			t.Errorf("%d: %v, want %v", n, got, want)
		}
	}
	if got, _ := interval(list, []byte{1}); got != maybe {
		t.Error("a value of another length")
	}
}
