package diagnose

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// unpack reads an archive back.
func unpack(t *testing.T, r *Report) map[string]string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil || h.Mode != 0o600 {
			t.Errorf("%s: %v, mode %o", h.Name, err, h.Mode)
		}
		files[strings.TrimPrefix(h.Name, "goipsec-report/")] = string(data)
	}
}

// forms are the ways in which a secret could be written.
func forms(secret string) []string {
	h := hex.EncodeToString([]byte(secret))
	list := []string{secret, h, strings.ToUpper(h)}
	for shift := range 3 { // base64 of it within something longer
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret + "xxx"))
		list = append(list, text[4*((shift+2)/3):len(text)-8])
	}
	return list
}

// sample makes a policy file with secrets in every place, a status that repeats one, and the options of a report on them.
func sample(t *testing.T) (o ReportOptions, secrets []string) {
	t.Helper()
	dir := t.TempDir()
	secrets = []string{"inline-Planted-secret-k1", "file-Planted-secret-k2", "comment-Planted-secret-k3", "described-Planted-secret-k4", "environment-Planted-k5", "private-Planted-key-k6",
		"keylog-Planted-secret-k7", strings.Repeat("m8", 16)}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("peer.key", secrets[1]+"\n")
	write("host.pem", "-----BEGIN PRIVATE KEY-----\n"+base64.StdEncoding.EncodeToString([]byte(secrets[5]))+"\n-----END PRIVATE KEY-----\n")
	write("esp_sa", secrets[6])
	t.Setenv("GOIPSEC_PLANTED", secrets[4])
	write("xauth.txt", "password-Planted-for-xauth\n")
	ca := testpki.Root(t, "authority")
	machine := ca.Issue(t, "gw.branch.example", testpki.DNS("gw.branch.example"))
	certificate, key := machine.Write(t, dir, "machine")
	write("ca.pem", string(testpki.CertificatesPEM(ca.Cert)))
	scalar, err := machine.Key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	pem := strings.Split(string(machine.KeyPEM(t)), "\n")
	secrets = append(secrets, "password-Planted-for-xauth", string(scalar), pem[1][24:]) // before it stands what all keys have in common
	manual := "0x" + hex.EncodeToString([]byte(secrets[7]))
	path := write("policy.yaml", "# "+secrets[2]+"\npolicy: branch-office\ndescription: "+secrets[3]+"\nrules:\n"+
		"  - name: to-headquarters\n    filters: [me <-> 192.0.2.2]\n    negotiate: {}\n    auth: [{psk: "+secrets[0]+"}]\n"+
		"  - name: second\n    filters: [me <-> 192.0.2.3]\n    negotiate: {}\n    auth: [{psk_file: peer.key, remote_id: gw.partner.example}]\n"+
		"  - name: third\n    filters: [me <-> 192.0.2.4]\n    manual: {method: ah hmac-sha256-128, spi_in: 0x1003, spi_out: 0x2003, ah_key_in: "+manual+", ah_key_out: "+manual+"}\n"+
		"  - name: fourth\n    filters: [me <-> 192.0.2.5]\n    negotiate: {}\n    auth: [{certificate: "+certificate+", key: "+key+", ca: ca.pem}]\n"+
		"  - name: fifth\n    filters: [me -> 10.0.0.0/8]\n    tunnel: {remote: 198.51.100.9}\n    negotiate: {}\n    auth: [{psk_file: peer.key, xauth: {user: alice.example, password_file: xauth.txt}}]\n")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.Parse(path, data, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.Compile(file.Assigned, []netip.Addr{ours})
	if err != nil {
		t.Fatal(err)
	}
	o = ReportOptions{Version: "1.2", File: data, Policies: file.Policies,
		Doctor: DoctorOptions{Instance: "test-of-report", Now: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), Policy: compiled, PolicyPath: path,
			Status: &endpoint.Status{LastReload: "by a fault the last reload holds password-Planted-for-xauth",
				Instance: "test-of-report", ConfigPath: path, KeyLog: dir, Warnings: []string{"by a fault a warning holds " + secrets[1] + " and " + hex.EncodeToString([]byte(secrets[0]))},
				Peers: []endpoint.Peer{{Rule: "to-headquarters", Remote: netip.MustParseAddrPort("192.0.2.2:500"), RemoteID: "C=CH, O=Ministry, CN=gw7"}}}},
		Events: []endpoint.Event{{What: "the peer is gone", Remote: netip.MustParseAddrPort("[2001:db8::7]:4500")}}}
	return o, secrets
}

// TestAReportHoldsNoSecret of any that is planted in the policy, in key files, in the environment, in the key log or beside them, in no form.
func TestAReportHoldsNoSecret(t *testing.T) {
	for _, broken := range []bool{false, true} {
		o, secrets := sample(t)
		if broken { // then it is known line by line only
			o.File = append(o.File, "\t}"...)
			o.Policies = nil
			o.Doctor.Status.Warnings = []string{"by a fault a warning holds " + hex.EncodeToString([]byte(secrets[0]))}
			o.Doctor.Status.LastReload = ""
		}
		r, err := NewReport(o)
		if err != nil {
			t.Fatal(err)
		}
		files := unpack(t, r)
		for _, name := range []string{"MANIFEST.txt", "version.txt", "status.json", "events.json", "policy.yaml", "filters.txt", "doctor.txt", "doctor.json", "network.txt"} {
			if len(files[name]) == 0 {
				t.Errorf("%s is missing or empty", name)
			}
			if !strings.Contains(files["MANIFEST.txt"], name) {
				t.Errorf("the manifest does not name %s", name)
			}
		}
		for name, text := range files {
			for _, secret := range secrets {
				for _, form := range forms(secret) {
					if strings.Contains(text, form) {
						t.Errorf("%s holds %q (of %q)", name, form, secret)
					}
				}
			}
			if strings.Contains(text, "Planted") {
				t.Errorf("%s:\n%s", name, text)
			}
		}
		for _, want := range []string{"policy.yaml: line ", "status.json: a key of the policy, which stood there 1 time"} {
			if !strings.Contains(files["MANIFEST.txt"], want) {
				t.Errorf("the manifest does not say %q:\n%s", want, files["MANIFEST.txt"])
			}
		}
		for _, want := range []string{"192.0.2.2", "third", "spi_in: 0x1003"} {
			if !broken && !strings.Contains(files["policy.yaml"], want) || broken && !strings.Contains(files["policy.yaml"], "filters: [me <-> 192.0.2.3]") {
				t.Errorf("%q is gone from the policy:\n%s", want, files["policy.yaml"])
			}
		}
	}
}

// TestTheSearchForSecretsFindsThem where nothing takes them out: the test above would see them.
func TestTheSearchForSecretsFindsThem(t *testing.T) {
	const secret = "a-secret-of-no-one"
	for shift := range 4 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("y", shift) + secret + "and more"))
		found := false
		for _, form := range forms(secret)[3:] {
			found = found || strings.Contains(text, form)
		}
		if !found {
			t.Errorf("base64 behind %d bytes is not found", shift)
		}
	}
}

// TestAnAnonymousReportHasNoNamesAndNoAddresses, and each stands for one and the same other.
func TestAnAnonymousReportHasNoNamesAndNoAddresses(t *testing.T) {
	o, _ := sample(t)
	o.Anonymise = true
	r, err := NewReport(o)
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, r)
	host, _ := os.Hostname()
	for name, text := range files {
		for _, secret := range []string{"192.0.2.", "2001:db8::7", "headquarters", "branch-office", "partner.example", "alice.example", "Ministry", "gw7"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q:\n%.2000s", name, secret, text)
			}
		}
		if len(host) >= shortestName && strings.Contains(text, host) {
			t.Errorf("%s holds the name of this host", name)
		}
	}
	// The rule's name is the same in the policy, the status and the filters.
	_, rest, _ := strings.Cut(files["policy.yaml"], "- name: ")
	rule, _, _ := strings.Cut(rest, "\n")
	if !strings.HasPrefix(rule, "name-") || !strings.Contains(files["status.json"], `"rule": "`+rule+`"`) || !strings.Contains(files["filters.txt"], rule) {
		t.Errorf("rule %q\n%s\n%s", rule, files["status.json"], files["filters.txt"])
	}
}

// TestAnonymisedAddressesKeepTheirSubnets, kinds and equality.
func TestAnonymisedAddressesKeepTheirSubnets(t *testing.T) {
	a, err := newAnonymiser(nil)
	if err != nil {
		t.Fatal(err)
	}
	one := func(s string) netip.Addr { return netip.MustParseAddr(string(a.apply([]byte(s)))) }
	for _, same := range []string{"127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255", "169.254.7.7"} {
		if got := string(a.apply([]byte(same))); got != same {
			t.Errorf("%s became %s", same, got)
		}
	}
	for _, pair := range [][2]string{{"10.1.2.3", "10.1.2.77"}, {"203.0.113.9", "203.0.113.200"}, {"2001:db8:1:2::3", "2001:db8:1:2:ff::9"}, {"fd01::1", "fd01::2"}} {
		x, y := one(pair[0]), one(pair[1])
		bits := map[bool]int{true: 24, false: 64}[x.Is4()]
		px, _ := x.Prefix(bits)
		if !px.Contains(y) || x == y || x.String() == pair[0] && y.String() == pair[1] {
			t.Errorf("%v became %v and %v", pair, x, y)
		}
		net, _ := netip.MustParseAddr(pair[0]).Prefix(bits)
		if got := netip.MustParsePrefix(string(a.apply([]byte(net.String())))); got != px {
			t.Errorf("%v became %v, want %v", net, got, px)
		}
	}
	if !one("192.168.7.7").IsPrivate() || !one("fd00::7").IsPrivate() || one("198.51.100.1").IsPrivate() && one("198.51.100.1").Is6() {
		t.Error("an address is of another kind now")
	}
	for _, text := range []string{"2026-11-25T21:42:27Z", "line 12:34:56", "1.26.0", "a: b: c", "::", "spi 0x00c0ffee"} {
		if got := string(a.apply([]byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := string(a.apply([]byte("to [2001:db8::5]:4500, 10.0.0.1:500: and 10.0.0.1."))); strings.Contains(got, "db8::5") || strings.Contains(got, "10.0.0.1") || strings.Count(got, one("10.0.0.1").String()) != 2 {
		t.Errorf("%q", got)
	}
}

// TestAnAnonymousReportForgetsWhoIsGone: peers that events and failures name, and that neither the status nor the policy file does.
func TestAnAnonymousReportForgetsWhoIsGone(t *testing.T) {
	o, _ := sample(t)
	o.Anonymise = true
	o.Events = append(o.Events, endpoint.Event{Kind: endpoint.EventPeerUp, Rule: "to-former-branch", What: "main-mode SA 7 with gone.elsewhere.example is established", Identities: []string{"gone.elsewhere.example"}},
		endpoint.Event{Kind: endpoint.EventFailure, What: `refused: "C=CH, O=Quux & Zürcher, CN=mallory-7": it is expired`, Identities: []string{"C=CH, O=Quux & Zürcher, CN=mallory-7"}},
		endpoint.Event{Kind: endpoint.EventFailure, What: fmt.Sprintf("refused: %+q", "O=Grüezi, Inc."), Identities: []string{"O=Grüezi, Inc."}},
		endpoint.Event{Kind: endpoint.EventReload, What: `reloaded: policy "formerly" is in force`, Policy: "formerly"})
	o.Doctor.Status.Failures = []endpoint.Failure{{What: "the peer proved to be stranger.example, but wanted.example is expected", Identities: []string{"stranger.example", "wanted.example"}}}
	o.Doctor.Status.Peers = append(o.Doctor.Status.Peers, endpoint.Peer{User: "caroline"})
	r, err := NewReport(o)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range unpack(t, r) {
		for _, who := range []string{"to-former-branch", "elsewhere", "Quux", "rcher", "mallory", "ezi", "Inc", "formerly", "stranger", "wanted", "caroline"} {
			if strings.Contains(text, who) {
				t.Errorf("%s holds %q:\n%.3000s", name, who, text)
			}
		}
	}
}

// TestEscapesHideNoKey: a key is found as quotes and JSON write it, and as JSON writes what stands in quotes.
func TestEscapesHideNoKey(t *testing.T) {
	const key = `k&y<f>"or\ä-0123`
	o, _ := sample(t)
	o.Policies = []*policy.Policy{{Rules: []*policy.Rule{{Auth: []policy.AuthMethod{{PSK: policy.NewSecret([]byte(key))}}}}}}
	o.Doctor.Status.Warnings = []string{"plain " + key, fmt.Sprintf("quoted %q", key), fmt.Sprintf("in ASCII %+q", key)}
	r, err := NewReport(o)
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, r)
	if strings.Contains(files["status.json"], "-0123") || !strings.Contains(files["MANIFEST.txt"], "status.json: a key of the policy, which stood there 3 times") {
		t.Errorf("%s\n%s", files["MANIFEST.txt"], files["status.json"])
	}
}
