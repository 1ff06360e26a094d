package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// packet is a question in words: "out SRC DST [PROTO [SPORT DPORT]]" and which rule must answer, "" for none.
type sample struct{ packet, rule, action string }

// exampleFiles says, of each file under examples/, what it decides on a host with the given addresses.
var exampleFiles = map[string]struct {
	local   string
	samples []sample
	warns   []string // each must be part of a warning
}{
	"host-to-host.yaml": {"192.0.2.1 2001:db8::1 fe80::1 127.0.0.1", []sample{
		{"out 192.0.2.1 192.0.2.2 6 40000 80", "peer", "negotiate"},
		{"in 192.0.2.2 192.0.2.1 17 53 40000", "peer", "negotiate"},
		{"out 192.0.2.1 192.0.2.3 6 40000 80", "", ""},
		{"in 192.0.2.3 192.0.2.1 6 1 1", "", ""},
	}, []string{"stands in the policy file"}},
	"site-to-site.yaml": {"203.0.113.1 192.168.1.1", []sample{
		{"out 192.168.1.7 192.168.2.9 6 40000 80", "to-headquarters", "negotiate"},
		{"in 192.168.2.9 192.168.1.7 6 80 40000", "to-headquarters", "negotiate"},
		{"in 192.168.1.7 192.168.2.9 6 80 40000", "", ""},
		{"out 203.0.113.1 198.51.100.1 6 1 1", "", ""},
	}, []string{"stands in the policy file"}},
	"road-warrior.yaml": {"172.20.10.4 10.9.0.5", []sample{
		{"out 10.9.0.5 10.0.3.4 6 40000 443", "office", "negotiate"},
		{"in 10.0.3.4 10.9.0.5 6 443 40000", "office", "negotiate"},
		{"out 172.20.10.4 1.1.1.1 17 40000 53", "", ""},
	}, []string{"group key", "stands in the policy file"}},
	"road-warrior-gateway.yaml": {"198.51.100.1 10.0.0.1", []sample{
		{"out 10.0.3.4 10.9.0.5 6 443 40000", "laptops", "negotiate"},
		{"in 10.9.0.6 10.0.3.4 6 40000 443", "laptops", "negotiate"},
		{"out 10.0.3.4 10.9.0.7 6 443 40000", "", ""},
	}, []string{"a group shares the pre-shared key"}},
	"connections.yaml": {"10.1.2.3", []sample{
		{"out 10.1.2.3 10.9.8.7 6 40000 80", "office", "negotiate"},
		{"in 198.51.100.7 10.1.2.3 6 50000 445", "no-shares-when-dialled-in", "block"},
		{"out 10.1.2.3 198.51.100.7 6 40000 445", "", ""},
	}, []string{"a group shares the pre-shared key"}},
	"reject-all.yaml": {"192.0.2.1 2001:db8::1", []sample{
		{"in 198.51.100.7 192.0.2.1 6 50000 443", "web", "permit"},
		{"out 192.0.2.1 198.51.100.7 6 443 50000", "web", "permit"},
		{"in 2001:db8::7 2001:db8::1 6 50000 443", "web", "permit"},
		{"in 10.1.2.7 192.0.2.1 6 50000 22", "management", "permit"},
		{"in 10.1.3.7 192.0.2.1 6 50000 22", "everything-else", "block"},
		{"out 192.0.2.1 10.1.0.53 17 50000 53", "names", "permit"},
		{"out 192.0.2.1 198.51.100.7 6 50000 80", "everything-else", "block"},
		{"in fe80::7 2001:db8::1 58", "everything-else", "block"},
	}, nil},
	"block-inbound-135.yaml": {"192.0.2.1", []sample{
		{"in 198.51.100.7 192.0.2.1 6 50000 135", "rpc", "block"},
		{"out 192.0.2.1 198.51.100.7 6 135 50000", "", ""},
		{"in 198.51.100.7 192.0.2.1 6 50000 136", "", ""},
		{"in 198.51.100.7 192.0.2.1 17 50000 135", "", ""},
	}, nil},
	"permit-icmp.yaml": {"192.0.2.1 2001:db8::1", []sample{
		{"in 198.51.100.7 192.0.2.1 1", "icmp", "permit"},
		{"out 2001:db8::1 2001:db8::7 58", "icmp", "permit"},
		{"out 192.0.2.1 198.51.100.7 6 1 2", "company", "negotiate"},
	}, []string{"a group shares the pre-shared key"}},
	"ah-only.yaml": {"192.0.2.1", []sample{
		{"out 192.0.2.1 192.0.2.2 6 40000 80", "peer", "negotiate"},
	}, nil},
	"ah-and-esp.yaml": {"192.0.2.1", []sample{
		{"out 192.0.2.1 192.0.2.2 6 40000 80", "peer", "negotiate"},
	}, nil},
	"manual-keys.yaml": {"192.0.2.1", []sample{
		{"in 192.0.2.2 192.0.2.1 6 40000 80", "peer", "negotiate"},
	}, []string{"manual keys stand in the policy file"}},
	"certificates.yaml": {"192.0.2.1", []sample{
		{"out 192.0.2.1 10.20.3.4 6 40000 443", "servers", "negotiate"},
		{"in 10.20.3.4 192.0.2.1 6 443 40000", "servers", "negotiate"},
		{"out 192.0.2.1 10.21.3.4 6 40000 443", "", ""},
	}, []string{"a group shares the pre-shared key"}},
	"request-security.yaml": {"10.1.2.3", []sample{
		{"out 10.1.2.3 10.9.9.9 6 445 40000", "company", "negotiate"},
		{"in 10.9.9.9 10.1.2.3 6 40000 445", "company", "negotiate"},
		{"out 10.1.2.3 198.51.100.7 6 40000 443", "", ""},
	}, []string{"whoever can drop the UDP packets of port 500", "never use it on a host that faces the Internet"}},
	"respond-only.yaml": {"10.9.9.9", []sample{
		{"out 10.9.9.9 10.1.2.3 6 40000 445", "", ""},
	}, []string{"answers everybody who has its pre-shared key"}},
	"windows-tunnel.yaml": {"203.0.113.1 192.168.1.1", []sample{
		{"out 192.168.1.7 192.168.2.9 6 40000 80", "leaving", "negotiate"},
		{"in 192.168.2.9 192.168.1.7 6 80 40000", "leaving", "negotiate"},
	}, nil},
}

// exampleKeys gives the files that examples name and that every host must make for itself.
func exampleKeys(t *testing.T) func(string) ([]byte, os.FileMode, error) {
	root := testpki.Root(t, "root", testpki.Around(time.Now()))
	machine := root.Issue(t, "machine", testpki.Around(time.Now()))
	files := map[string][]byte{"machine.pem": machine.PEM(), "machine.key": machine.KeyPEM(t), "company-root.pem": testpki.CertificatesPEM(root.Cert),
		"servers.key": []byte("throw-away-example-key-S2FmZmVlaGF1cw")}
	return func(name string) ([]byte, os.FileMode, error) {
		if data, ok := files[filepath.Base(name)]; ok {
			return data, 0o600, nil
		}
		return nil, 0, os.ErrNotExist
	}
}

func TestExamplesDecideAsTheySay(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) != len(exampleFiles) {
		t.Fatalf("examples/ holds %d files, the test knows %d (%v)", len(files), len(exampleFiles), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want, ok := exampleFiles[filepath.Base(path)]
			if !ok {
				t.Fatal("the test does not know this example")
			}
			f, err := LoadWith(path, Options{StrictKeyFiles: true, ReadKey: exampleKeys(t)})
			if err != nil {
				t.Fatal(err)
			}
			c, err := policy.Compile(f.Assigned, addrs(want.local))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Warnings) > 0 {
				t.Errorf("compiling warns: %q", c.Warnings)
			}
			for _, s := range want.samples {
				q, out := question(t, s.packet)
				rule, action := "", ""
				if d := c.Decision(q, out); d != nil {
					rule, action = d.Rule.Name, d.Action.String()
				}
				if rule != s.rule || action != s.action {
					t.Errorf("%s: %s by rule %q, want %s by %q", s.packet, action, rule, s.action, s.rule)
				}
			}
			all := ""
			for _, w := range f.Warnings {
				all += w.String() + "\n"
			}
			for _, w := range want.warns {
				if !strings.Contains(all, w) {
					t.Errorf("no warning has %q; there are:\n%s", w, all)
				}
			}
			if want.warns == nil && strings.Contains(all, "weak") {
				t.Errorf("an example uses something weak:\n%s", all)
			}
		})
	}
}

// The most common wishes take fewer than fifteen lines, comments aside.
func TestCommonWishesAreShort(t *testing.T) {
	for _, name := range []string{"host-to-host.yaml", "site-to-site.yaml"} {
		data, err := os.ReadFile(filepath.Join("../../examples", name))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(data)) {
			if s := strings.TrimSpace(line); s != "" && s[0] != '#' {
				n++
			}
		}
		if n >= 15 {
			t.Errorf("%s has %d lines", name, n)
		}
	}
}

func addrs(s string) []netip.Addr {
	var list []netip.Addr
	for _, w := range strings.Fields(s) {
		list = append(list, netip.MustParseAddr(w))
	}
	return list
}

// question reads "out SRC DST [PROTO [SPORT DPORT]]".
func question(t *testing.T, s string) (q classifier.Filter, out bool) {
	t.Helper()
	w := strings.Fields(s)
	q.Src, q.Dst = classifier.HostRange(netip.MustParseAddr(w[1])), classifier.HostRange(netip.MustParseAddr(w[2]))
	number := func(s string) uint16 {
		v, ok := parseNumber(s)
		if !ok {
			t.Fatalf("%q is no number", s)
		}
		return uint16(v)
	}
	if len(w) > 3 {
		q.Proto = uint8(number(w[3]))
	}
	if len(w) > 5 {
		q.SrcPorts, q.DstPorts = classifier.Port(number(w[4])), classifier.Port(number(w[5]))
	}
	return q, w[0] == "out"
}
