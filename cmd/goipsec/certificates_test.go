package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testpki"
)

// TestPolicyCheckOfCertificates: the check of a file shows what is wrong with its certificates, with the line and what to write instead.
func TestPolicyCheckOfCertificates(t *testing.T) {
	dir := t.TempDir()
	root := testpki.Root(t, "Root")
	root.Issue(t, "gw", testpki.DNS("gw.example.com"), testpki.Valid(testpki.Now.AddDate(-3, 0, 0), testpki.Now.AddDate(-2, 0, 0))).Write(t, dir, "gw")
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("root.pem", string(testpki.CertificatesPEM(root.Cert)), 0o644)
	text := "rules:\n  - filters: [10.0.0.0/24 -> 10.1.0.0/24]\n    tunnel: {local: 192.0.2.1, remote: 192.0.2.2}\n    negotiate: {}\n    auth: [{certificate: gw.pem, key: gw.key, ca: root.pem, local_id: NAME}]\n"
	show := func(name string) string {
		view, err := check(put("p.yaml", strings.Replace(text, "NAME", name, 1), 0o644), []string{"192.0.2.1"})
		if view == nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := view.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	good := show("gw.example.com")
	for _, says := range []string{"p.yaml:5:26", "expired on 2024-06-01", "instead: renew it", "certificate-expired", "gateway-not-named", "add remote_id", "good, with"} {
		if !strings.Contains(good, says) {
			t.Errorf("no %q in\n%s", says, good)
		}
	}
	if bad := show("other.example.com"); !strings.Contains(bad, "does not prove local_id") || !strings.Contains(bad, "write one of: C=CH, O=Lab, CN=gw; gw.example.com") {
		t.Error(bad)
	}
	if err := os.Chmod(filepath.Join(dir, "gw.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if open := show("gw.example.com"); !strings.Contains(open, "can be read by others: chmod 600 it") {
		t.Error(open)
	}
}
