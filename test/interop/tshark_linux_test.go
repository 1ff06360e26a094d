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
}

// dissect gives tshark a configuration of its own with the tables that goipsec has written to --keylog; "": with none.
func dissect(t *testing.T, capture, keys string) dissector {
	t.Helper()
	d := dissector{t, t.TempDir(), capture}
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

// ask returns the wanted fields of the packets that a display filter accepts, one line a packet.
func (d dissector) ask(filter string, fields ...string) []string {
	d.t.Helper()
	args := []string{"-n", "-r", d.capture, "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE", "-Y", filter, "-T", "fields", "-e", "frame.number"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(d.t.Context(), "tshark", args...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+d.home, "HOME="+d.home)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("tshark -Y %q: %v\n%s", filter, err, complaint.String())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// sees checks that tshark reads every echo of the tunnel and every message of IKE.
func (d dissector) sees(requests uint64, ids ...string) {
	d.t.Helper()
	data := hex.EncodeToString([]byte(lab.EchoData))
	for what, filter := range map[string]string{
		"requests": "esp.icv_good == 1 and (icmp.type == 8 or icmpv6.type == 128)",
		"answers":  "esp.icv_good == 1 and (icmp.type == 0 or icmpv6.type == 129)",
	} {
		n := uint64(0)
		for _, line := range d.ask(filter, "data.data") {
			if _, got, _ := strings.Cut(line, "\t"); got == data {
				n++
			}
		}
		if n != requests {
			d.t.Errorf("tshark decrypts %d echo %s with the data that was sent, want %d", n, what, requests)
		}
	}
	if all, good := d.ask("esp"), d.ask("esp.icv_good == 1"); len(good) != len(all) {
		d.t.Errorf("tshark finds the ICV of %d ESP packets of %d right", len(good), len(all))
	}
	const readable = "isakmp.flag_e == 1 and (isakmp.hash or isakmp.id.type)"
	all, read := d.ask("isakmp.flag_e == 1"), d.ask(readable)
	if len(read) != len(all) || len(all) < 5 {
		d.t.Errorf("tshark decrypts %d IKE messages of %d; a main and a quick mode have 5", len(read), len(all))
	}
	seen := strings.Join(d.ask(readable, "isakmp.id.data.ipv4_addr", "isakmp.id.data.ipv6_addr", "isakmp.id.data.ipv4_range_start", "isakmp.id.data.ipv4_subnet"), "\n")
	for _, id := range ids {
		if !strings.Contains(seen, id) {
			d.t.Errorf("tshark reads no identity %s in:\n%s", id, seen)
		}
	}
}

// TestTsharkReadsWhatTwoGoipsecsSay captures two goipsecs, with a rekey of both phases, and has tshark read it with the keys of either.
func TestTsharkReadsWhatTwoGoipsecsSay(t *testing.T) {
	for _, c := range []struct {
		ownCase
		method string
		ids    []string
	}{
		{ownCase{name: "transport/IPv4"}, "esp aes-gcm-16-128", []string{"10.1.0.1", "10.1.0.2"}},
		{ownCase{name: "transport/IPv6", outer6: true, inner6: true}, "esp aes-cbc-256 hmac-sha256-128", []string{"fd01::1", "fd01::2"}},
		{ownCase{name: "transport/IPv4/ESN"}, "esp aes-cbc-128 hmac-sha1-96 esn", []string{"10.1.0.1"}},
		{ownCase{name: "tunnel/IPv4inIPv4/UDP", tunnel: true, more: "    encapsulation: udp\n"}, "esp aes-gcm-16-256", []string{"10.1.0.1", "192.168.1.0", "192.168.2.0"}},
		{ownCase{name: "tunnel/IPv6inIPv4", tunnel: true, inner6: true}, "esp 3des hmac-sha512-256", []string{"10.1.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab.New(t)
			a, b := site(l)
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
				dissect(t, capture.Path, l.Dir()+"/keys-"+side).sees(sent, c.ids...)
			}
			if c.method == "esp aes-gcm-16-128" {
				if blind := dissect(t, capture.Path, "").ask("icmp or icmpv6.type == 128 or isakmp.hash"); len(blind) != 0 {
					t.Errorf("without keys tshark reads %d packets", len(blind))
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
