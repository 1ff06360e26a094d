package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// read parses a file that must be good.
func read(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("p.yaml", []byte(text), Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return f
}

// warned reports whether some warning has the text.
func warned(f *File, text string) bool {
	return slices.ContainsFunc(f.Warnings, func(w Warning) bool { return strings.Contains(w.Message, text) })
}

func TestShortForm(t *testing.T) {
	f := read(t, wrap("name: peer\n"+filter+nego+psk))
	p := f.Assigned
	if p == nil || p.Name != "policy" || len(p.Rules) != 1 || p.Rules[0].Name != "peer" || f.Policies[0] != p {
		t.Fatalf("%+v", p)
	}
	r := p.Rules[0]
	if r.Action.Kind != policy.Negotiate || r.Tunnel != nil || r.Manual != nil || len(r.Auth) != 1 || r.Auth[0].Kind != policy.PSK {
		t.Errorf("%+v", r)
	}
	if len(r.Action.Methods) != 4 || r.Action.Methods[0].String() != "esp aes-gcm-16-128" || r.Action.PFS != suite.GroupNone {
		t.Errorf("default methods: %v", r.Action.Methods)
	}
	if f.Listen.Port != 500 || f.Listen.NATPort != 4500 || len(f.Listen.Addrs) != 0 || f.Guard != GuardRequired {
		t.Errorf("%+v", f.Listen)
	}
	if string(r.Auth[0].PSK.Bytes()) != "throw-away-example-key-QmVyZ2ZyaWVk" {
		t.Error("another key")
	}
	if r.Source != (policy.Position{File: "p.yaml", Line: 2, Column: 5}) || !r.Filters[0].Mirrored {
		t.Errorf("%v", r.Source)
	}
	if len(p.KeyExchange.Methods) != 6 || p.KeyExchange.Methods[0].String() != "aes-cbc-256 sha256 curve25519" {
		t.Errorf("main mode: %v", p.KeyExchange.Methods)
	}
}

func TestFullForm(t *testing.T) {
	f := read(t, `
assign: two
guard: off
tun: {name: sec0, mtu: 1380, queues: 4}
listen: {addresses: [192.0.2.1, "2001:db8::1"], port: 5500}
filter_lists:
  web: ["any <-> me tcp 443", {from: any, to: me, protocol: TCP, to_port: 80, description: plain}]
filter_actions:
  strong:
    pfs: ecp384
    lifetime: {seconds: 900}
    methods:
      - {esp: {encryption: aes-cbc, key_bits: 256, integrity: sha384}, esn: true, lifetime: {kilobytes: 5000}}
      - {ah: sha512}
      - ah sha256 + esp null esn
  open: permit
policies:
  - {name: one, rules: [{filter_list: web, action: open}]}
  - name: two
    description: the one
    key_exchange: {methods: [{encryption: aes-cbc, key_bits: 192, hash: sha512, group: 14}], lifetime: 90m, quick_modes: 1}
    rules:
      - name: r
        filter_list: web
        action: strong
        auth: [{psk: "0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", local_id: a.example.com, remote_id: b@example.com}]
        encapsulation: udp
        peer_port: 5501
        dpd: {interval: 10s, timeout: 45}
        idle_timeout: off
        replay_window: 65536
        fragmentation: 1400
        df: clear
`)
	if f.Assigned.Name != "two" || len(f.Policies) != 2 || f.Guard != GuardOff || f.Tun != (Tun{"sec0", 1380, 4}) {
		t.Errorf("%+v", f)
	}
	if f.Listen.Port != 5500 || f.Listen.NATPort != 5500 || len(f.Listen.Addrs) != 2 {
		t.Errorf("%+v", f.Listen)
	}
	k := f.Assigned.KeyExchange
	if k.Lifetime != 90*time.Minute || k.QuickModes != 1 || fmt.Sprint(k.Methods) != "[aes-cbc-192 sha512 modp2048]" {
		t.Errorf("%+v", k)
	}
	r := f.Assigned.Rules[0]
	want := "[esp aes-cbc-256 hmac-sha384-192 esn ah hmac-sha512-256 ah hmac-sha256-128 + esp null esn]"
	if got := fmt.Sprint(r.Action.Methods); got != want {
		t.Errorf("methods %s, want %s", got, want)
	}
	if r.Action.PFS != suite.ECP384 || r.Action.Name != "strong" {
		t.Errorf("%+v", r.Action)
	}
	if l := r.Action.Methods[0].Lifetime; l != (policy.Lifetime{Seconds: 900, Kilobytes: 5000}) {
		t.Errorf("%+v", l)
	}
	if r.Auth[0].PSK.Len() != 32 || r.Auth[0].LocalID != "a.example.com" || r.Auth[0].RemoteID != "b@example.com" {
		t.Error(r.Auth)
	}
	o := r.Peer
	interval, timeout := o.DPD()
	if !o.ForceUDP || o.Port != 5501 || interval != 10*time.Second || timeout != 45*time.Second || o.Idle() != 0 || o.Window() != 65536 || o.CopyDF != "clear" || o.FragmentSize != 1400 || !o.Fragments() {
		t.Errorf("%+v", o)
	}
	if g := r.Filters[1]; g.Proto != 6 || g.DstPorts.From != 80 || g.Source.Line != 7 {
		t.Errorf("%+v", g)
	}
}

func TestFilterForms(t *testing.T) {
	for line, want := range map[string]string{
		"me <-> 10.0.0.1":                "me <-> 10.0.0.1 0 any any",
		"any -> me tcp 135":              "any -> me 6 any 135",
		"me <-> any TCP 1024-65535 25":   "me <-> any 6 1024-65535 25",
		"me <-> any udp any 53":          "me <-> any 17 any 53",
		"me <-> any icmp 8 0":            "me <-> any 1 8 0",
		"me <-> any icmp 8-10":           "me <-> any 1 8-10 any",
		"me <-> any 47":                  "me <-> any 47 any any",
		"10.0.0.0/8 -> 10.1.0.5/32":      "10.0.0.0/8 -> 10.1.0.5 0 any any",
		"10.0.0.1-10.0.0.9 -> 0.0.0.0/0": "10.0.0.1-10.0.0.9 -> any4 0 any any",
		"0.0.0.0-10.0.0.9 -> any":        "0.0.0.0-10.0.0.9 -> any 0 any any",
		"10.0.0.1-10.0.0.1 -> any":       "10.0.0.1 -> any 0 any any",
		"::/0 -> 2001:db8::/32":          "any6 -> 2001:db8::/32 0 any any",
		"me <-> GW.example.com. sctp":    "me <-> gw.example.com 132 any any",
		"me <-> printer. any":            "me <-> printer 0 any any",
	} {
		f := read(t, wrap("filters: ['"+line+"']\n"+block))
		g := f.Assigned.Rules[0].Filters[0]
		if got := fmt.Sprint(&g, " ", g.Proto, " ", g.SrcPorts, " ", g.DstPorts); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	f := read(t, wrap("filters: [{from: me, to: any, protocol: icmp, type: 8, code: 0-3, mirrored: false}]\n"+block))
	if g := f.Assigned.Rules[0].Filters[0]; g.SrcPorts.From != 8 || g.DstPorts.To != 3 || g.Mirrored {
		t.Errorf("%+v", g)
	}
}

func TestByteOrderMarkAndCRLF(t *testing.T) {
	text := wrap(filter + nego + psk)
	f := read(t, "\ufeff"+strings.ReplaceAll(text, "\n", "\r\n"))
	if string(f.Assigned.Rules[0].Auth[0].PSK.Bytes()) != "throw-away-example-key-QmVyZ2ZyaWVk" {
		t.Errorf("a key with something behind it: %d bytes", f.Assigned.Rules[0].Auth[0].PSK.Len())
	}
}

// keyed reads a file whose rule names a key file with the given content.
func keyed(content string, mode os.FileMode, strict bool) (*File, error) {
	return Parse("dir/p.yaml", []byte(wrap(filter+nego+"auth: [{psk_file: a.key}]")), Options{StrictKeyFiles: strict,
		ReadKey: func(name string) ([]byte, os.FileMode, error) {
			if name != filepath.Join("dir", "a.key") {
				return nil, 0, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(content), mode, nil
		}})
}

func TestKeyFiles(t *testing.T) {
	for content, want := range map[string]string{
		"a secret": "a secret", "a secret\n": "a secret", "a secret\r\n": "a secret", "a secret\n\n": "a secret\n",
		" a ": " a ", "\ufeffa\n": "a", "0x00ff\n": "\x00\xff", "0X00": "0X00",
	} {
		f, err := keyed(content, 0o600, true)
		if err != nil {
			t.Errorf("%q: %v", content, err)
		} else if got := string(f.Assigned.Rules[0].Auth[0].PSK.Bytes()); got != want {
			t.Errorf("%q: key %q, want %q", content, got, want)
		}
	}
	for content, want := range map[string]string{"": "is empty", "\n": "is empty", "0x\n": "is empty", "0xabc\n": "is not hexadecimal"} {
		if _, err := keyed(content, 0o600, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

func TestKeyFileThatOthersMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits say nothing on Windows")
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o620} {
		if _, err := keyed("a-long-enough-key-for-anyone-1", mode, true); err == nil || !strings.Contains(err.Error(), "can be read by others") || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%o strict: %v", mode, err)
		}
		f, err := keyed("a-long-enough-key-for-anyone-1", mode, false)
		if err != nil || !warned(f, "can be read by others") {
			t.Errorf("%o: %v", mode, err)
		}
	}
	if f, err := keyed("a-long-enough-key-for-anyone-1", 0o400, true); err != nil || len(f.Warnings) != 0 {
		t.Error(err)
	}
}

func TestLoadFindsKeysBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.yaml")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(path, []byte(wrap(filter+nego+"auth: [{psk_file: a.key}]")), 0o600))
	must(os.WriteFile(filepath.Join(dir, "a.key"), []byte("a-long-enough-key-for-anyone-1\n"), 0o600))
	f, err := Load(path)
	must(err)
	if string(f.Assigned.Rules[0].Auth[0].PSK.Bytes()) != "a-long-enough-key-for-anyone-1" || f.Path != path {
		t.Error("another key")
	}
	must(os.Remove(filepath.Join(dir, "a.key")))
	must(os.Mkdir(filepath.Join(dir, "a.key"), 0o700))
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	for _, p := range []string{dir, filepath.Join(dir, "none.yaml")} {
		var list Errors
		if _, err := Load(p); err == nil || errors.As(err, &list) || !strings.Contains(err.Error(), "cannot read the policy file") {
			t.Error(err)
		}
	}
}

func TestWarnings(t *testing.T) {
	two := func(a, b string) string { return "rules:\n  - " + a + "\n  - " + b + "\n" }
	for _, c := range []struct{ name, file, want string }{
		{"inline", wrap(filter + nego + psk), "stands in the policy file"},
		{"short", wrap(filter + nego + "auth: [{psk: secret}]"), "has 6 characters and can be guessed"},
		{"shortish", wrap(filter + nego + "auth: [{psk: 8sd7f6g5h4j3k2l1qw}]"), "25 random ones are recommended"},
		{"repeated", wrap(filter + nego + "auth: [{psk: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]"), "repeats 1 characters"},
		{"shared", two("{name: a, filters: [me <-> 192.0.2.2], negotiate: {}, "+strings.TrimSpace(psk)+"}", "{name: b, filters: [me <-> 192.0.2.3], negotiate: {}, "+strings.TrimSpace(psk)+"}"), `has the pre-shared key of rule "a"`},
		{"group", wrap("filters: [me <-> any]\n" + nego + psk), "a group shares"},
		{"group of two", wrap("filters: [me <-> 192.0.2.2, me <-> 192.0.2.3]\n" + nego + psk), "a group shares"},
		{"tunnel group", wrap("filters: [10.0.0.0/8 -> 10.1.0.0/16]\ntunnel: {remote: any}\n" + nego + psk), "a group shares"},
		{"road warrior", wrap("filters: [me -> 10.1.0.0/16]\ntunnel: {remote: 192.0.2.2, address: 10.1.0.1/24}\n" + nego + psk), "group key"},
		{"weak cipher", wrap(filter + "negotiate: {methods: [esp 3des sha1]}\n" + psk), "3des"},
		{"weak main mode", "key_exchange: {methods: [des md5 modp768]}\n" + wrap(filter+nego+psk), "modp768"},
		{"test_only", wrap(filter + "test_only: true\nmanual: {method: esp aes-gcm-16-128, spi_in: 256, spi_out: 257, encryption_key_in: \"0x" + strings.Repeat("00", 20) + "\", encryption_key_out: \"0x" + strings.Repeat("01", 20) + "\"}"), "never use this rule for real traffic"},
		{"one direction", wrap("filters: [me -> 192.0.2.2]\n" + nego + psk), "the answers travel in clear"},
		{"own peer", wrap("filters: [10.0.0.0/8 -> 198.51.100.0/24]\n" + tun + nego + psk), "its own far end"},
		{"guard", "guard: off\nrules: []\n", "the guard is off"},
		{"no rules", "rules: []\n", "has no rules"},
		{"unused list", "filter_lists: {web: [any <-> me]}\nrules: []\n", `no rule uses the filter list "web"`},
		{"unused action", "filter_actions: {web: block}\nrules: []\n", `no rule uses the filter action "web"`},
		{"method twice", wrap(filter + "negotiate: {methods: [esp aes-gcm-16, esp aes128gcm16]}\n" + psk), "stands in the list already"},
		{"too many kilobytes", wrap(filter + "negotiate: {methods: [esp 3des sha256], lifetime: {kilobytes: 200000}}\n" + psk), "more than the cipher's safe bound of 100000"},
		{"too long", wrap(filter + "negotiate: {lifetime: {seconds: 200000}}\n" + psk), "more than a day"},
		{"too short", wrap(filter + "negotiate: {lifetime: {seconds: 5}}\n" + psk), "short-lived"},
		{"same filter twice", two("{name: a, filters: [any <-> any], action: block}", "{name: b, filters: [any <-> any], action: block}"), "one of them can go"},
		{"me to me", wrap("filters: [me <-> me]\n" + block), "never sees a packet"},
		{"same manual key", wrap(filter + "manual: {method: ah sha256, spi_in: 256, spi_out: 257, ah_key_in: " + zero32 + ", ah_key_out: " + zero32 + "}"), "both directions have the same key"},
	} {
		f := read(t, c.file)
		if !warned(f, c.want) {
			t.Errorf("%s: no warning with %q in %v", c.name, c.want, f.Warnings)
		}
		for _, w := range f.Warnings {
			if w.Position.Line == 0 || strings.Contains(w.String(), "throw-away") || !strings.HasPrefix(w.String(), "p.yaml:") {
				t.Errorf("%s: %v", c.name, w)
			}
		}
	}
}

// Issue: counter modes with manual keys repeat a nonce after a restart.
func TestCounterModesWithManualKeysAreRefused(t *testing.T) {
	key := func(n int, b string) string { return `"0x` + strings.Repeat(b, n) + `"` }
	for method, n := range map[string]int{
		"esp aes-gcm-16-128": 20, "esp aes-gcm-8-256": 36, "esp aes-ccm-12-128": 19, "esp chacha20-poly1305": 36, "esp aes-gmac-128": 20,
		"esp aes-ctr-128 sha256": 20, "ah aes128-gmac": 20,
	} {
		keys := "encryption_key_in: " + key(n, "00") + ", encryption_key_out: " + key(n, "01")
		if strings.HasPrefix(method, "ah") {
			keys = strings.ReplaceAll(keys, "encryption_key", "ah_key")
		}
		if strings.Contains(method, "sha256") {
			keys += ", integrity_key_in: " + key(32, "00") + ", integrity_key_out: " + key(32, "01")
		}
		text := filter + "manual: {method: " + method + ", spi_in: 256, spi_out: 257, " + keys + "}"
		if _, err := Parse("p.yaml", []byte(wrap(text)), Options{}); err == nil || !strings.Contains(err.Error(), "must not be used with manual keys") {
			t.Errorf("%s: %v", method, err)
		}
		f := read(t, wrap(text+"\ntest_only: true"))
		if !f.Assigned.Rules[0].Manual.TestOnly {
			t.Errorf("%s: test_only is lost", method)
		}
	}
}

func TestNearest(t *testing.T) {
	for s, want := range map[string]string{"polcy": "policy", "filtres": "filters", "zzz": "", "rulse": "rules", strings.Repeat("a", 100): ""} {
		if got := nearest(s, []string{"policy", "filters", "rules"}); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
