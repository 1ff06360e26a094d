package interchange

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// swanctl imports a connection with a child, both with more settings.
func swanctl(t *testing.T, connection, child string) (string, *Result) {
	t.Helper()
	text := "connections { c {\nversion = 1\nremote_addrs = 192.0.2.9\nlocal { auth = psk }\nremote { auth = psk }\n" + connection +
		"\nchildren { n {\nmode = transport\nstart_action = trap\n" + child + "\n} } } }\nsecrets { ike { secret = \"throw-away key of a test, long\" } }\n"
	r, err := ImportSwanctl("swanctl.conf", []byte(text), Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if _, err := r.Check("policy.yaml", nil); err != nil {
		t.Fatalf("%v\n%s", err, r.Policy)
	}
	return string(r.Policy)[strings.Index(string(r.Policy), "policy:"):], r
}

// Settings of swanctl.conf and what they are here.
func TestSwanctlSettings(t *testing.T) {
	for _, c := range []struct {
		conn, child, want string
		lost              int
	}{
		{"", "", "filters:\n      - me <-> 192.0.2.9\n    negotiate: {}\n", 0},
		{"local_addrs = 192.0.2.1", "", "- 192.0.2.1 <-> 192.0.2.9\n", 0},
		{"local_addrs = %any, 192.0.2.1", "", "- me <-> 192.0.2.9\n", 1},
		{"proposals = aes256-sha384-ecp384,aes128-md5-modp1024", "", "    - aes-cbc-256 sha384 ecp384\n    - aes-cbc-128 md5 modp1024\n", 0},
		{"proposals = aes192-sha2_512-prfsha512-curve25519", "", "    - aes-cbc-192 sha512 curve25519\n", 0},
		{"proposals = aes128-aes256-sha1-modp2048", "", "    - aes-cbc-128 sha1 modp2048\n", 1},
		{"proposals = aes128gcm16-prfsha256-ecp256, 3des-sha1-modp1536", "", "    - 3des sha1 modp1536\n", 1},
		{"proposals = aes128-sha256-modp2048, default", "", "    - aes-cbc-128 sha256 modp2048\n    - aes-cbc-256 sha256 curve25519\n", 0},
		{"rekey_time = 1h", "", "lifetime: 66m\n", 0},
		{"reauth_time = 2h\nover_time = 30m", "", "lifetime: 150m\n", 0},
		{"dpd_delay = 1m", "", "dpd: {interval: 1m}\n", 0},
		{"dpd_delay = 0", "", "dpd: off\n", 0},
		{"encap = yes", "", "encapsulation: udp\n", 0},
		{"fragmentation = no", "", "fragmentation: off\n", 0},
		{"remote_port = 4500", "", "policy:", 0},
		{"remote_port = x", "", "policy:", 1},
		{"send_cert = always\nmobike = no\nunique = replace\nkeyingtries = 0", "", "policy:", 0},
		{"mediation = yes", "", "policy:", 1},
		{"", "remote_ts = 192.0.2.9[tcp/80]\nlocal_ts = dynamic[tcp]", "- me <-> 192.0.2.9 tcp 80\n", 0},
		{"", "remote_ts = dynamic[/53]\nlocal_ts = dynamic[17/1024]", "- me <-> 192.0.2.9 udp 1024 53\n", 0},
		{"", "remote_ts = dynamic[gre]", "- me <-> 192.0.2.9 gre\n", 0},
		{"", "remote_ts = 2001:db8::/32, 10.0.0.0/8\nlocal_ts = 2001:db8:1::1", "- 2001:db8:1::1 <-> 2001:db8::/32\n", 0},
		{"", "remote_ts = 10.0.0.1-10.0.0.9", "- me <-> 10.0.0.1-10.0.0.9\n", 0},
		{"", "remote_ts = dynamic[icmp/8]", "- me <-> 192.0.2.9 icmp 8\n    action: block\n", 1},
		{"", "remote_ts = dynamic[icmp/2048]", "- me <-> 192.0.2.9 icmp 8 0\n    action: block\n", 1},
		{"", "remote_ts = dynamic[udp/1-9]", "- me <-> 192.0.2.9 udp 1-9\n    action: block\n", 1},
		{"", "remote_ts = dynamic[udp/nothing], dynamic", "- me <-> 192.0.2.9\n", 1},
		{"", "remote_ts = dynamic[tcp]\nlocal_ts = dynamic[udp], dynamic", "- me <-> 192.0.2.9 tcp\n", 2},
		{"", "remote_ts = 10.0.0.0/8[80]\nlocal_ts = 10.0.0.0/8[", "rules:", 2},
		{"", "mode = tunnel\nlocal_ts = 10.1.0.0/16\nremote_ts = 0.0.0.0/0", "- 10.1.0.0/16 -> 0.0.0.0/0\n    tunnel: {remote: 192.0.2.9}\n", 0},
		{"", "mode = tunnel\ncopy_df = no\nremote_ts = 10.2.0.0/16", "df: clear\n", 0},
		{"", "mode = beet", "- me <-> 192.0.2.9\n    action: block\n", 1},
		{"", "mode = beet\nstart_action = none", "rules: []", 2},
		{"", "mode = pass", "action: permit\n", 0},
		{"", "mode = pass\nstart_action = none", "rules: []", 1},
		{"", "mode = drop\nremote_ts = 10.0.0.0/8[tcp/1-1023]", "- me <-> 10.0.0.0/8 tcp 1-1023\n    action: block\n", 0},
		{"", "esp_proposals = aes256gcm128-ecp256,aes128-sha256-ecp256-esn", "methods:\n        - esp aes-gcm-16-256\n        - esp aes-cbc-128 hmac-sha256-128 esn\n      pfs: ecp256\n", 0},
		{"", "esp_proposals = null-sha1, aes128gmac", "- esp null hmac-sha1-96\n        - esp aes-gmac-128\n", 0},
		{"", "esp_proposals = aes128", "action: block", 2},
		{"", "esp_proposals = chacha20poly1305", "action: block", 2},
		{"", "ah_proposals = sha512", "- ah hmac-sha512-256\n", 0},
		{"", "ah_proposals = sha1\nesp_proposals = 3des-md5", "- ah hmac-sha1-96\n        - esp 3des hmac-md5-96\n", 0},
		{"", "life_time = 20m\nlife_bytes = 2048000", "lifetime: {seconds: 1200, kilobytes: 2000}\n", 0},
		{"", "rekey_time = 1000\nrekey_bytes = 100", "lifetime: {seconds: 1100, kilobytes: 1}\n", 0},
		{"", "rekey_time = soon", "policy:", 1},
		{"", "inactivity = 5m\nreplay_window = 64", "idle_timeout: 5m\n    replay_window: 64\n", 0},
		{"", "replay_window = 0", "policy:", 1},
		{"", "updown = /bin/script", "policy:", 1},
		{"", "sha256_96 = yes", "action: block", 1},
		{"aggressive = yes", "", "exchange_mode: aggressive\n", 0},
		{"aggressive = yes\nlocal { auth = pubkey }\nremote { auth = pubkey }", "", "action: block", 1},
		{"vips = 0.0.0.0", "", "action: block", 1},
		{"version = 2", "", "action: block", 1},
		{"local-2 { auth = xauth }", "", "action: block", 1},
		{"remote { auth = eap-md5 }", "", "action: block", 1},
		{"remote { auth = pubkey }", "", "action: block", 1},
		{"remote { id = *.example.com }", "", "action: block", 1},
		{"remote { id = fqdn:gw.example.com }", "", "remote_id: gw.example.com}\n", 0},
		{"remote { groups = a }", "", "policy:", 1},
		{"remote_addrs = vpn.example.com", "", "action: block", 1},
	} {
		got, r := swanctl(t, c.conn, c.child)
		if !strings.Contains(got, c.want) || r.LostCount() != c.lost {
			t.Errorf("%s %s: want %q and %d lost, have\n%s%v", c.conn, c.child, c.want, c.lost, got, lostOf(r))
		}
	}
}

// Secrets are chosen by both ends, then by the peer, then by this host; one for everybody comes last.
func TestStrongSwanSecrets(t *testing.T) {
	list := []swanSecret{
		{secret: textSecret("everybody")}, {ids: []string{"me.example.com"}, secret: textSecret("me")}, {ids: []string{"%any"}, secret: textSecret("any")},
		{ids: []string{"192.0.2.9"}, secret: textSecret("peer")}, {ids: []string{"me.example.com", "192.0.2.9"}, secret: textSecret("both")}, {ids: []string{"192.0.2.77"}, secret: textSecret("other")},
	}
	for _, c := range []struct {
		from          int
		local, remote string
		want          string
	}{
		{0, "me.example.com", "192.0.2.9", "both"}, {0, "x", "192.0.2.9", "peer"}, {0, "x", "192.0.2.77", "other"}, {0, "x", "y", "any"}, {0, "me.example.com", "y", "any"}, {5, "x", "y", ""},
	} {
		got := ""
		if x := chooseSecret(list[c.from:], []string{c.local}, []string{c.remote}); x != nil {
			got = string(x.secret.Bytes())
		}
		if got != c.want {
			t.Errorf("%s, %s: %q", c.local, c.remote, got)
		}
	}
	for text, want := range map[string]string{"plain": "plain", "0x6162": "ab", "0sYWI=": "ab", "0sYWI": "ab", "0xzz": "", "": ""} {
		if got := string(secretBytes(text).Bytes()); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Secrets of ipsec.secrets with selectors of every kind.
func TestIPsecSecrets(t *testing.T) {
	const conf = "conn %default\n\tkeyexchange=ikev1\n\tauthby=psk\n\ttype=transport\n\tauto=route\nconn a\n\tright=192.0.2.1\nconn b\n\tright=2001:db8::2\nconn c\n\tright=192.0.2.3\n\tleftid=@me\nconn d\n\tright=192.0.2.4\n"
	secrets := "# comment\n192.0.2.1 : PSK \"key of a : with # signs\"\n\n2001:db8::2 : PSK\n\tkey-of-b # comment\n@me 192.0.2.3 : PSK \"0x00\"\n: PSK \"key of everybody else\"\n: PIN 1234\nnonsense\n"
	r, err := ImportIPsecConf("ipsec.conf", []byte(conf), Options{Secrets: []File{{"ipsec.secrets", []byte(secrets)}}})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, k := range r.Keys {
		got += fmt.Sprintf("%s=%s;", k.Name, k.Secret.Bytes())
	}
	if want := "a.key=key of a : with # signs;b.key=key-of-b;c.key=0x00;d.key=key of everybody else;"; got != want {
		t.Errorf("have %s", got)
	}
	lost := lostOf(r)
	if len(lost) != 2 || lost[0].File != "ipsec.secrets" || lost[0].Line != 8 || lost[1].Line != 9 {
		t.Errorf("%v", lost)
	}
}

// The syntax of strongswan.conf: comments, quotes, sections on one line, one section in several places, inheritance.
func TestSwanctlSyntax(t *testing.T) {
	const text = `
base { a = 1 # comment
  b = "two # signs \"quoted\" \\ \n end"
  deep { x = y } }
one:base{a=2}
two : one , base { c=  spaced   value   
}
two { d = 4 }
empty {}
`
	var n notes
	root, err := parseSettings("x.conf", []byte(text), Options{}, &n)
	if err != nil {
		t.Fatal(err)
	}
	two := root.child("two")
	for key, want := range map[string]string{"a": "2", "b": "two # signs \"quoted\" \\ \n end", "c": "spaced   value", "d": "4"} {
		if x, _ := two.setting(key); x.value != want {
			t.Errorf("%s = %q, want %q", key, x.value, want)
		}
	}
	if two.child("deep").value("x", "") != "y" || len(root.child("empty").settings) != 0 {
		t.Error("sections are not inherited")
	}
}

// What is broken is an error with its line.
func TestSwanctlSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a {": "line 1: the section \"a\" is not closed", "a {}\n}": "line 2: a } closes nothing", "a": "behind a name", "= b": "a name is expected", "a { b = \"c\n }": "line 1: a quote is not closed",
		"a : { }": "names of other sections", "a : b { }": "inherits from \"b\", which is not there", "a : a { }": "inherits from itself", "a : b { }\nb : a { }": "inherits from itself",
		"a { b : a { } }": "inherits from itself", strings.Repeat("a {", 30): "nested more than", "x { y = 1 }": "it has no connections", strings.Repeat("a = b\n", maxSettings+1): "more than",
	} {
		_, err := ImportSwanctl("x.conf", []byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
	// Inheritance that grows: each section takes all of the one before, twice.
	var b strings.Builder
	b.WriteString("s0 { a = b }\n")
	for i := 1; i < 2000; i++ {
		fmt.Fprintf(&b, "s%d : s%d { k%d { a%d = 1 } }\n", i, i-1, i, i)
	}
	if _, err := ImportSwanctl("x.conf", []byte(b.String()), Options{}); err == nil {
		t.Error("sections that grow without bound are read")
	}
}

// Files that include each other come to an end, and so do conns that name each other.
func TestStrongSwanLoops(t *testing.T) {
	opts := Options{ReadFile: func(string) ([]byte, error) { return []byte("include again.conf\ninclude again.conf\n"), nil }}
	r, err := ImportSwanctl("x.conf", []byte("include again.conf\nconnections { c { children { n { mode = pass } } } }"), opts)
	if err != nil || r.LostCount() == 0 {
		t.Errorf("%v", err)
	}
	if _, err := ImportIPsecConf("x.conf", []byte("include again.conf\nconn a\n\tright=192.0.2.1\n\ttype=drop\n\tauto=route\n"), opts); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"conn a\n\talso=a\n\tauto=add\n", "conn a\n\talso=b\n\tauto=add\nconn b\n\talso=a\n", "conn a\n\talso=c\n\tauto=add\n"} {
		if _, err := ImportIPsecConf("x.conf", []byte(text), Options{}); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// Certificates are named with their files, where these are known.
func TestStrongSwanCertificates(t *testing.T) {
	dir := t.TempDir()
	root := testpki.Root(t, "root")
	machine := root.Issue(t, "gw")
	for name, data := range map[string][]byte{"x509/gw.pem": machine.PEM(), "x509ca/root.pem": root.PEM(), "private/gw.key": machine.KeyPEM(t),
		"ipsec.d/certs/gw.pem": machine.PEM(), "ipsec.d/cacerts/root.pem": root.PEM(), "ipsec.d/private/gw.key": machine.KeyPEM(t)} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opts := directory(dir)
	opts.Dir = dir
	opts.Secrets = []File{{"ipsec.secrets", []byte(": RSA gw.key\n")}}
	const conf = "connections { c { version = 1\nremote_addrs = 192.0.2.9\nlocal { certs = gw.pem }\nremote { id = \"C=CH, O=Lab, CN=*\" }\nchildren { n { mode = transport\nstart_action = trap } } } }\nsecrets { private-1 { file = gw.key } }\n"
	swanctl, err := ImportSwanctl("swanctl.conf", []byte(conf), opts)
	if err != nil {
		t.Fatal(err)
	}
	ipsec, err := ImportIPsecConf("ipsec.conf", []byte("conn c\n\tkeyexchange=ikev1\n\tright=192.0.2.9\n\tleftcert=gw.pem\n\trightid=\"C=CH, O=Lab, CN=*\"\n\ttype=transport\n\tauto=route\n"), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Result{swanctl, ipsec} {
		f, err := r.Check(filepath.Join(dir, "policy.yaml"), func(name string) ([]byte, os.FileMode, error) {
			data, err := os.ReadFile(name)
			return data, 0o600, err
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, r.Policy)
		}
		a := f.Assigned.Rules[0].Auth[0]
		if a.Kind != policy.Certificate || len(a.Cert.CAs) != 1 || !a.Cert.CAs[0].Equal(root.Cert) || a.RemoteID != "C=CH, O=Lab, CN=*" {
			t.Errorf("%+v\n%s", a, r.Policy)
		}
	}
}

// Clients and gateways of remote access: an address by mode config, a pool, a login by XAUTH.
func TestStrongSwanRemoteAccess(t *testing.T) {
	const password = "hunter2-of-a-test"
	parse := func(read importFunc, text string, opts Options) (string, *policy.Policy, *Result) {
		r, err := read("x.conf", []byte(text), opts)
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.Check("policy.yaml", nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, r.Policy)
		}
		if strings.Contains(string(r.Policy)+fmt.Sprint(r.Notes), password) {
			t.Errorf("the password is shown")
		}
		return string(r.Policy), f.Assigned, r
	}
	const secrets = "secrets { ike { secret = \"throw-away key of a test, long\" }\nxauth-carol { id = carol\nsecret = " + password + " } }\n"
	text, p, r := parse(ImportSwanctl, "connections { c { version = 1\nremote_addrs = 192.0.2.9\nvips = 0.0.0.0\nlocal-1 { auth = psk\nid = group }\nlocal-2 { auth = xauth-generic\nxauth_id = carol }\nremote { auth = psk }\n"+
		"children { n { remote_ts = 10.0.0.0/8\nstart_action = start } } } }\n"+secrets, Options{})
	if x := p.Rules[0].Auth[0].XAuth; !p.Rules[0].Tunnel.AskAddress || x == nil || x.User != "carol" || string(x.Password.Bytes()) != password || p.Rules[0].Filters[0].Src.Kind != policy.Me || r.LostCount() > 0 {
		t.Errorf("%s%v", text, r.Notes)
	}
	gateway := "connections { c { version = 1\npools = p\nlocal { auth = psk }\nremote { auth = psk }\nchildren { n { local_ts = 10.0.0.0/8\nstart_action = trap } } } }\npools { p { addrs = %s\ndns = 10.0.0.53 } }\nsecrets { ike { secret = \"throw-away key of a test, long\" } }\n"
	text, p, r = parse(ImportSwanctl, fmt.Sprintf(gateway, "10.9.0.0-10.9.0.255"), Options{})
	if u := p.Rules[0].Tunnel; u == nil || u.Pool.String() != "10.9.0.0/24" || len(u.DNS) != 1 || p.Rules[0].Filters[0].Dst.Range.String() != "10.9.0.0/24" || r.LostCount() > 0 {
		t.Errorf("%s%v", text, r.Notes)
	}
	for _, addrs := range []string{"10.9.0.1-10.9.0.9", "0.0.0.0/0", "dhcp"} {
		if text, _, r = parse(ImportSwanctl, fmt.Sprintf(gateway, addrs), Options{}); !strings.Contains(text, "action: block") || r.LostCount() == 0 {
			t.Errorf("%s: %s", addrs, text)
		}
	}
	conf := "conn %default\n\tkeyexchange=ikev1\n\tauthby=xauthpsk\nconn c\n\tright=192.0.2.9\n\tleftsourceip=%config\n\txauth_identity=carol\n\trightsubnet=10.0.0.0/8\n\tauto=start\n"
	opts := Options{Secrets: []File{{"ipsec.secrets", []byte(": PSK \"throw-away key of a test, long\"\ncarol : XAUTH \"" + password + "\"\n")}}}
	text, p, r = parse(ImportIPsecConf, conf, opts)
	if x := p.Rules[0].Auth[0].XAuth; !p.Rules[0].Tunnel.AskAddress || x == nil || x.User != "carol" || r.LostCount() > 0 {
		t.Errorf("%s%v", text, r.Notes)
	}
	text, p, r = parse(ImportIPsecConf, "conn c\n\tkeyexchange=ikev1\n\tauthby=psk\n\trightsourceip=10.9.0.0/24\n\trightdns=10.0.0.53\n\tleftsubnet=10.0.0.0/8\n\tauto=route\n", opts)
	if u := p.Rules[0].Tunnel; u == nil || u.Pool.String() != "10.9.0.0/24" || len(u.DNS) != 1 || r.LostCount() > 0 {
		t.Errorf("%s%v", text, r.Notes)
	}
}

type importFunc = func(string, []byte, Options) (*Result, error)
