package interop

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// A dissector is tshark, which shares no code with goipsec, on one capture with the key tables of one goipsec.
type dissector struct {
	t       *testing.T
	home    string // its configuration directory is in there
	capture string
	// blind to ICVs: tshark 4.0 decrypts packets with extended sequence numbers, but leaves the upper half out of the ICV.
	blind bool
}

// dissect gives tshark a configuration of its own with the tables that goipsec has written to --keylog; "": with none.
func dissect(t *testing.T, capture, keys string) dissector {
	t.Helper()
	d := dissector{t: t, home: t.TempDir(), capture: capture}
	if keys == "" {
		return d
	}
	tables, err := filepath.Glob(keys + "/*")
	if err != nil || len(tables) == 0 {
		t.Fatalf("no key tables in %s: %v", keys, err)
	}
	dir := d.home + "/wireshark"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		info, err := os.Stat(table)
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", table, info.Mode())
		}
		text, err := os.ReadFile(table)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(table)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// A reading is what tshark says of one IKE or ESP packet: the fields below, "" where the packet has none or tshark cannot decrypt it.
type reading map[string]string

var fields = []string{"esp.spi", "esp.icv_good", "icmp.type", "icmpv6.type", "data.data", "isakmp.flag_e", "isakmp.hash", "isakmp.id.type",
	"isakmp.id.data.ipv4_addr", "isakmp.id.data.ipv6_addr", "isakmp.id.data.ipv4_subnet", "isakmp.id.data.ipv6_subnet"}

// read has tshark read the whole capture.
func (d dissector) read() (list []reading) {
	d.t.Helper()
	args := []string{"-n", "-r", d.capture, "-o", "esp.enable_encryption_decode:TRUE", "-o", fmt.Sprintf("esp.enable_authentication_check:%t", !d.blind),
		"-Y", "esp or isakmp", "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(d.t.Context(), "tshark", args...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+d.home, "HOME="+d.home)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("tshark: %v\n%s", err, complaint.String())
	}
	for line := range strings.Lines(string(out)) {
		r := make(reading)
		for i, value := range strings.Split(strings.TrimRight(line, "\n"), "\t") {
			r[fields[i]] = value
		}
		list = append(list, r)
	}
	return list
}

// isTrue reads a flag: tshark before 4.2 prints 1, later ones True.
func isTrue(value string) bool { return value == "1" || value == "True" }

// sees checks that tshark reads every echo of the tunnel and every message of IKE, and these identities among them.
func (d dissector) sees(echoes uint64, ids ...string) {
	d.t.Helper()
	data := hex.EncodeToString([]byte(lab.EchoData))
	var requests, answers, esp, good, encrypted, read uint64
	seen := make(map[string]bool)
	for _, r := range d.read() {
		switch kind := r["icmp.type"] + r["icmpv6.type"]; {
		case r["esp.spi"] == "":
			if !isTrue(r["isakmp.flag_e"]) {
				continue
			}
			if encrypted++; r["isakmp.hash"] != "" || r["isakmp.id.type"] != "" {
				read++
			}
			for _, f := range fields {
				if strings.HasPrefix(f, "isakmp.id.data.") {
					for id := range strings.SplitSeq(r[f], ",") {
						seen[id] = true
					}
				}
			}
			continue
		case r["data.data"] != data:
		case kind == "8" || kind == "128":
			requests++
		case kind == "0" || kind == "129":
			answers++
		}
		if esp++; d.blind || isTrue(r["esp.icv_good"]) {
			good++
		}
	}
	if requests != echoes || answers != echoes || good != esp {
		d.t.Errorf("of %d ESP packets tshark finds %d good, and reads %d echo requests and %d answers with the data that was sent, want %d", esp, good, requests, answers, echoes)
	}
	if read != encrypted || encrypted < 5 {
		d.t.Errorf("tshark decrypts %d IKE messages of %d; a main and a quick mode have 5", read, encrypted)
	}
	for _, id := range ids {
		if !seen[id] {
			d.t.Errorf("tshark reads no identity %s in %v", id, seen)
		}
	}
}

// tsharkVersion is such as 4.0.17.
func tsharkVersion(t *testing.T) string {
	text, err := exec.CommandContext(t.Context(), "tshark", "--version").Output()
	words := strings.Fields(string(text)) // "TShark (Wireshark) 4.0.17 (Git …"
	if err != nil || len(words) < 3 {
		t.Fatalf("tshark --version: %v\n%s", err, text)
	}
	return strings.Trim(words[2], ".")
}

// TestTsharkReadsWhatTwoGoipsecsSay captures two goipsecs, with a rekey of both phases, and has tshark read it with the keys of either.
func TestTsharkReadsWhatTwoGoipsecsSay(t *testing.T) {
	for _, c := range []struct {
		ownCase
		method string
		ids    []string
	}{
		{ownCase{name: "transport/IPv4", mode: "transport", family: "IPv4"}, "esp aes-gcm-16-128", []string{"10.1.0.1", "10.1.0.2"}},
		{ownCase{name: "transport/IPv6", mode: "transport", family: "IPv6", outer6: true, inner6: true}, "esp aes-cbc-256 hmac-sha256-128", []string{"fd01::1", "fd01::2"}},
		{ownCase{name: "transport/IPv4/ESN", mode: "transport", family: "IPv4"}, "esp aes-cbc-128 hmac-sha1-96 esn", []string{"10.1.0.1"}},
		{ownCase{name: "tunnel/IPv4inIPv4/UDP", mode: "tunnel in UDP", family: "IPv4 in IPv4", tunnel: true, more: "    encapsulation: udp\n"}, "esp aes-gcm-16-256", []string{"10.1.0.1", "192.168.1.0", "192.168.2.0"}},
		{ownCase{name: "tunnel/IPv6inIPv4", mode: "tunnel", family: "IPv6 in IPv4", tunnel: true, inner6: true}, "esp 3des hmac-sha512-256", []string{"10.1.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab.New(t)
			a, b := site(l)
			row := record.Begin(t, record.Row{Peer: "tshark, reading two goipsecs", Version: tsharkVersion(t), Exchange: "IKEv1 main mode, PSK, both phases rekeyed",
				Suite: c.method + ", PFS ecp256", Mode: c.mode, Family: c.family})
			with := strings.NewReplacer("negotiate: {}", "negotiate: {pfs: ecp256, methods: ["+c.method+"]}").Replace
			capture := a.Capture("eth0")
			ga := l.Goipsec(a, with(c.policy(1, 2)), "--keylog", l.Dir()+"/keys-a")
			l.Goipsec(b, with(c.policy(2, 1)), "--keylog", l.Dir()+"/keys-b")
			from, to := pick(c.outer6, "10.1.0.1", "fd01::1"), pick(c.outer6, "10.1.0.2", "fd01::2")
			if c.tunnel {
				from, to = pick(c.inner6, "192.168.1.1", "fd02::1"), pick(c.inner6, "192.168.2.1", "fd03::1")
			}
			sent := a.Echo(from, to, 5)
			cookies, spis := ours(ga)
			for _, id := range []uint64{ga.Status().Peers[0].ID, ga.Status().Children[0].ID} {
				ga.Must(fmt.Sprintf("sa rekey %d", id))
			}
			l.Until(limit, "new keys of both phases", func() (bool, string) {
				newCookies, newSPIs := ours(ga)
				return newCookies != cookies && newSPIs != spis, ga.Must("sa list")
			})
			sent += a.Echo(from, to, 5)
			l.NoClear(capture.Stop())
			for _, side := range []string{"a", "b"} {
				d := dissect(t, capture.Path, l.Dir()+"/keys-"+side)
				d.blind = strings.Contains(c.method, "esn")
				d.sees(sent, c.ids...)
			}
			row.Counted(sent, sent) // as tshark counted them, or it would have failed
			for _, r := range dissect(t, capture.Path, "").read() {
				if r["isakmp.hash"]+r["icmp.type"]+r["icmpv6.type"] != "" {
					t.Fatalf("tshark reads without keys: %v", r)
				}
			}
		})
	}
}

// TestTsharkReadsWhatStrongSwanHears is the same with strongSwan, in both roles.
func TestTsharkReadsWhatStrongSwanHears(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{esp: "aes128-sha256-ecp256", connection: []string{"encap = yes"}}.String())
	for _, initiator := range bothInitiate {
		t.Run(initiator+" initiates", func(t *testing.T) {
			l := lab.New(t)
			s, a := s.In(l), a.In(l)
			row := record.Begin(t, userSpace(initiator, "read by tshark", "esp aes-cbc-128 hmac-sha256-128, PFS ecp256", "tunnel in UDP", "IPv4 in IPv4"))
			capture := a.Capture("eth0")
			g := l.Goipsec(a, toCharon{method: "esp aes-cbc-128 hmac-sha256-128", pfs: "ecp256", rule: []string{inUDP}}.String(), "--keylog", l.Dir()+"/keys")
			start(l, a, g, s, initiator)
			before := g.Status().Traffic.Sealed
			echoes(l, a, g, s, row)
			sent := g.Status().Traffic.Sealed - before
			g.Stop()
			l.NoClear(capture.Stop())
			dissect(t, capture.Path, l.Dir()+"/keys").sees(sent, "10.1.0.1", "10.1.0.2", "192.168.1.0", "192.168.2.0")
			s.Clear()
		})
	}
}
