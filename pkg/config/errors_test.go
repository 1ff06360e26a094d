package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden error texts anew")

// TestErrorTexts reads every testdata/errors/*.yaml and compares the whole text of its errors with the .txt beside it.
func TestErrorTexts(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(path), data, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

// wrap makes a file around parts of one rule.
func wrap(rule string) string {
	return "rules:\n  - " + strings.ReplaceAll(rule, "\n", "\n    ") + "\n"
}

const (
	filter = "filters: [me <-> 192.0.2.2]\n"
	psk    = "auth: [{psk: throw-away-example-key-QmVyZ2ZyaWVk}]\n"
	nego   = "negotiate: {}\n"
	tun    = "tunnel: {local: 192.0.2.1, remote: 198.51.100.1}\n"
	block  = "action: block"
	zero16 = `"0x00000000000000000000000000000000"`
	zero32 = `"0x0000000000000000000000000000000000000000000000000000000000000000"`
)

// refusals are faults, each with a part of the message and of the hint that must come.
var refusals = []struct{ name, file, message, hint string }{
	{"empty", "", "holds no policy", "examples/"},
	{"comment only", "# nothing\n", "holds no policy", ""},
	{"null", "~\n", "must be a mapping", ""},
	{"list", "[1]\n", "here is a list", ""},
	{"no rules", "policy: x\n", "the policy has no rules", ""},
	{"not UTF-8", "policy: \xff\n", "1:9: the file is not UTF-8 (byte 0xff)", "UTF-8"},
	{"UTF-16", "\xff\xfep\x00o\x00", "not UTF-8", "UTF-16"},
	{"control character", "policy: a\x01\n", "1:10: control character U+0001", ""},
	{"tab", "policy: x\nrules:\n\t- action: block\n", "not YAML", "spaces only"},
	{"tab after key", "rules:\n  - name: x\n\t  action: block\n", "not YAML", "spaces only"},
	{"bracket", "rules: [\n", "not YAML", "brackets"},
	{"two documents", "rules: []\n---\nrules: []\n", "2:1: the file holds more than one YAML document", "assign"},
	{"second document is broken", "rules: []\n---\n[\n", "not YAML", ""},
	{"alias", "rules: &a []\npolicy: *a\n", "aliases are not supported", "named"},
	{"anchor", "rules: &a []\n", "anchors are not supported", ""},
	{"alias bomb", "a: &a [x,x]\nb: &b [*a,*a]\nrules: *b\n", "aliases are not supported", ""},
	{"unknown alias", "rules: *nobody\n", "unknown anchor", ""},
	{"merge key", "rules: []\n<<: {policy: x}\n", `unknown key "<<"`, ""},
	{"tag", "policy: !!binary aaaa\nrules: []\n", "tags (!!binary) are not supported", ""},
	{"complex key", "? [a]\n: b\nrules: []\n", "a key must be text", ""},
	{"unknown key", "polcy: x\nrules: []\n", `unknown key "polcy"`, `did you mean "policy"?`},
	{"unknown key far away", "zzzzzz: x\nrules: []\n", `unknown key "zzzzzz"`, "there are policy"},
	{"duplicate key", "rules: []\nrules: []\n", `the key "rules" appears twice`, ""},
	{"wrong type", "rules: 5\n", "rules must be a list; here is a number", ""},
	{"number for text", "policy: 5\nrules: []\n", "policy must be text; here is a number", "quotes"},
	{"empty name", "policy: \"\"\nrules: []\n", "1 to 100", ""},
	{"policies beside rules", "policies: []\nrules: []\n", "beside", ""},
	{"no policies", "policies: []\n", "the list of policies is empty", ""},
	{"policies not a list", "policies: {}\n", "policies must be a list", ""},
	{"policy without name", "policies: [{rules: []}]\n", "the policy has no name", ""},
	{"two policies of one name", "assign: a\npolicies: [{name: a, rules: []}, {name: a, rules: []}]\n", "two policies", ""},
	{"no assign", "policies: [{name: a, rules: []}, {name: b, rules: []}]\n", "does not say which to apply", "assign: a"},
	{"wrong assign", "assign: ab\npolicies: [{name: abc, rules: []}]\n", `no policy "ab" to assign`, `did you mean "abc"?`},
	{"guard", "guard: no\nrules: []\n", "guard must be required or off", ""},
	{"queues", "tun: {queues: 0}\nrules: []\n", "queues must be a whole number from 1 to 64", ""},
	{"mtu", "tun: {mtu: 100}\nrules: []\n", "mtu must be a whole number from 1280 to 65535", ""},
	{"tun name", "tun: {name: a/b}\nrules: []\n", "no name for a network interface", ""},
	{"listen twice", "listen: {addresses: [192.0.2.1, 192.0.2.1]}\nrules: []\n", "stands in the list already", ""},
	{"listen multicast", "listen: {addresses: [224.0.0.1]}\nrules: []\n", "is no host", ""},
	{"listen name", "listen: {addresses: [gw]}\nrules: []\n", "must be an address", ""},
	{"octal port", "listen: {port: 0500}\nrules: []\n", "whole number", ""},
	{"port too large", "listen: {port: 65536}\nrules: []\n", "1 to 65535", ""},
	{"two ports off 500", "listen: {port: 5000, nat_port: 5001}\nrules: []\n", "one port 5000", ""},
	{"500 twice", "listen: {nat_port: 500}\nrules: []\n", "port 500 cannot be", ""},
	{"rule is text", "rules: [x]\n", "a rule must be a mapping", ""},
	{"two rules of one name", "rules:\n  - {name: a, filters: [any <-> any], action: block}\n  - {name: a, filters: [me <-> any], action: block}\n", "the name of the rule on line 2", ""},
	{"no filters", wrap(block), "the rule has no filters", ""},
	{"empty filters", wrap("filters: []\n" + block), "filters is empty", ""},
	{"both kinds of filters", wrap(filter + "filter_list: x\n" + block), "stand in one rule", ""},
	{"unknown filter list", "filter_lists: {web: [any <-> me]}\n" + wrap("filter_list: wbe\n"+block), `no filter list "wbe"`, `"web"`},
	{"no action", wrap(filter), "does not say what to do", "negotiate"},
	{"two actions", wrap(filter + nego + psk + block), "one of action, negotiate and manual", ""},
	{"unknown action", wrap(filter + "action: blok"), `no action "blok"`, `"block"`},
	{"action named block", "filter_actions: {block: permit}\n" + wrap(filter+block), "an action of its own", ""},
	{"filter action word", "filter_actions: {x: allow}\n" + wrap(filter+block), "must be permit, block or negotiate", ""},
	{"auth on block", wrap(filter + psk + block), "auth has no meaning in a rule that does block", ""},
	{"tunnel on permit", wrap(filter + tun + "action: permit"), "tunnel has no meaning", ""},
	{"test_only without manual", wrap(filter + "test_only: true\n" + block), "test_only is for manual keys", ""},

	{"no from", wrap("filters: [{to: any}]\n" + block), "has no from", ""},
	{"no to", wrap("filters: [{from: any}]\n" + block), "has no to", ""},
	{"host bits", wrap("filters: [me <-> 10.0.0.1/8]\n" + block), "bits set behind its prefix length", "10.0.0.0/8"},
	{"host bits in IPv6", wrap("filters: [me <-> 2001:db8::1/32]\n" + block), "bits set", "2001:db8::/32"},
	{"range end before start", wrap("filters: [me <-> 10.0.0.9-10.0.0.1]\n" + block), "ends before it begins", "10.0.0.1-10.0.0.9"},
	{"mixed range", wrap("filters: [me <-> 10.0.0.9-2001:db8::1]\n" + block), "mixes IPv4 and IPv6", ""},
	{"range to nowhere", wrap("filters: [me <-> 10.0.0.9-x]\n" + block), `"x" is no address`, ""},
	{"mixed families", wrap("filters: [10.0.0.0/8 <-> 2001:db8::/32]\n" + block), "mixes IPv4 and IPv6", ""},
	{"zone", wrap("filters: [me <-> fe80::1%eth0]\n" + block), "has a zone", ""},
	{"mapped", wrap("filters: [me <-> ::ffff:10.0.0.1]\n" + block), "IPv4 address in IPv6 form", "10.0.0.1"},
	{"mapped subnet", wrap("filters: [me <-> ::ffff:10.0.0.0/104]\n" + block), "IPv4 subnet in IPv6 form", ""},
	{"unspecified", wrap("filters: [me <-> 0.0.0.0]\n" + block), "is no host", "any"},
	{"dotted mask", wrap("filters: [me <-> 10.0.0.0/255.0.0.0]\n" + block), "mask in dots", "10.0.0.0/8"},
	{"bad prefix", wrap("filters: [me <-> 10.0.0.0/33]\n" + block), "is no subnet", ""},
	{"bad address", wrap("filters: [me <-> 10.0.0.256]\n" + block), "is no IP address", ""},
	{"misspelt me", wrap("filters: [mee <-> any]\n" + block), `"mee"`, `did you mean "me"?`},
	{"name without dot", wrap("filters: [me <-> printer]\n" + block), `"printer"`, "has a dot"},
	{"bad name", wrap("filters: [me <-> a..b]\n" + block), "no address, subnet, range or name", ""},
	{"arrow", wrap("filters: [me => any]\n" + block), "is no filter", "<->"},
	{"unknown protocol", wrap("filters: [me <-> any tpc]\n" + block), `unknown protocol "tpc"`, `"tcp"`},
	{"protocol 0", wrap("filters: [{from: me, to: any, protocol: 0}]\n" + block), "unknown protocol", "leave it out"},
	{"protocol 256", wrap("filters: [{from: me, to: any, protocol: 256}]\n" + block), "unknown protocol", ""},
	{"port without protocol", wrap("filters: [{from: me, to: any, to_port: 25}]\n" + block), "to_port needs a protocol", "tcp or udp"},
	{"port of a protocol without", wrap("filters: [me <-> any gre 25]\n" + block), "ports need a protocol", ""},
	{"port range backwards", wrap("filters: [me <-> any tcp 30-20]\n" + block), "ends before it begins", ""},
	{"port 65536", wrap("filters: [me <-> any tcp 65536]\n" + block), "0 to 65535", ""},
	{"ICMP type 256", wrap("filters: [me <-> any icmp 256]\n" + block), "0 to 255", ""},
	{"type without icmp", wrap("filters: [{from: me, to: any, protocol: tcp, type: 8}]\n" + block), "needs protocol icmp", ""},
	{"code without type", wrap("filters: [{from: me, to: any, protocol: icmp, code: 8}]\n" + block), "a code alone", ""},
	{"icmp over IPv6", wrap("filters: [me <-> 2001:db8::/32 icmp]\n" + block), "not that of its addresses", "icmpv6"},
	{"mirrored is text", wrap("filters: [{from: me, to: any, mirrored: yes}]\n" + block), "true or false", ""},

	{"negotiate without auth", wrap(filter + nego), "names no authentication", "psk_file"},
	{"port range in negotiate", wrap("filters: [me <-> 192.0.2.2 tcp 20-30]\n" + nego + psk), "cannot have a range of ports (20-30)", "IKEv2"},
	{"source port range in negotiate", wrap("filters: [me <-> 192.0.2.2 tcp 20-30 25]\n" + nego + psk), "range of ports", ""},
	{"port 0 in negotiate", wrap("filters: [me <-> 192.0.2.2 tcp 0]\n" + nego + psk), "port 0", ""},
	{"ICMP type in negotiate", wrap("filters: [me <-> 192.0.2.2 icmp 8]\n" + nego + psk), "ICMP type", ""},
	{"multicast in negotiate", wrap("filters: [me <-> 224.0.0.0/24]\n" + nego + psk), "IKE cannot protect multicast", "permit or block"},
	{"multicast IPv6 in negotiate", wrap("filters: [me <-> ff02::1]\n" + nego + psk), "IKE cannot protect multicast", ""},
	{"broadcast in negotiate", wrap("filters: [me <-> 255.255.255.255]\n" + nego + psk), "IKE cannot protect broadcast", ""},
	{"mirrored tunnel rule", wrap("filters: [{from: 10.0.0.0/8, to: 10.1.0.0/16, mirrored: true}]\n" + tun + nego + psk), "a tunnel rule's filter cannot be mirrored", "->"},
	{"mirrored tunnel line", wrap("filters: [10.0.0.0/8 <-> 10.1.0.0/16]\n" + tun + nego + psk), "cannot be mirrored", ""},
	{"tunnel without remote", wrap("filters: [me -> any]\ntunnel: {local: 192.0.2.1}\n" + nego + psk), "the tunnel has no remote", ""},
	{"tunnel to itself", wrap("filters: [me -> any]\ntunnel: {local: 192.0.2.1, remote: 192.0.2.1}\n" + nego + psk), "no tunnel to itself", ""},
	{"tunnel of two families", wrap("filters: [me -> any]\ntunnel: {local: 192.0.2.1, remote: \"2001:db8::1\"}\n" + nego + psk), "mix IPv4 and IPv6", ""},
	{"tunnel with everything", wrap("filters: [me -> any]\ntunnel: {remote: 192.0.2.1, endpoint: 192.0.2.1}\n" + nego + psk), "beside local or remote", ""},
	{"inner address is outer", wrap("filters: [me -> any]\ntunnel: {remote: 192.0.2.1, address: 192.0.2.1/24}\n" + nego + psk), "also an outer one", ""},
	{"inner address", wrap("filters: [me -> any]\ntunnel: {remote: 192.0.2.1, address: x}\n" + nego + psk), "address must be an address", ""},
	{"inner multicast", wrap("filters: [me -> any]\ntunnel: {remote: 192.0.2.1, address: 224.0.0.1}\n" + nego + psk), "no address for a host", ""},
	{"tunnel name", wrap("filters: [me -> any]\ntunnel: {remote: gw.example.com}\n" + nego + psk), "remote must be an address", ""},

	{"no method", wrap(filter + "negotiate: {methods: []}\n" + psk), "the list of methods is empty", ""},
	{"method without", wrap(filter + "negotiate: {methods: [{esn: true}]}\n" + psk), "neither esp nor ah", ""},
	{"method text", wrap(filter + "negotiate: {methods: [aes-gcm-16]}\n" + psk), "is no method", "one line"},
	{"two esp", wrap(filter + "negotiate: {methods: [esp aes-gcm-16 + esp aes-gcm-16]}\n" + psk), "is no method", ""},
	{"misspelt cipher", wrap(filter + "negotiate: {methods: [esp aes-gmc-16]}\n" + psk), `unknown encryption algorithm "aes-gmc-16"`, `did you mean "aes-gcm-16"?`},
	{"misspelt integrity", wrap(filter + "negotiate: {methods: [esp aes-cbc sha265]}\n" + psk), `unknown integrity algorithm "sha265"`, `did you mean "sha256"?`},
	{"misspelt group", wrap(filter + "negotiate: {pfs: modp2084}\n" + psk), `unknown key exchange group "modp2084"`, `did you mean "modp2048"?`},
	{"encryption without integrity", wrap(filter + "negotiate: {methods: [esp aes-cbc-128]}\n" + psk), "encryption without integrity", "add"},
	{"CTR without integrity", wrap(filter + "negotiate: {methods: [esp aes-ctr-128]}\n" + psk), "encryption without integrity", "add"},
	{"NULL without integrity", wrap(filter + "negotiate: {methods: [esp null]}\n" + psk), "protects nothing", ""},
	{"GCM with integrity", wrap(filter + "negotiate: {methods: [esp aes-gcm-16 sha256]}\n" + psk), "authenticates by itself", ""},
	{"GMAC as ESP integrity", wrap(filter + "negotiate: {methods: [esp aes-cbc aes128-gmac]}\n" + psk), "not an integrity algorithm of ESP", ""},
	{"AH with none", wrap(filter + "negotiate: {methods: [ah none]}\n" + psk), "AH without integrity", ""},
	{"ESP with none", wrap(filter + "negotiate: {methods: [esp none sha256]}\n" + psk), "without an encryption algorithm", "null"},
	{"key size", wrap(filter + "negotiate: {methods: [{esp: {encryption: aes-gcm-16, key_bits: 129}}]}\n" + psk), "128, 192 or 256 bits, not of 129", ""},
	{"key size twice", wrap(filter + "negotiate: {methods: [{esp: {encryption: aes-gcm-16-128, key_bits: 256}}]}\n" + psk), "says 128", ""},
	{"key size of 3des", wrap(filter + "negotiate: {methods: [{esp: {encryption: 3des, key_bits: 100, integrity: sha1}}]}\n" + psk), "one size only", ""},
	{"esp without encryption", wrap(filter + "negotiate: {methods: [{esp: {integrity: sha256}}]}\n" + psk), "names no encryption", ""},
	{"ChaCha20 negotiated", wrap(filter + "negotiate: {methods: [esp chacha20-poly1305]}\n" + psk), "no identifier in IKEv1", "manual"},
	{"CMAC negotiated", wrap(filter + "negotiate: {methods: [esp aes-cbc-128 aes-cmac-96]}\n" + psk), "no identifier in IKEv1", "manual"},
	{"CMAC in AH negotiated", wrap(filter + "negotiate: {methods: [ah aes-cmac-96]}\n" + psk), "no identifier in IKEv1", "manual"},
	{"lifetime 0", wrap(filter + "negotiate: {lifetime: {seconds: 0}}\n" + psk), "seconds must be a whole number from 1", ""},

	{"multicast in a tunnel", wrap("filters: [10.0.0.0/8 -> 224.0.0.0/4]\n" + tun + nego + psk), "IKE cannot protect multicast", "permit or block"},
	{"fallback in a tunnel", wrap("filters: [10.0.0.0/8 -> 10.1.0.0/16]\n" + tun + "negotiate: {fallback_to_clear: true}\n" + psk), "fall back to clear is for transport mode", "leave fallback_to_clear out"},
	{"fallback of another time", wrap(filter + "negotiate: {fallback_to_clear: 3s}\n" + psk), "fallback_to_clear must be true or false", ""},
	{"fallback too soon", wrap(filter + "negotiate: {fallback_to_clear: {timeout: 0}}\n" + psk), "timeout must be a time from 1s to 30s", ""},
	{"fallback too late", wrap(filter + "negotiate: {fallback_to_clear: {timeout: 31s}}\n" + psk), "timeout must be a time from 1s to 30s", ""},
	{"fallback too short", wrap(filter + "negotiate: {fallback_to_clear: {lifetime: 9s}}\n" + psk), "lifetime must be a time from 10s", ""},
	{"fallback too long", wrap(filter + "negotiate: {fallback_to_clear: {lifetime: 2d}}\n" + psk), "lifetime must be a time from 10s", ""},
	{"fallback misspelt", wrap(filter + "negotiate: {fallback_to_clear: {time_out: 3s}}\n" + psk), "time_out", "timeout"},
	{"passthrough", wrap(filter + "negotiate: {inbound_passthrough: yes}\n" + psk), "inbound_passthrough must be true or false", ""},
	{"exemptions", "exemptions: 4\n" + wrap(filter+block), "exemptions must be a whole number from 0 to 3", ""},
	{"exemptions by name", "exemptions: none\n" + wrap(filter+block), "exemptions must be a number", ""},
	{"default response without auth", "default_response: {}\n" + wrap(filter+block), "default_response names no authentication", "psk_file"},
	{"default response with filters", "default_response: {filters: [me <-> any], " + strings.TrimSpace(psk) + "}\n" + wrap(filter+block), "filters", ""},
	{"default response that is a word", "default_response: true\n" + wrap(filter+block), "default_response must be a mapping", ""},
	{"default response beside policies", "default_response: {" + strings.TrimSpace(psk) + "}\npolicies: [{name: a, rules: []}]\n", "stands beside", ""},

	{"main mode text", "key_exchange: {methods: [aes128]}\n" + wrap(filter+block), "is no main-mode method", "sha256"},
	{"main mode GCM", "key_exchange: {methods: [aes128-gcm-16 sha256 modp2048]}\n" + wrap(filter+block), "aes-cbc, 3des or des only", ""},
	{"main mode hash", "key_exchange: {methods: [aes128 sha257 modp2048]}\n" + wrap(filter+block), `unknown hash "sha257"`, `"sha256"`},
	{"main mode without group", "key_exchange: {methods: [aes128 sha256 none]}\n" + wrap(filter+block), "cannot do without", ""},
	{"main mode empty", "key_exchange: {methods: []}\n" + wrap(filter+block), "the list of methods is empty", ""},
	{"main mode mapping", "key_exchange: {methods: [{encryption: aes128, hash: sha256}]}\n" + wrap(filter+block), "has no group", ""},
	{"main mode key size", "key_exchange: {methods: [{encryption: aes-cbc, key_bits: 100, hash: sha256, group: 14}]}\n" + wrap(filter+block), "not of 100", ""},
	{"main mode lifetime", "key_exchange: {lifetime: 0h}\n" + wrap(filter+block), "lifetime must be a time from 1s", ""},

	{"certificate without files", wrap(filter + nego + "auth: [certificate]"), "needs its files", "ca: [FILE]"},
	{"certificate as a mapping", wrap(filter + nego + "auth: [{certificate: {ca: x}, ca: y}]"), "certificate must be text", ""},
	{"certificate without authorities", wrap(filter + nego + "auth: [{certificate: none.pem, key: none.key}]"), "names no authority", "add ca: [FILE]"},
	{"certificate that is not there", wrap(filter + nego + "auth: [{certificate: none.pem, key: none.key, ca: none.pem}]"), "none.pem", "relative to the directory"},
	{"no certificates", wrap(filter + nego + "auth: [{certificate: [], ca: none.pem}]"), "the list of certificate is empty", "name at least one"},
	{"authority of a key", wrap(filter + nego + "auth: [{psk_file: x, ca: y}]"), "ca belongs to a certificate", "delete it"},
	{"wild name", wrap(filter + nego + "auth: [{certificate: none.pem, ca: none.pem, remote_id: '*.example.com'}]"), "distinguished names only", "CN=*"},
	{"part of a value", wrap(filter + nego + "auth: [{certificate: none.pem, ca: none.pem, remote_id: 'C=CH, CN=gw*'}]"), "whole value", "CN=*"},
	{"empty name", wrap(filter + nego + "auth: [{certificate: none.pem, ca: none.pem, local_id: ''}]"), "local_id: it is empty", ""},
	{"two methods", wrap(filter + nego + "auth: [{psk_file: x, certificate: y}]"), "psk_file and certificate stand in one", "a list entry for each"},
	{"weak RSA", "certificates: {min_rsa_bits: 1023}\n" + wrap(filter+nego+psk), "1024 to 16384", ""},
	{"level", "certificates: {crl_check: 3}\n" + wrap(filter+nego+psk), "0 to 2", ""},
	{"no rule", "certificates: {crl_chek: 1}\n" + wrap(filter+nego+psk), "unknown key", "did you mean \"crl_check\"?"},
	{"no truth", "certificates: {allow_sha1: maybe}\n" + wrap(filter+nego+psk), "true or false", ""},
	{"kerberos", wrap(filter + nego + "auth: [kerberos]"), "authentication by kerberos is not here yet", "psk_file"},
	{"auth text", wrap(filter + nego + "auth: [hunter2]"), "must be a mapping", ""},
	{"auth empty", wrap(filter + nego + "auth: []"), "list of authentication methods is empty", ""},
	{"auth without method", wrap(filter + nego + "auth: [{local_id: x}]"), "names no method", ""},
	{"auth with two", wrap(filter + nego + "auth: [{psk: throw-away-key, psk_file: x}]"), "psk and psk_file stand in one", ""},
	{"empty psk", wrap(filter + nego + "auth: [{psk: \"\"}]"), "psk is empty", "goipsec psk"},
	{"number for psk", wrap(filter + nego + "auth: [{psk: 12345678}]"), "psk must be text", "quotes"},
	{"null psk", wrap(filter + nego + "auth: [{psk: }]"), "psk must be one word", ""},
	{"bad hex psk", wrap(filter + nego + "auth: [{psk: 0xabc}]"), "psk is not hexadecimal", "even"},
	{"bare 0x", wrap(filter + nego + "auth: [{psk: \"0x\"}]"), "psk is empty", ""},
	{"psk too long", wrap(filter + nego + "auth: [{psk: " + strings.Repeat("a", 5000) + "}]"), "longer than 4096 bytes", ""},
	{"bad identity", wrap(filter + nego + "auth: [{psk: throw-away-key, remote_id: \"a b\"}]"), "visible ASCII", ""},
	{"no key file", wrap(filter + nego + "auth: [{psk_file: nobody.key}]"), `cannot read the key file "nobody.key"`, "relative"},
	{"empty key file name", wrap(filter + nego + "auth: [{psk_file: \"\"}]"), "psk_file is empty", ""},

	{"encapsulation", wrap(filter + nego + psk + "encapsulation: tcp"), "encapsulation must be auto or udp", ""},
	{"replay window", wrap(filter + nego + psk + "replay_window: 31"), "32 to 65536", ""},
	{"replay window too large", wrap(filter + nego + psk + "replay_window: 65537"), "32 to 65536", ""},
	{"exchange mode", wrap(filter + nego + psk + "exchange_mode: quick"), "exchange_mode must be main or aggressive", ""},
	{"xauth of nobody", wrap(filter + nego + "auth: [{psk: throw-away-key, xauth: {}}]"), "neither a client's half nor a gateway's", "users_file"},
	{"xauth of both", wrap(filter + nego + "auth: [{psk: throw-away-key, xauth: {user: carol, users_file: nobody.key}}]"), "users_file stands beside", ""},
	{"xauth user", wrap(filter + nego + "auth: [{psk: throw-away-key, xauth: {user: \"a:b\", password_file: nobody.key}}]"), "none of them a colon", ""},
	{"address pool of a client", wrap("filters: [10.0.0.0/8 -> 10.9.0.0/24]\ntunnel: {remote: 198.51.100.1, address_pool: 10.9.0.0/24}\n" + nego + psk), "address_pool is for peers that call", "remote: any"},
	{"address pool elsewhere", wrap("filters: [10.0.0.0/8 -> 10.8.0.0/24]\ntunnel: {remote: any, address_pool: 10.9.0.0/24}\n" + nego + psk), "does not lead to them", "-> 10.9.0.0/24"},
	{"address pool with bits", wrap("filters: [10.0.0.0/8 -> 10.9.0.0/24]\ntunnel: {remote: any, address_pool: 10.9.0.1/24}\n" + nego + psk), "bits behind its length", "10.9.0.0/24"},
	{"dns without a pool", wrap("filters: [10.0.0.0/8 -> 10.9.0.0/24]\ntunnel: {remote: any, dns: [10.0.0.53]}\n" + nego + psk), "there is no address_pool", ""},
	{"an address of anybody", wrap("filters: [me -> 10.9.0.0/24]\ntunnel: {remote: any, address: config}\n" + nego + psk), "does not say which peer", "name the gateway"},
	{"fragmentation", wrap(filter + nego + psk + "fragmentation: on"), "fragmentation must be auto or off", ""},
	{"fragment size", wrap(filter + nego + psk + "fragmentation: 100"), "256 to 65535", ""},
	{"df", wrap(filter + nego + psk + "df: keep"), "copy, set or clear", ""},
	{"peer port", wrap(filter + nego + psk + "peer_port: 0"), "1 to 65535", ""},
	{"idle", wrap(filter + nego + psk + "idle_timeout: soon"), "idle_timeout must be a time", ""},
	{"dpd", wrap(filter + nego + psk + "dpd: {interval: 0}"), "interval must be a time from 1s", "seconds"},
	{"dpd word", wrap(filter + nego + psk + "dpd: never"), "dpd must be a mapping", ""},

	{"manual and auth", wrap(filter + psk + "manual: {}"), "manual keys need no authentication", ""},
	{"manual without method", wrap(filter + "manual: {spi_in: 256}"), "manual has no method", ""},
	{"reserved SPI", wrap(filter + "manual: {spi_in: 255}"), "256 to 4294967295", ""},
	{"manual without keys", wrap(filter + "manual: {method: esp aes-cbc-128 sha256, spi_in: 256, spi_out: 257}"), "needs encryption_key_in", "urandom"},
	{"manual with too much", wrap(filter + "manual: {method: ah sha256, spi_in: 256, spi_out: 257, ah_key_in: " + zero32 + ", ah_key_out: " + zero32 + ", integrity_key_in: " + zero32 + "}"), "has no use for integrity_key_in", ""},
	{"manual key length", wrap(filter + "manual: {method: ah sha256, spi_in: 256, spi_out: 257, ah_key_in: " + zero16 + ", ah_key_out: " + zero32 + "}"), "needs a ah_key_in of 32 bytes", ""},
	{"manual without SPI", wrap(filter + "manual: {method: ah sha256, spi_out: 257, ah_key_in: " + zero32 + ", ah_key_out: " + zero32 + "}"), "needs spi_in", "256"},
	{"manual SPIs", wrap(filter + "manual: {method: ah sha256 + esp aes128, spi_in: 256, spi_out: 257, ah_spi_in: 256, ah_spi_out: 259, encryption_key_in: " + zero16 +
		", encryption_key_out: " + zero16 + ", ah_key_in: " + zero32 + ", ah_key_out: " + zero32 + "}"), "are the same", ""},
	{"manual encryption alone", wrap(filter + "manual: {method: esp aes128, spi_in: 256, spi_out: 257, encryption_key_in: " + zero16 + ", encryption_key_out: " + zero16 + "}"), "encryption without integrity", ""},
	{"manual to anyone", wrap("filters: [10.0.0.0/8 -> any]\ntunnel: {remote: any}\nmanual: {method: ah sha256, spi_in: 256, spi_out: 257, ah_key_in: " + zero32 + ", ah_key_out: " + zero32 + "}"), "need to know the peer", ""},
	{"manual key file", wrap(filter + "manual: {method: ah sha256, spi_in: 256, spi_out: 257, ah_key_in: {}, ah_key_out: " + zero32 + "}"), "names no file", ""},

	{"equal filters", "rules:\n  - {name: a, filters: [any <-> any], action: block}\n  - {name: b, filters: [any <-> any], action: permit}\n", "of equal filters none is heavier", ""},
	{"equal filters negotiated differently", "rules:\n  - {name: a, filters: [me <-> 192.0.2.2], negotiate: {}, " + strings.TrimSpace(psk) + "}\n  - {name: b, filters: [me <-> 192.0.2.2], negotiate: {pfs: modp2048}, " + strings.TrimSpace(psk) + "}\n",
		"negotiate differently for the same filter me -> 192.0.2.2", ""},
	{"one peer, two keys", "rules:\n  - {name: a, filters: [me <-> 192.0.2.2 tcp], negotiate: {}, " + strings.TrimSpace(psk) + "}\n  - {name: b, filters: [me <-> 192.0.2.2 udp], negotiate: {}, auth: [{psk: another-throw-away-key-9s8dfz}]}\n",
		"both negotiate for", "give both rules the same"},
	{"one tunnel, two ports", "rules:\n  - {name: a, filters: [10.0.0.0/8 -> 10.1.0.0/16], " + strings.TrimSpace(tun) + ", negotiate: {}, " + strings.TrimSpace(psk) + "}\n  - {name: b, filters: [10.0.0.0/8 -> 10.2.0.0/16], peer_port: 600, " + strings.TrimSpace(tun) + ", negotiate: {}, " + strings.TrimSpace(psk) + "}\n",
		"both negotiate for", ""},
}

func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("p.yaml", []byte(c.file), Options{})
			var list Errors
			if !errors.As(err, &list) || len(list) == 0 {
				t.Fatalf("accepted, or another error: %v", err)
			}
			text := err.Error()
			if c.hint == "" {
				c.hint = c.message
			}
			if !strings.Contains(text, c.message) && !strings.Contains(text, "hint: "+c.message) || !strings.Contains(text, c.hint) {
				t.Errorf("want %q and %q; have\n%s", c.message, c.hint, text)
			}
			if strings.Contains(text, "hunter2") || strings.Contains(text, "throw-away") {
				t.Errorf("a secret is shown:\n%s", text)
			}
			for i, e := range list {
				if i > 0 && compareLines(list[i-1].Position, e.Position) > 0 && e.Position.Line != 0 {
					t.Errorf("not in order:\n%s", text)
				}
			}
		})
	}
}
