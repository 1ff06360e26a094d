package inspect

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

var (
	me   = netip.MustParseAddr("192.0.2.1")
	anyA = policy.AddrSpec{Kind: policy.Any}
	meA  = policy.AddrSpec{Kind: policy.Me}
)

func host(s string) policy.AddrSpec {
	return policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(netip.MustParseAddr(s))}
}

func subnet(s string) policy.AddrSpec {
	return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.MustParsePrefix(s))}
}

// office is a policy with every kind of rule.
func office() *policy.Policy {
	psk := policy.AuthMethod{Kind: policy.PSK, PSK: policy.NewSecret([]byte("s3cr3t-s3cr3t-s3cr3t-s3cr3t")), LocalID: "a.example", RemoteID: "b.example"}
	esp := policy.Method{ESP: &policy.ESPMethod{Encr: suite.AESGCM16, KeyBits: 128}, Lifetime: policy.Lifetime{Seconds: 600, Kilobytes: 1000}}
	old := policy.Method{ESP: &policy.ESPMethod{Encr: suite.TripleDES, Integ: suite.HMACMD5_96}}
	at := func(line int) policy.Position { return policy.Position{File: "office.yaml", Line: line, Column: 3} }
	rule := func(name string, line int, kind policy.ActionKind, fs ...policy.GenericFilter) *policy.Rule {
		for i := range fs {
			fs[i].Source = at(line + 1)
		}
		return &policy.Rule{Name: name, Filters: fs, Action: policy.FilterAction{Kind: kind}, Source: at(line)}
	}
	mirrored := func(src, dst policy.AddrSpec, proto uint8, port uint16) policy.GenericFilter {
		g := policy.GenericFilter{Src: src, Dst: dst, Proto: proto, Mirrored: true}
		if port != 0 {
			g.DstPorts = classifier.Port(port)
		}
		return g
	}
	web := rule("web", 10, policy.Negotiate, mirrored(meA, subnet("198.51.100.0/24"), 6, 443))
	web.Action.Methods, web.Action.PFS, web.Auth = []policy.Method{esp, old}, suite.MODP2048, []policy.AuthMethod{psk}
	net := rule("net", 20, policy.Negotiate, mirrored(subnet("10.1.0.0/24"), subnet("10.2.0.0/24"), 0, 0))
	net.Action.Methods, net.Auth = []policy.Method{esp}, []policy.AuthMethod{psk}
	net.Tunnel = &policy.Tunnel{Local: me, Remote: netip.MustParseAddr("203.0.113.9")}
	return &policy.Policy{Name: "office", Description: "of an office", KeyExchange: policy.KeyExchange{Methods: policy.DefaultKeyExchange().Methods[:1], Lifetime: time.Hour, QuickModes: 3},
		Rules: []*policy.Rule{web, net, rule("ping", 30, policy.Permit, mirrored(meA, anyA, 1, 0)), rule("smtp", 40, policy.Permit, mirrored(meA, host("198.51.100.7"), 6, 25)),
			rule("rest", 50, policy.Block, mirrored(anyA, anyA, 0, 0))}}
}

func compiled(t testing.TB) *policy.Compiled {
	t.Helper()
	c, err := policy.Compile(office(), []netip.Addr{me})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPolicyViews(t *testing.T) {
	c := compiled(t)
	for name, view := range map[string]text{"policy": ViewPolicy(office()), "specific": ViewSpecific(c)} {
		var b, j strings.Builder
		if err := errors.Join(Write(&b, view, false), Write(&j, view, true)); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.String())
		var v struct {
			SchemaVersion int `json:"schema_version"`
		}
		if err := json.Unmarshal([]byte(j.String()), &v); err != nil || v.SchemaVersion != SchemaVersion {
			t.Errorf("%s as JSON: %v, version %d", name, err, v.SchemaVersion)
		}
		if strings.Contains(b.String()+j.String(), "s3cr3t") {
			t.Errorf("%s shows the key", name)
		}
	}
}

func TestSpecificFiltersComeHeaviestFirst(t *testing.T) {
	v := ViewSpecific(compiled(t))
	for _, list := range [][]SpecificFilterView{v.Outbound, v.Inbound} {
		if len(list) < 5 {
			t.Fatalf("%d filters", len(list))
		}
		for i := 1; i < len(list); i++ {
			if list[i].Weight > list[i-1].Weight {
				t.Errorf("%+v stands behind %+v", list[i], list[i-1])
			}
		}
	}
}

// explain answers a question as the command does.
func explain(t *testing.T, args ...string) Explanation {
	t.Helper()
	k, err := ParseQuestion(args)
	if err != nil {
		t.Fatal(err)
	}
	return Explain(compiled(t), k, []netip.Addr{me})
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		question string
		dirs     int
		rule     string
		says     []string
	}{
		{"192.0.2.1 198.51.100.9 tcp 443", 1, "web", []string{"it is protected", "transport mode between 192.0.2.1 and 198.51.100.9", "method 1: esp aes-gcm-16", "(weak: ", "authenticated by psk as a.example with b.example", "also:", "single address (1 against 0)"}},
		{"198.51.100.9 192.0.2.1 tcp 443 50000", 1, "web", []string{"must arrive protected", "main mode with 198.51.100.9"}},
		{"192.0.2.1 198.51.100.9 tcp", 1, "rest", []string{"it is dropped", "could be:", "rule \"web\""}},
		{"192.0.2.1 198.51.100.9", 1, "rest", []string{"could be:", "rule \"ping\""}},
		{"192.0.2.1 8.8.8.8 icmp 8", 1, "ping", []string{"sent in clear", "a single address (1 against 0)"}},
		{"8.8.8.8 192.0.2.1 icmp 0 0", 1, "ping", []string{"accepted in clear"}},
		{"10.1.0.5 10.2.0.5 udp 53", 2, "net", []string{"outbound:", "inbound:", "tunnel mode, 192.0.2.1 .. 203.0.113.9", "203.0.113.9"}},
		{"192.0.2.1 198.51.100.7 tcp 25", 1, "smtp", []string{"sent in clear"}},
	} {
		x := explain(t, strings.Fields(c.question)...)
		var b strings.Builder
		if err := x.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if len(x.Directions) != c.dirs || x.Directions[0].Decides == nil || x.Directions[0].Decides.Rule != c.rule {
			t.Errorf("%s:\n%s", c.question, b.String())
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(b.String(), s) {
				t.Errorf("%s: no %q in:\n%s", c.question, s, b.String())
			}
		}
	}
}

// The decision is that of the slow truth: the first filter of the list that matches.
func TestExplainAgreesWithTheList(t *testing.T) {
	c := compiled(t)
	for _, dst := range []string{"198.51.100.7", "198.51.100.9", "10.2.0.1", "8.8.8.8"} {
		for _, rest := range [][]string{nil, {"tcp"}, {"tcp", "25"}, {"tcp", "443"}, {"icmp", "8", "0"}, {"47"}} {
			k, err := ParseQuestion(append([]string{me.String(), dst}, rest...))
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			for _, f := range c.Outbound {
				if f.Filter.Match(&k) {
					want = f.ID
					break
				}
			}
			if d := Explain(c, k, []netip.Addr{me}).Directions[0]; d.Decides == nil || d.Decides.ID != want {
				t.Errorf("%s %v: %+v, want filter %s", dst, rest, d.Decides, want)
			}
		}
	}
}

func TestExplainWhereNoFilterMatches(t *testing.T) {
	p := office()
	p.Rules = p.Rules[:1]
	c, err := policy.Compile(p, []netip.Addr{me})
	if err != nil {
		t.Fatal(err)
	}
	k, _ := ParseQuestion([]string{"192.0.2.1", "8.8.8.8", "udp", "53"})
	d := Explain(c, k, []netip.Addr{me}).Directions[0]
	if d.Decides != nil || len(d.Does) != 1 || !strings.Contains(d.Does[0], "no filter matches") {
		t.Errorf("%+v", d)
	}
}

func TestCarriers(t *testing.T) {
	x := explain(t, "192.0.2.1", "198.51.100.9", "tcp", "443")
	same := Running{Policy: "office", Direction: "outbound", Filter: "192.0.2.1 -> 198.51.100.0/24 proto 6 ports any -> 443", Rule: "web", Action: "negotiate"}
	inbound, other := same, same
	inbound.Direction, other.Filter, other.Action = "inbound", "any4 -> any4", "block"
	text := func() string {
		var b strings.Builder
		if err := x.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if strings.Contains(text(), "carried by") {
		t.Error("an SA of an instance that nobody asked")
	}
	inbound.Carriers, other.Carriers = []string{"SA 7"}, []string{"SA 7"}
	x.Compare(inbound)
	if strings.Contains(text(), "carried by") || strings.Contains(text(), "running:") {
		t.Error("an SA of another direction")
	}
	x.Compare(other)
	if strings.Contains(text(), "carried by") || !strings.Contains(text(), `running:   an instance applies policy "office", by which any4 -> any4 decides: block`) {
		t.Errorf("an SA of another filter, or nothing is said of it:\n%s", text())
	}
	x.Compare(Running{Policy: "none", Direction: "outbound"})
	if !strings.Contains(text(), `policy "none", by which no filter matches`) {
		t.Errorf("got:\n%s", text())
	}
	x.Directions[0].Running = ""
	x.Compare(same)
	if !strings.Contains(text(), "carried by: no SA yet") {
		t.Errorf("got:\n%s", text())
	}
	same.Carriers = []string{"SA 7"}
	x.Compare(same)
	if !strings.Contains(text(), "carried by: SA 7") {
		t.Errorf("got:\n%s", text())
	}
}

func TestManyRunnersUpAreCounted(t *testing.T) {
	p := office()
	for i := 8; i < 24; i++ {
		g := policy.GenericFilter{Src: meA, Dst: policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.PrefixFrom(netip.MustParseAddr("198.51.100.7"), i))}, Mirrored: true}
		p.Rules = append(p.Rules, &policy.Rule{Name: "r", Filters: []policy.GenericFilter{g}, Action: policy.FilterAction{Kind: policy.Block}})
	}
	c, err := policy.Compile(p, []netip.Addr{me})
	if err != nil {
		t.Fatal(err)
	}
	k, _ := ParseQuestion([]string{"192.0.2.1", "198.51.100.7", "tcp", "25"})
	d := Explain(c, k, []netip.Addr{me}).Directions[0]
	if len(d.RunnersUp) != maxRunnersUp || d.More < 10 {
		t.Errorf("%d runners-up and %d more", len(d.RunnersUp), d.More)
	}
}

func TestQuestionsThatAreNone(t *testing.T) {
	for _, args := range [][]string{nil, {"192.0.2.1"}, {"here", "192.0.2.1"}, {"192.0.2.1", "there"}, {"192.0.2.1", "2001:db8::1"}, {"192.0.2.1", "192.0.2.2", "tpc"}, {"192.0.2.1", "192.0.2.2", "256"},
		{"192.0.2.1", "192.0.2.2", "tcp", "https"}, {"192.0.2.1", "192.0.2.2", "tcp", "65536"}, {"192.0.2.1", "192.0.2.2", "gre", "1"}, {"1", "2", "3", "4", "5", "6"}} {
		if k, err := ParseQuestion(args); err == nil {
			t.Errorf("%q became %+v", args, k)
		}
	}
}

func TestQuestions(t *testing.T) {
	for _, c := range []struct {
		args  string
		want  packet.Key
		flags packet.KeyFlags
	}{
		{"::ffff:192.0.2.1 192.0.2.2", packet.Key{}, 0},
		{"192.0.2.1 192.0.2.2 TCP", packet.Key{Proto: 6}, packet.ProtoKnown},
		{"192.0.2.1 192.0.2.2 6 80", packet.Key{Proto: 6, SrcPort: clientPort, DstPort: 80}, packet.ProtoKnown | packet.PortsKnown},
		{"192.0.2.1 192.0.2.2 udp 1 2", packet.Key{Proto: 17, SrcPort: 1, DstPort: 2}, packet.ProtoKnown | packet.PortsKnown},
		{"192.0.2.1 192.0.2.2 icmp 3 4", packet.Key{Proto: 1, SrcPort: 3, DstPort: 4}, packet.ProtoKnown | packet.PortsKnown},
	} {
		c.want.Src, c.want.Dst, c.want.Flags = me, netip.MustParseAddr("192.0.2.2"), c.flags
		if k, err := ParseQuestion(strings.Fields(c.args)); err != nil || k != c.want {
			t.Errorf("%s = %+v, %v; want %+v", c.args, k, err, c.want)
		}
	}
}

func TestCheckView(t *testing.T) {
	p, other := office(), office()
	other.Name = "other"
	c := compiled(t)
	for name, v := range map[string]CheckView{
		"check-good":     ViewCheck("office.yaml", []*policy.Policy{p, other}, p, c, nil, nil),
		"check-warnings": ViewCheck("office.yaml", []*policy.Policy{p}, p, c, []string{"office.yaml:10:3: warning: 3des is weak"}, nil),
		"check-errors":   ViewCheck("office.yaml", nil, nil, nil, nil, []string{"office.yaml:1:1: an unknown key"}),
	} {
		var b strings.Builder
		if err := v.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.String())
		if v.OK != (name != "check-errors") {
			t.Errorf("%s: ok = %v", name, v.OK)
		}
	}
}

func TestGenericFiltersInWords(t *testing.T) {
	for _, c := range []struct {
		g    policy.GenericFilter
		want string
	}{
		{policy.GenericFilter{Src: anyA, Dst: policy.AddrSpec{Kind: policy.DNSName, Name: "b.example"}}, "any -> b.example"},
		{policy.GenericFilter{Src: meA, Dst: policy.AddrSpec{Kind: policy.DNSName, Name: "b.example", Resolved: []netip.Addr{me}}, Mirrored: true}, "me <-> b.example (192.0.2.1)"},
		{policy.GenericFilter{Src: host("192.0.2.9"), Dst: subnet("10.0.0.0/8"), Proto: 1, SrcPorts: classifier.Port(8)}, "192.0.2.9 -> 10.0.0.0/8 icmp, type 8"},
		{policy.GenericFilter{Src: meA, Dst: anyA, Proto: 99}, "me -> any protocol 99"},
	} {
		if got := genericText(&c.g); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	for _, c := range []struct {
		t    policy.Tunnel
		want string
	}{{policy.Tunnel{Endpoint: me}, "endpoint 192.0.2.1"}, {policy.Tunnel{}, "the address that the route uses .. any peer"}} {
		if got := tunnelText(&c.t); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
