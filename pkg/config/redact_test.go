package config

import (
	"strings"
	"testing"
)

const plantedKey = "k7Qx-planted-secret-09zZ"

// TestRedactTakesSecretsOutWhereverTheyStand, in files that are read and in files that are not, and leaves what helps.
func TestRedactTakesSecretsOutWhereverTheyStand(t *testing.T) {
	hex := "0x" + strings.Repeat("a7", 16)
	exists := func(path string) bool { return path == "/etc/goipsec/peer.key" }
	for _, c := range []struct {
		name, text string
		parsed     bool
		keeps      []string
	}{
		{"a pre-shared key", "rules:\n  - {name: office, filters: [me <-> 192.0.2.2], negotiate: {}, auth: [{psk: " + plantedKey + "}]}\n", true, []string{"office", "me <-> 192.0.2.2", "psk"}},
		{"a block scalar", "rules:\n  - name: office\n    auth:\n      - psk: |\n          " + plantedKey + "\n    filters: [me <-> 192.0.2.2]\n", true, []string{"me <-> 192.0.2.2"}},
		{"manual keys", "rules:\n  - manual: {method: ah hmac-sha256-128, spi_in: 0x1003, ah_key_in: " + hex + ", ah_key_out: {file: " + plantedKey + "}}\n", true, []string{"ah hmac-sha256-128", "0x1003"}},
		{"a comment", "# " + plantedKey + "\npolicy: p # " + plantedKey + "\nrules: []\n", true, []string{"policy: p"}},
		{"a description", "policy: p\ndescription: the key is " + plantedKey + "\nrules: []\n", true, []string{"policy: p"}},
		{"an unknown key", "policy: p\nrules: [{name: office, pre_shared: " + plantedKey + "}]\n", true, []string{"office"}},
		{"a secret for a key", "policy: p\n" + plantedKey + ": 1\n", true, []string{"policy: p"}},
		{"a key for a file", "rules: [{auth: [{psk_file: " + plantedKey + "}]}]\n", true, []string{"psk_file"}},
		{"a file", "rules: [{auth: [{psk_file: peer.key}]}]\n", true, []string{"psk_file: peer.key"}},
		{"a key for a method", "rules: [{auth: [" + plantedKey + "]}]\n", true, nil},
		{"a key for a name", "rules: [{name: " + hex + "}]\n", true, nil},
		{"a key in PEM", "rules:\n  - auth:\n      - key: |\n          -----BEGIN PRIVATE KEY-----\n          " + plantedKey + "\n", true, nil},
		{"an anchor", "x: &a " + plantedKey + "\nrules: [{name: office, auth: [{psk: *a}]}]\n", false, nil},
		{"no YAML", "rules:\n  - name: x\n    filters: [me <-> 192.0.2.2\n    psk: \"" + plantedKey + "\"\n    peer_port: 4500\n\tauth: [{psk: " + plantedKey + "}]\n  " + plantedKey + "\n", false,
			[]string{"me <-> 192.0.2.2", "peer_port: 4500"}},
		{"no YAML, over two lines", "rules: [\n  psk:\n    1234567\n  psk_file: peer.key\n  psk_file: " + plantedKey + "\n  dpd: {interval: 15s, timeout: 30s}\n", false,
			[]string{"psk_file: peer.key", "dpd: {interval: 15s, timeout: 30s}"}},
		{"no text at all", "\xff\xfe\x00" + plantedKey, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Redact("/etc/goipsec/policy.yaml", []byte(c.text), exists)
			text := string(r.Text)
			for _, secret := range []string{plantedKey, "planted", hex, hex[2:], "1234567"} {
				if strings.Contains(text, secret) {
					t.Errorf("%q is still there:\n%s", secret, text)
				}
			}
			for _, keep := range c.keeps {
				if !strings.Contains(text, keep) {
					t.Errorf("%q is gone:\n%s", keep, text)
				}
			}
			if r.Parsed != c.parsed || (len(r.Removed) == 0) != (c.name == "a file") {
				t.Errorf("parsed %v, removed %q", r.Parsed, r.Removed)
			}
			for _, s := range append(r.Removed, r.Names...) {
				if strings.Contains(s, "planted") {
					t.Errorf("what was removed is told: %q", s)
				}
			}
		})
	}
}

// TestRedactKeepsTheNames: of a file without secrets all stays, and its names are listed for those who want them replaced.
func TestRedactKeepsTheNames(t *testing.T) {
	r := Redact("p.yaml", []byte("policy: office\nfilter_lists: {servers: [me <-> www.example.com]}\nrules: [{name: web, filter_list: servers, auth: [{psk_file: k, remote_id: gw@example.net}]}]\n"),
		func(string) bool { return true })
	if got := strings.Join(r.Names, " "); got != "gw@example.net office servers web www.example.com" {
		t.Errorf("names: %s", got)
	}
	if len(r.Removed) != 0 {
		t.Errorf("%q", r.Removed)
	}
}

// FuzzRedact: a pre-shared key is never shown, whatever stands around it.
func FuzzRedact(f *testing.F) {
	f.Add("rules: [{auth: [{", "}]}]")
	f.Add("a: \"", "\"")
	f.Add("rules:\n- auth:\n  - ", "\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		r := Redact("p.yaml", []byte(before+"psk: "+plantedKey+after), func(string) bool { return false })
		if strings.Contains(string(r.Text), plantedKey) {
			t.Errorf("%q", r.Text)
		}
	})
}
