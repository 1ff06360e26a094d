package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
)

// FuzzParse: whatever the text, Parse returns a file or errors with places, in bounded time, shows no key, and what it accepts can be
// expanded without panic.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"../../examples/*.yaml", "testdata/errors/*.yaml"} {
		files, err := filepath.Glob(dir)
		if err != nil || len(files) == 0 {
			f.Fatal(dir, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, c := range refusals {
		f.Add([]byte(c.file))
	}
	f.Add([]byte(strings.Repeat("[", 5000)))
	f.Add([]byte("rules: " + strings.Repeat("{a: ", 3000)))
	f.Add([]byte("rules:\n" + strings.Repeat(" -", 3000)))
	local := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("203.0.113.1")}
	opts := Options{ReadKey: func(string) ([]byte, os.FileMode, error) { return []byte("ZZ-a-key-that-nobody-shows-ZZ"), 0o600, nil }}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		file, err := Parse("f.yaml", data, opts)
		if err != nil {
			var list Errors
			if !errors.As(err, &list) || len(list) == 0 || len(list) > maxErrors+1 || file != nil {
				t.Fatalf("%T %v", err, err)
			}
			text := err.Error()
			if strings.Contains(text, "ZZ-a-key") || len(text) > 1<<17 {
				t.Fatalf("%d bytes of errors, or a key: %s", len(text), text)
			}
			return
		}
		if file.Assigned == nil || len(file.Policies) == 0 {
			t.Fatal("a file without a policy")
		}
		for _, p := range file.Policies {
			compiled, err := policy.Compile(p, local)
			if err != nil {
				continue
			}
			for _, m := range compiled.MainMode {
				if got := compiled.FindMainMode(m.Local.From, m.Remote.From); got == nil {
					t.Fatalf("%v is not found", m.Filter())
				}
			}
		}
	})
}

// FuzzMaskLine: of what stands behind the key of a secret nothing is shown.
func FuzzMaskLine(f *testing.F) {
	f.Add("  - {psk: ", ", remote_id: x}")
	f.Add(`"psk" : '`, "'")
	f.Add("pks: ", "")
	f.Add("encryption_key_in: {flie: x, y: ", "}")
	f.Add("pre-shared-key=", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		if secretAt(before) < 0 {
			return
		}
		l := lines{text: before + ": hunter2hunter2" + after}
		if lineBreak.MatchString(before) {
			return
		}
		if s := l.line(1); strings.Contains(s, "hunter2hunter2") {
			t.Errorf("%q shows it: %q", l.text, s)
		}
	})
}
