package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testpki"
)

const docFile = "../../docs/policy-file.md"

// TestDocumentNamesEveryKey holds docs/policy-file.md to the keys that the parser knows.
func TestDocumentNamesEveryKey(t *testing.T) {
	data, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range allKeys {
		for _, key := range list {
			if !strings.Contains(string(data), "`"+key+"`") && !(key == "file" && strings.Contains(string(data), "{file: NAME}")) {
				t.Errorf("the key %s is not documented", key)
			}
		}
	}
}

// TestDocumentExamplesAreGood reads every yaml block of docs/policy-file.md.
func TestDocumentExamplesAreGood(t *testing.T) {
	data, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(blocks) < 8 {
		t.Fatalf("%d blocks", len(blocks))
	}
	root := testpki.Root(t, "Root")
	machine := root.Issue(t, "gw.example.com", testpki.DNS("gw.example.com"))
	opts := Options{StrictKeyFiles: true, ReadKey: func(name string) ([]byte, os.FileMode, error) {
		switch filepath.Base(name) {
		case "machine.pem":
			return machine.PEM(), 0o644, nil
		case "machine.key":
			return machine.KeyPEM(t), 0o600, nil
		case "root.pem", "old-root.pem":
			return testpki.CertificatesPEM(root.Cert), 0o644, nil
		case "in.key":
			return []byte("0x00112233445566778899aabbccddeeff"), 0o600, nil
		case "out.key":
			return []byte("0xffeeddccbbaa99887766554433221100"), 0o600, nil
		case "ah-in.key":
			return []byte("0x" + strings.Repeat("00", 32)), 0o600, nil
		case "ah-out.key":
			return []byte("0x" + strings.Repeat("01", 32)), 0o600, nil
		case "users":
			return []byte("# remote access\ncarol:$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc\n"), 0o600, nil
		case "none.key":
			return nil, 0, fs.ErrNotExist
		}
		return []byte("a throw-away key of " + filepath.Base(name)), 0o600, nil
	}}
	used := map[string]bool{}
	for _, b := range blocks {
		if _, err := Parse("block.yaml", []byte(b[1]), opts); err != nil {
			t.Errorf("%v\n%s", err, b[1])
		}
		for _, key := range regexp.MustCompile(`[a-z_0-9]+:`).FindAllString(b[1], -1) {
			used[strings.TrimSuffix(key, ":")] = true
		}
	}
	for _, list := range allKeys {
		for _, key := range list {
			switch key {
			case "psk", "kerberos", "test_only", "integrity_key_in", "integrity_key_out":
			default:
				if !used[key] {
					t.Errorf("no example uses %s", key)
				}
			}
		}
	}
}
