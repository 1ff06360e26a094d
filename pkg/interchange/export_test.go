package interchange

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// specific are the filters of one direction with what they do.
func specific(list []*policy.QuickModeFilter) (out []string) {
	for _, f := range list {
		out = append(out, f.Filter.String()+" "+f.Action.String())
	}
	slices.Sort(out)
	return out
}

// there and back again.
func roundTrip(t *testing.T, f *config.File) (*config.File, *Script, *Result) {
	t.Helper()
	s, err := ExportNetsh(f, ExportOptions{WithKeys: true, Local: hostOf})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ImportNetsh("export.txt", s.Text, Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Text)
	}
	got, err := r.Check("policy.yaml", nil)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, s.Text, r.Policy)
	}
	return got, s, r
}

func fileOf(d *draft) *config.File {
	f := &config.File{Listen: config.Listen{Port: 500, NATPort: 4500}}
	for _, x := range d.policies {
		p := modelOf(d, x)
		f.Policies = append(f.Policies, p)
		if p.Name == d.assigned {
			f.Assigned = p
		}
	}
	return f
}

func named(p *policy.Policy) *policy.Policy {
	p, err := p.Resolve(func(string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("2001:db8:18::1")}, nil
	})
	if err != nil {
		panic(err)
	}
	return p
}

// historic makes of a drawn policy one that netsh has words for.
func (d *drawer) historic(p *policy.Policy) {
	p.KeyExchange.Methods = []policy.MainModeMethod{{Encr: suite.TripleDES, Hash: suite.SHA1, Group: suite.MODP2048}, {Encr: suite.DES, Hash: suite.MD5, Group: suite.MODP2048}}
	p.WINS = nil
	for r := range p.EveryRule {
		r.Peer, r.Aggressive = policy.PeerOptions{}, false
		if r.Tunnel != nil {
			r.Tunnel.Inner = netip.Prefix{}
		}
		if r.Action.Fallback != nil {
			r.Action.Fallback = &policy.Fallback{}
		}
		r.Action.InboundPassthrough = r.Action.InboundPassthrough && r.Tunnel == nil
		if r.Action.Kind == policy.Negotiate {
			r.Action.Methods = []policy.Method{{AH: &policy.AHMethod{Integ: suite.HMACSHA1_96}, ESP: &policy.ESPMethod{Encr: suite.DES}},
				{ESP: &policy.ESPMethod{Encr: suite.TripleDES, Integ: suite.HMACMD5_96}, Lifetime: policy.Lifetime{Seconds: uint32(60 + d.IntN(999))}}}
			if r.Action.PFS != suite.GroupNone {
				r.Action.PFS = suite.MODP2048
			}
			r.Auth = []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("a key for netsh, no quotes"))}}
		}
		for i := range r.Filters {
			for _, ports := range []*classifier.Ports{&r.Filters[i].SrcPorts, &r.Filters[i].DstPorts} {
				if r.Filters[i].Proto != 6 && r.Filters[i].Proto != 17 {
					*ports = classifier.Ports{}
				}
				if ports.Given {
					*ports = classifier.Port(max(1, ports.From))
				}
			}
		}
	}
}

// TestExportKeepsEveryFilter writes drawn policies as scripts and reads them: all specific filters on a host are there, with their actions, and nothing had
// to be left out on either way.
func TestExportKeepsEveryFilter(t *testing.T) {
	host := policy.LocalHost{Addresses: hostOf, Live: liveOf}
	seen := 0
	for seed := range uint64(300) {
		d := &drawer{Rand: rand.New(rand.NewPCG(seed, 11))}
		f := fileOf(d.draft())
		for _, p := range f.Policies {
			d.historic(p)
			p.Rules = slices.DeleteFunc(p.Rules, func(r *policy.Rule) bool { return r.Tunnel != nil && r.Tunnel.Endpoint.IsValid() }) // its other half is missing
		}
		got, s, r := roundTrip(t, f)
		for _, n := range slices.Concat(s.Notes, r.Notes) {
			if n.Kind == Lost && !strings.Contains(n.Message, "identities") {
				t.Fatalf("seed %d: %v\n%s", seed, n, s.Text)
			}
		}
		for i, p := range f.Policies {
			want, err := policy.CompileOn(named(p), host)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			have, err := policy.CompileOn(named(got.Policies[i]), host)
			if err != nil {
				t.Fatalf("seed %d: %v\n%s\n%s", seed, err, s.Text, r.Policy)
			}
			for _, pair := range [][2][]*policy.QuickModeFilter{{want.Outbound, have.Outbound}, {want.Inbound, have.Inbound}} {
				a, b := specific(pair[0]), specific(pair[1])
				seen += len(a)
				if !slices.Equal(a, b) {
					t.Fatalf("seed %d: want\n%s\nhave\n%s\n%s\n%s", seed, strings.Join(a, "\n"), strings.Join(b, "\n"), s.Text, r.Policy)
				}
			}
			if got.Policies[i].Exemptions != f.Policies[0].Exemptions {
				t.Fatalf("seed %d: exemptions %v", seed, got.Policies[i].Exemptions)
			}
		}
		if i := slices.Index(f.Policies, f.Assigned); got.Assigned != got.Policies[i] {
			t.Fatalf("seed %d: another policy is assigned", seed)
		}
	}
	if seen < 1000 {
		t.Errorf("only %d filters were compared", seen)
	}
}

// TestExportNeverPermitsMore takes any policies, which netsh has few words for: whatever becomes of a filter, no datagram that was blocked or protected is
// permitted, or met by no filter, on the other side.
func TestExportNeverPermitsMore(t *testing.T) {
	host := policy.LocalHost{Addresses: hostOf, Live: liveOf}
	asked := 0
	for seed := range uint64(300) {
		d := &drawer{Rand: rand.New(rand.NewPCG(seed, 13))}
		f := fileOf(d.draft())
		for _, p := range f.Policies {
			p.Rules = slices.DeleteFunc(p.Rules, func(r *policy.Rule) bool { return r.Tunnel != nil && r.Tunnel.Endpoint.IsValid() })
		}
		got, s, _ := roundTrip(t, f)
		for i, p := range f.Policies {
			want, err := policy.CompileOn(named(p), host)
			if err != nil {
				continue
			}
			have, err := policy.CompileOn(named(got.Policies[i]), host)
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, s.Text)
			}
			for _, out := range []bool{true, false} {
				list := want.Inbound
				if out {
					list = want.Outbound
				}
				for _, q := range list {
					if q.Action == policy.Permit {
						continue
					}
					asked++
					if w, h := want.Decision(q.Filter, out), have.Decision(q.Filter, out); w != nil && w.Action != policy.Permit && (h == nil || h.Action == policy.Permit) {
						t.Fatalf("seed %d: %v %v, and in the script %v\n%s", seed, w.Action, q.Filter, h, s.Text)
					}
				}
			}
		}
	}
	if asked < 1000 {
		t.Errorf("only %d questions were asked", asked)
	}
}

// What a script of netsh cannot hold is refused or listed.
func TestExportNotes(t *testing.T) {
	parse := func(text string) *config.File {
		f, err := config.Parse("p.yaml", []byte(text), config.Options{ReadKey: func(string) ([]byte, os.FileMode, error) {
			return []byte("a key that is long enough to be good"), 0o600, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	const historic = "key_exchange: {methods: [3des sha1 modp2048]}\n"
	_, err := ExportNetsh(parse("rules: [{filters: [me <-> 192.0.2.2], negotiate: {}, auth: [{psk_file: k}]}]"), ExportOptions{})
	var keys *KeysError
	if !errors.As(err, &keys) || keys.Rule != "rule-1" || strings.Contains(err.Error(), "long enough") {
		t.Errorf("a key without being asked: %v", err)
	}
	for _, c := range []struct{ text, want, note string }{
		{"rules: [{filters: [me <-> 192.0.2.2], negotiate: {}, auth: [{psk_file: k}]}]", "filteraction=\"Block\"", "none of the policy's main-mode methods"},
		{historic + "rules: [{filters: [me <-> 192.0.2.2], negotiate: {}, auth: [{psk_file: k}]}]", "filteraction=\"Block\"", "none of its security methods"},
		{historic + "rules: [{filters: [me <-> 192.0.2.2], negotiate: {methods: [esp 3des sha1, esp aes256 sha256]}, auth: [{psk_file: k}]}]", "qmsecmethods=\"ESP[3DES,SHA1]:100000k/3600s\"", "no security method esp aes-cbc-256"},
		{historic + "rules: [{filters: [me <-> 192.0.2.2], negotiate: {methods: [esp 3des sha1], pfs: ecp256}, auth: [{psk_file: k, remote_id: x.example.com}]}]", "psk=\"a key", "that of main mode"},
		{historic + "rules: [{filters: [10.0.0.0/8 -> 10.1.0.0/16], tunnel: {remote: any}, negotiate: {methods: [esp 3des sha1]}, auth: [{psk_file: k}]}]", "Block", "peers with any address"},
		{historic + "rules: [{filters: [10.0.0.0/8 -> 10.1.0.0/16], tunnel: {remote: 2001:db8::9}, negotiate: {methods: [esp 3des sha1]}, auth: [{psk_file: k}]}]", "Block", "--local"},
		{"rules: [{filters: [any -> me tcp 1-9, any -> me tcp 80], action: permit}]", "dstport=80", "is left out"},
		{"rules: [{filters: [any -> me tcp 1-9], action: block}]", "protocol=TCP mirrored=no\n", "blocks all of tcp"},
		{"rules: [{filters: [any -> me tcp 1-9], action: permit}]", "add policy", "is left out: netsh has no words for any"},
		{"key_exchange: {methods: [3des md5 modp1024], lifetime: 90s}\nrules: [{filters: [any -> me], action: permit}]", "mmlifetime=1", "not a number of minutes"},
		{"certificates: {min_rsa_bits: 3072}\nrules: [{filters: [any -> me], action: permit}]", "add policy", "crl_check alone"},
	} {
		s, err := ExportNetsh(parse(c.text), ExportOptions{WithKeys: true})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		said := ""
		for _, n := range s.Notes {
			said += n.String() + "\n"
		}
		if !strings.Contains(string(s.Text), c.want) || !strings.Contains(said, c.note) {
			t.Errorf("%s: want %q and %q, have\n%s%s", c.text, c.want, c.note, s.Text, said)
		}
	}
}

// The scripts of examples/netsh, imported, exported and imported again, are the same policies.
func TestExamplesThereAndBack(t *testing.T) {
	files, _ := filepath.Glob("../../examples/netsh/*")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ImportNetsh(name, data, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.Check("policy.yaml", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, s, _ := roundTrip(t, f)
		for i, p := range f.Policies {
			forget(p)
			forget(got.Policies[i])
			if a, b := dump(p), dump(got.Policies[i]); a != b {
				t.Errorf("%s\nwant %s\nhave %s\n%s", name, a, b, s.Text)
			}
		}
	}
}
