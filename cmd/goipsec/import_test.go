package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testpki"
)

// The certificates that flags name stand in the policy file relative to it where they can, and it checks clean.
func TestImportNetshWithCertificates(t *testing.T) {
	dir := t.TempDir()
	root := testpki.Root(t, "Example Root")
	certificate, key := root.Issue(t, "machine").Write(t, dir, "machine")
	ca, _ := root.Write(t, t.TempDir(), "root")
	script := filepath.Join(dir, "script.cmd")
	text := "netsh ipsec static add policy P assign=y activatedefaultrule=no mmsecmethods=3DES-SHA1-3\nnetsh ipsec static add filter L me 192.0.2.9\n" +
		"netsh ipsec static add filteraction A qmsecmethods=ESP[3DES,SHA1]\nnetsh ipsec static add rule R P L A rootca=\"C=CH, O=Lab, CN=Example Root\"\n"
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "policy.yaml")
	run := func(args ...string) error {
		c := newRoot()
		var said bytes.Buffer
		c.SetOut(&said)
		c.SetErr(&said)
		c.SetArgs(args)
		return c.Execute()
	}
	if err := run("policy", "import", "netsh", script, "-o", out, "--strict", "--certificate", certificate, "--key-file", key, "--ca", ca); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "    auth:\n      - certificate: machine.pem\n        key: machine.key\n        ca: " + ca + "\n"; !strings.Contains(string(got), want) {
		t.Errorf("%s", got)
	}
	if err := run("policy", "check", "--local", "192.0.2.1", out); err != nil {
		t.Error(err)
	}
	if err := run("policy", "import", "netsh", script, "-o", out, "--strict", "--force"); err == nil {
		t.Error("a certificate that is not named is not missed")
	}
}
