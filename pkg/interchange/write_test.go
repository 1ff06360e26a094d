package interchange

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// TestWrittenFilesReadBack writes policies that were drawn at random, and reads them: the model is the same. Whatever the writer quotes,
// leaves out or puts on one line, no meaning goes with it.
func TestWrittenFilesReadBack(t *testing.T) {
	for seed := range uint64(400) {
		d := &drawer{Rand: rand.New(rand.NewPCG(seed, 7))}
		x := d.draft()
		r := finish(x, "a draft", nil, d.keys.files)
		f, err := r.Check("policy.yaml", nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, r.Policy)
		}
		if len(f.Policies) != len(x.policies) {
			t.Fatalf("seed %d: %d policies\n%s", seed, len(f.Policies), r.Policy)
		}
		for i, p := range f.Policies {
			want := modelOf(x, x.policies[i])
			forget(p)
			if !reflect.DeepEqual(p, want) {
				t.Fatalf("seed %d: %s\nhave %s\nwant %s", seed, r.Policy, dump(p), dump(want))
			}
			if want.Name == x.assigned && f.Assigned != p {
				t.Fatalf("seed %d: %q is assigned, not %q", seed, f.Assigned.Name, x.assigned)
			}
		}
	}
}

// modelOf is the policy that a draft stands for.
func modelOf(d *draft, x *policyDraft) *policy.Policy {
	p := &policy.Policy{Name: x.name, Description: x.description, KeyExchange: x.keyExchange, Exemptions: d.exempt}
	if p.KeyExchange.Methods == nil {
		p.KeyExchange.Methods = policy.DefaultKeyExchange().Methods
	}
	if x.response != nil {
		p.DefaultResponse = &policy.Rule{Name: policy.DefaultResponseName, Action: x.response.action}
		for _, a := range x.response.auth {
			p.DefaultResponse.Auth = append(p.DefaultResponse.Auth, a.AuthMethod)
		}
		p.DefaultResponse.Action.Methods = settled(x.response.action.Methods)
	}
	for _, r := range x.rules {
		rule := r.Rule
		filters := r.filters
		if r.list != nil {
			filters = r.list.filters
		}
		rule.Filters = make([]policy.GenericFilter, 0, len(filters))
		for _, f := range filters {
			rule.Filters = append(rule.Filters, f.GenericFilter)
		}
		if r.action != nil {
			rule.Action = r.action.FilterAction
		}
		rule.Action.Methods = settled(rule.Action.Methods)
		for _, a := range r.auth {
			if a.missing == "" {
				rule.Auth = append(rule.Auth, a.AuthMethod)
			}
		}
		p.Rules = append(p.Rules, &rule)
	}
	return p
}

func settled(list []policy.Method) []policy.Method {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

// forget takes out of a policy what it has from its file and not from its meaning.
func forget(p *policy.Policy) {
	p.EveryRule(func(r *policy.Rule) bool {
		r.Source, r.Action.Name = policy.Position{}, ""
		for i := range r.Filters {
			r.Filters[i].Source = policy.Position{}
		}
		return true
	})
}

func dump(p *policy.Policy) string {
	s := fmt.Sprintf("%q %q %+v exempt %d", p.Name, p.Description, p.KeyExchange, p.Exemptions)
	p.EveryRule(func(r *policy.Rule) bool {
		s += fmt.Sprintf("\n  %q %d %v pfs %v pass %v %v %+v %+v peer %+v connection %v %+v", r.Name, r.Action.Kind, r.Action.Methods, r.Action.PFS,
			r.Action.InboundPassthrough, r.Action.Fallback, r.Auth, r.Tunnel, r.Peer, r.Connection, r.Filters)
		return true
	})
	return s
}

// drawer draws drafts that a policy file can hold.
type drawer struct {
	*rand.Rand
	keys keyring
}

func (d *drawer) yes() bool { return d.IntN(2) == 0 }

var oddNames = []string{"plain", "two words", "a: b", "# no comment", "yes", "12", "0x10", "- dash", "it's", `say "so"`, "Grüße", "日本", "{a}", "[b]", "a,b", "*", "&x", "!t", "%d", "@at", "`", "null", "~", "1.2.3.4", "a #b", "back\\slash", "x:", "?"}

func (d *drawer) name() string { return oddNames[d.IntN(len(oddNames))] }

func (d *drawer) draft() *draft {
	x := &draft{exempt: policy.Exemptions(d.IntN(4))}
	lists, actions, taken := names{}, names{"permit": true, "block": true, "negotiate": true}, names{}
	for range 1 + d.IntN(3) {
		p := &policyDraft{name: taken.take(d.name()), description: d.text(), comment: d.comment()}
		if d.yes() {
			p.keyExchange = d.exchange()
		}
		if d.IntN(4) == 0 {
			p.response = &responseDraft{action: d.negotiation(false), auth: d.auth()}
			p.response.action.InboundPassthrough, p.response.action.Fallback = false, nil
		}
		rules := names{}
		for range d.IntN(4) {
			p.rules = append(p.rules, d.rule(x, rules, lists, actions))
		}
		if d.yes() {
			off := d.rule(&draft{}, rules, names{}, names{})
			off.list, off.action = nil, nil
			off.filters = []filterDraft{d.filter(off.Tunnel != nil, false)}
			p.off = append(p.off, off)
		}
		x.policies = append(x.policies, p)
	}
	x.assigned = x.policies[d.IntN(len(x.policies))].name
	return x
}

func (d *drawer) text() string {
	if d.yes() {
		return ""
	}
	return d.name() + "\n" + d.name() + "\t\u2028"
}

func (d *drawer) comment() []string {
	if d.yes() {
		return nil
	}
	return []string{d.name(), "rules: []\npolicy: x"}
}

func (d *drawer) exchange() policy.KeyExchange {
	k := policy.KeyExchange{Lifetime: time.Duration(d.IntN(3)*d.IntN(100)) * time.Minute, QuickModes: uint32(d.IntN(3))}
	for range 1 + d.IntN(2) {
		k.Methods = append(k.Methods, policy.MainModeMethod{Encr: suite.AESCBC, KeyBits: 128 << d.IntN(2), Hash: suite.Hashes()[d.IntN(5)], Group: suite.Groups()[d.IntN(10)]})
	}
	return k
}

// rule draws a rule whose filters no other rule has, since equal filters with different actions are an error.
func (d *drawer) rule(x *draft, taken, lists, actions names) *ruleDraft {
	r := &ruleDraft{description: d.text(), comment: d.comment()}
	r.Name = taken.take(d.name())
	r.Action.Kind = []policy.ActionKind{policy.Block, policy.Permit, policy.Negotiate}[d.IntN(3)]
	r.Connection = policy.Connection(d.IntN(3))
	negotiates := r.Action.Kind == policy.Negotiate
	if negotiates {
		if d.yes() {
			r.Tunnel = &policy.Tunnel{Local: netip.MustParseAddr("203.0.113.1"), Remote: netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + d.IntN(200))})}
			switch d.IntN(4) {
			case 0:
				r.Tunnel.Inner = netip.MustParsePrefix("10.9.0.5/24")
			case 1:
				r.Tunnel.Local = netip.Addr{}
			case 2:
				*r.Tunnel = policy.Tunnel{Endpoint: netip.MustParseAddr("2001:db8::7")}
			}
		}
		r.Action = d.negotiation(r.Tunnel != nil)
		r.auth = append([]authDraft{{missing: "choice 1: kerberos"}}, d.auth()...)
		r.Peer = d.peer()
		r.Aggressive = d.IntN(4) == 0
	}
	for range 1 + d.IntN(3) {
		r.filters = append(r.filters, d.filter(r.Tunnel != nil, negotiates))
	}
	if d.yes() {
		r.list = &listDraft{name: lists.take(d.name()), filters: r.filters, comment: d.comment()}
		r.filters, x.lists = nil, append(x.lists, r.list)
	}
	if negotiates && d.yes() {
		r.action = &actionDraft{name: actions.take(d.name()), FilterAction: r.Action, comment: d.comment()}
		r.Action, x.actions = policy.FilterAction{}, append(x.actions, r.action)
	}
	return r
}

func (d *drawer) negotiation(tunnel bool) policy.FilterAction {
	a := policy.FilterAction{Kind: policy.Negotiate, PFS: []suite.Group{suite.GroupNone, suite.MODP2048, suite.Curve25519}[d.IntN(3)], InboundPassthrough: d.IntN(4) == 0}
	if !tunnel && d.IntN(3) == 0 {
		a.Fallback = &policy.Fallback{Timeout: time.Duration(d.IntN(4)) * time.Second, Lifetime: time.Duration(d.IntN(2)) * time.Minute}
	}
	if d.IntN(4) == 0 {
		a.Methods = policy.DefaultMethods()
		return a
	}
	pool := []policy.Method{
		{ESP: &policy.ESPMethod{Encr: suite.TripleDES, Integ: suite.HMACSHA1_96}}, {AH: &policy.AHMethod{Integ: suite.HMACMD5_96}},
		{AH: &policy.AHMethod{Integ: suite.HMACSHA256_128}, ESP: &policy.ESPMethod{Encr: suite.DES}, ESN: true}, {ESP: &policy.ESPMethod{Encr: suite.AESGCM16, KeyBits: 256}},
		{ESP: &policy.ESPMethod{Encr: suite.Null, Integ: suite.HMACSHA1_96}, ESN: true}, {ESP: &policy.ESPMethod{Encr: suite.AESCBC, KeyBits: 192, Integ: suite.HMACSHA384_192}},
	}
	one := policy.Lifetime{Seconds: uint32(d.IntN(2) * 900), Kilobytes: uint32(d.IntN(2) * 50000)}
	for _, i := range d.Perm(len(pool))[:1+d.IntN(3)] {
		m := pool[i]
		m.Lifetime = one
		if d.IntN(4) == 0 {
			m.Lifetime = policy.Lifetime{Seconds: uint32(60 + d.IntN(9000))}
		}
		a.Methods = append(a.Methods, m)
	}
	return a
}

func (d *drawer) auth() []authDraft {
	var list []authDraft
	for range 1 + d.IntN(2) {
		key := make([]byte, 1+d.IntN(40))
		for i := range key {
			key[i] = byte(d.Uint32())
		}
		if d.yes() {
			key = []byte("0x and \"text\" of a key")
		}
		a := authDraft{AuthMethod: policy.AuthMethod{Kind: policy.PSK, PSK: policy.NewSecret(key)}}
		if d.yes() {
			a.LocalID = []string{"gw.example.com", "192.0.2.1", "me@example.com", "a,b", "2001:db8::1", "1e3"}[d.IntN(6)]
		}
		if d.yes() {
			a.RemoteID = "peer.example.com"
		}
		a.keyFile = d.keys.file(a.PSK, d.name())
		list = append(list, a)
	}
	return list
}

func (d *drawer) peer() policy.PeerOptions {
	var o policy.PeerOptions
	if d.yes() {
		o.ForceUDP, o.Port, o.ReplayWindow = d.yes(), uint16(d.IntN(2)*4500), d.IntN(2)*64
		o.DPDInterval = []time.Duration{-1, 0, time.Second, 90 * time.Second, 2 * time.Hour}[d.IntN(5)]
		if o.DPDInterval >= 0 {
			o.DPDTimeout = time.Duration(d.IntN(2)) * 45 * time.Second
		}
		o.IdleTimeout = []time.Duration{-1, 0, 7 * time.Minute}[d.IntN(3)]
		o.CopyDF = []string{"", "copy", "set", "clear"}[d.IntN(4)]
		o.FragmentSize = []int{-1, 0, 576}[d.IntN(3)]
	}
	return o
}

var drawn uint32

// filter draws a filter with a host of its own on one side.
func (d *drawer) filter(tunnel, negotiates bool) filterDraft {
	drawn++
	own := netip.AddrFrom4([4]byte{100, 64 + byte(drawn>>16)&0x3f, byte(drawn >> 8), byte(drawn)})
	if d.yes() {
		own = netip.AddrFrom16([16]byte{0x20, 0x01, 0xd, 0xb8, 12: byte(drawn >> 24), 13: byte(drawn >> 16), 14: byte(drawn >> 8), 15: byte(drawn)})
	}
	f := filterDraft{comment: d.name()}
	f.Src = policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(own)}
	f.Dst = policy.AddrSpec{Kind: policy.Me}
	if tunnel {
		f.Dst = policy.AddrSpec{Kind: policy.Any}
	} else if !negotiates {
		f.Dst = d.side(own)
	}
	if f.Mirrored = d.yes() && !tunnel; d.yes() {
		f.Src, f.Dst = f.Dst, f.Src
	}
	switch d.IntN(5) {
	case 0:
		f.Proto = []uint8{6, 17}[d.IntN(2)]
		f.SrcPorts, f.DstPorts = d.ports(negotiates), d.ports(negotiates)
	case 1:
		f.Proto = 1
		if own.Is6() {
			f.Proto = 58
		}
		if !negotiates {
			f.SrcPorts, f.DstPorts = classifier.Port(uint16(d.IntN(200))), d.ports(true)
			f.DstPorts.From, f.DstPorts.To = f.DstPorts.From%256, f.DstPorts.To%256
		}
	case 2:
		f.Proto = []uint8{47, 255, 46, 132}[d.IntN(4)]
	}
	return f
}

func (d *drawer) ports(single bool) classifier.Ports {
	switch d.IntN(3) {
	case 0:
		return classifier.Ports{}
	case 1:
		if !single {
			return classifier.Ports{From: uint16(d.IntN(100)), To: uint16(100 + d.IntN(60000)), Given: true}
		}
	}
	return classifier.Port(uint16(1 + d.IntN(65000)))
}

// side draws the other side of a filter, of the family of a.
func (d *drawer) side(a netip.Addr) policy.AddrSpec {
	switch d.IntN(7) {
	case 0:
		return policy.AddrSpec{Kind: policy.Any}
	case 1:
		return policy.AddrSpec{Kind: policy.LiveDNS + policy.AddrKind(d.IntN(4))}
	case 2:
		return policy.AddrSpec{Kind: policy.DNSName, Name: []string{"www.example.com", "single"}[d.IntN(2)]}
	case 3:
		if a.Is4() {
			return policy.AddrSpec{Kind: policy.AddrRange, Range: classifier.Range{From: netip.MustParseAddr("10.0.0.1"), To: netip.MustParseAddr("10.0.0.9")}}
		}
		return policy.AddrSpec{Kind: policy.AddrRange, Range: classifier.Range{From: netip.MustParseAddr("fe80::"), To: netip.MustParseAddr("fe80::9")}}
	case 4:
		p := netip.PrefixFrom(a, d.IntN(30))
		return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(p)}
	case 5:
		if a.Is6() {
			return policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(netip.MustParseAddr("2001:db8:1::"))}
		}
	}
	return policy.AddrSpec{Kind: policy.Me}
}
