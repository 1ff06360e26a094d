package interchange

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/config"
)

// fuzzKey stands in every seed in the place of a key. It is looked for in all that an import shows.
const fuzzKey = "ZZtheKeyZZ"

// seeds adds the files of the examples of one form.
func seeds(f *testing.F, pattern string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatal(pattern, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
}

// sane checks what holds of every import, whatever the source: an error or a policy file that config reads without a syntax error, in
// a size that the source accounts for, and no key in it.
func sane(t *testing.T, source string, r *Result, err error) {
	t.Helper()
	if err != nil {
		if r != nil {
			t.Fatal("a result beside an error")
		}
		return
	}
	if len(r.Policy) > 1<<16+400*len(source) {
		t.Fatalf("%d bytes of source make %d bytes", len(source), len(r.Policy))
	}
	for _, k := range r.Keys {
		if k.Name != filepath.Base(k.Name) || strings.HasPrefix(k.Name, ".") || k.Secret.Len() == 0 {
			t.Fatalf("a key file named %q", k.Name)
		}
	}
	var faults config.Errors
	if _, err := r.Check("policy.yaml", nil); err != nil && !errors.As(err, &faults) {
		t.Fatal(err)
	}
	for _, e := range faults {
		for _, word := range []string{"YAML", "unknown key", "must be", "is no filter", "is no method"} {
			if strings.Contains(e.Message, word) {
				t.Fatalf("the writer wrote what cannot be read: %v\n%s", e, r.Policy)
			}
		}
	}
}

// FuzzImportNetsh: hostile scripts.
func FuzzImportNetsh(f *testing.F) {
	seeds(f, "../../examples/netsh/*")
	f.Add(prelude + "netsh ipsec static add rule R P L A psk=" + fuzzKey)
	f.Add(prelude + "netsh ipsec static add rule R P L A tunnel=1.2.3.4 conntype=dialup activate=no psk=\"" + fuzzKey + "\" rootca=\"CN=x certmap:yes\" kerberos=yes")
	f.Add(prelude + "netsh ipsec static set defaultrule P no yes ESP[3DES,SHA1] n " + fuzzKey)
	f.Add(strings.Repeat("pushd ipsec static\n", 300) + strings.Repeat("^\n", 300) + strings.Repeat("netsh ipsec static add policy P assign=y&", 300))
	f.Fuzz(func(t *testing.T, script string) {
		if len(script) > 1<<16 {
			return
		}
		r, err := ImportNetsh("f.cmd", []byte(script), Options{})
		sane(t, script, r, err)
		// Only a key that follows its tag on one line is known to be one.
		if err == nil && strings.Count(script, fuzzKey) == 1 && (strings.Contains(script, " psk="+fuzzKey) || strings.Contains(script, " psk=\""+fuzzKey+"\"")) {
			if strings.Contains(string(r.Policy), fuzzKey) {
				t.Fatalf("the key is shown\n%s", r.Policy)
			}
		}
	})
}

// FuzzImportSwanctl: hostile configurations.
func FuzzImportSwanctl(f *testing.F) {
	seeds(f, "testdata/swanctl/*.conf")
	f.Add("a : a { b = c } connections { : x }")
	f.Add("include *\nconnections { c { children { n { local_ts = 0.0.0.0/0[tcp/1-2],::/0\nremote_ts = dynamic[icmp/8]\nmode = drop } } } }")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			return
		}
		r, err := ImportSwanctl("swanctl.conf", []byte(text), Options{ReadFile: func(string) ([]byte, error) { return []byte("x { y = z }\ninclude more\n"), nil },
			Glob: func(string) ([]string, error) { return []string{"a", "b"}, nil }})
		sane(t, text, r, err)
	})
}

// FuzzImportIPsecConf: hostile configurations and secrets.
func FuzzImportIPsecConf(f *testing.F) {
	files, err := filepath.Glob("testdata/ipsec.conf/*.conf")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	secrets, err := os.ReadFile("testdata/ipsec.conf/ipsec.secrets")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), string(secrets))
	}
	f.Add("conn a\n\talso=b\nconn b\n\talso=a", ": PSK \"")
	f.Add("\v", "") // a line that is white space of another kind
	f.Fuzz(func(t *testing.T, text, secrets string) {
		if len(text)+len(secrets) > 1<<16 {
			return
		}
		r, err := ImportIPsecConf("ipsec.conf", []byte(text), Options{Secrets: []File{{"s", []byte(secrets)}},
			ReadFile: func(string) ([]byte, error) { return []byte("conn x\n\tauto=add\ninclude y\n"), nil }})
		sane(t, text+secrets, r, err)
	})
}
