package interchange

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hostOf are the addresses of the host that the listings of the examples are for.
var hostOf = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("2001:db8::1")}

// liveOf are the servers that the live keywords stand for on it.
var liveOf = map[policy.AddrKind][]netip.Addr{
	policy.LiveDNS: {netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}, policy.LiveDHCP: {netip.MustParseAddr("192.0.2.67")},
	policy.LiveGateway: {netip.MustParseAddr("192.0.2.254")},
}

// TestNetshExamples imports every script of examples/netsh: it checks clean, and what is written, what is said about it, and the
// specific filters of every policy are those of the golden file.
func TestNetshExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/netsh/*")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ImportNetsh(name, data, Options{})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "netsh", filepath.Base(name), listing(t, r))
		})
	}
}

// directory gives an import the files of a directory.
func directory(dir string) Options {
	return Options{Dir: "/etc/source",
		ReadFile: func(name string) ([]byte, error) {
			if !filepath.IsLocal(name) {
				return nil, errors.New("it lies elsewhere")
			}
			return os.ReadFile(filepath.Join(dir, name))
		},
		Glob: func(pattern string) ([]string, error) {
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			for i := range names {
				names[i], _ = filepath.Rel(dir, names[i])
			}
			return names, err
		},
	}
}

// TestStrongSwanExamples imports the configurations of testdata: what is written, what is said, and the specific filters are those of the golden file.
func TestStrongSwanExamples(t *testing.T) {
	for _, c := range []struct {
		name   string
		dir    string
		read   func(string, []byte, Options) (*Result, error)
		secret string
	}{
		{"offices.conf", "swanctl", ImportSwanctl, ""}, {"mixed.conf", "swanctl", ImportSwanctl, ""}, {"offices.conf", "ipsec.conf", ImportIPsecConf, "ipsec.secrets"},
	} {
		t.Run(c.dir+"/"+c.name, func(t *testing.T) {
			dir := filepath.Join("testdata", c.dir)
			opts := directory(dir)
			if c.secret != "" {
				data, err := os.ReadFile(filepath.Join(dir, c.secret))
				if err != nil {
					t.Fatal(err)
				}
				opts.Secrets = []File{{c.secret, data}}
			}
			data, err := os.ReadFile(filepath.Join(dir, c.name))
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.read(c.name, data, opts)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, c.dir, c.name, listing(t, r))
			for _, n := range r.Notes {
				if strings.Contains(n.String(), "throw-away") || strings.Contains(n.String(), "hidden") || strings.Contains(n.String(), "a passphrase") {
					t.Errorf("a secret is shown: %v", n)
				}
			}
		})
	}
}

// listing is all that an import makes, but for the keys themselves.
func listing(t *testing.T, r *Result) string {
	t.Helper()
	f, err := r.Check("policy.yaml", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Policy)
	}
	var b bytes.Buffer
	b.Write(r.Policy)
	for _, k := range r.Keys {
		fmt.Fprintf(&b, "\n=== %s: %d bytes", k.Name, k.Secret.Len())
		if bytes.Contains(r.Policy, k.Secret.Bytes()) {
			t.Errorf("the policy file shows the key of %s", k.Name)
		}
	}
	for _, p := range f.Policies {
		c, err := policy.CompileOn(p, policy.LocalHost{Addresses: hostOf, Live: liveOf})
		if err != nil {
			t.Fatalf("%v\n%s", err, r.Policy)
		}
		fmt.Fprintf(&b, "\n=== policy %q: specific filters, heaviest first\n", p.Name)
		for _, m := range c.MainMode {
			fmt.Fprintf(&b, "main mode  %s  %v <-> %v  %s\n", m.Weight(), m.Local, m.Remote, m.Rule.Name)
		}
		for _, q := range c.Outbound {
			fmt.Fprintf(&b, "outbound   %s  %v  %v  %s\n", q.Weight(), q.Filter, q.Action, q.Rule.Name)
		}
		for _, q := range c.Inbound {
			fmt.Fprintf(&b, "inbound    %s  %v  %v  %s\n", q.Weight(), q.Filter, q.Action, q.Rule.Name)
		}
	}
	return b.String()
}

// golden compares text with a file of testdata.
func golden(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", dir, name+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == text {
		return
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(text, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%s:%d (go test -run %s -update writes it anew)\nwant %s\nhave %s", path, i+1, t.Name(), a[i], b[i])
		}
	}
	t.Fatalf("%s has %d lines, there are %d", path, len(a), len(b))
}
