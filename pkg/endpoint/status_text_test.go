package endpoint

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// fullStatus has something in every table.
func fullStatus() Status {
	addr, ap := netip.MustParseAddr, netip.MustParseAddrPort
	left, kb := uint64(3000), uint64(99999)
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return Status{
		SchemaVersion: SchemaVersion, Instance: "goipsec", Version: "0.1", PID: 4711, Started: start, Now: start.Add(90 * time.Minute),
		ConfigPath: "/etc/goipsec.yaml", Guard: "nftables", GuardDrops: Drops{"inbound": 7, "outbound": 2, "unreadable": 0}, KeyLog: "/root/keys",
		Policy:   PolicyStatus{Name: "office", Rules: 2, OutboundFilters: 3, InboundFilters: 3, Applied: start},
		TUN:      TUNStatus{Name: "goipsec0", MTU: 1400},
		Listen:   []Listener{{"udp", ap("192.0.2.1:500")}, {"esp", netip.AddrPortFrom(addr("192.0.2.1"), 0)}},
		Warnings: []string{"rule web: des is weak"},
		Peers: []Peer{{ID: 1, Rule: "web", Local: ap("192.0.2.1:4500"), Remote: ap("192.0.2.2:4500"), Initiator: true, Encr: "aes-cbc", KeyBits: 256, Hash: "sha2-256", Group: "curve25519",
			RemoteID: "b.example", State: "established", AgeSeconds: 61, SecondsLeft: 28739, NATRemote: true, DPD: true}},
		Children: []Child{
			{ID: 2, PeerID: 1, Rule: "web", Mode: "tunnel", Encap: "udp", State: "installed", ESN: true, AgeSeconds: 60, SecondsLeft: &left, PacketsIn: 4, BytesIn: 400, PacketsOut: 5, BytesOut: 500,
				Protocols: []ChildKeys{{Protocol: "esp", SPIIn: 0x1001, SPIOut: 0x2002, Encr: "aes-gcm-16", KeyBits: 128}},
				Selector:  Selector{LocalFrom: addr("10.1.0.0"), LocalTo: addr("10.1.0.255"), RemoteFrom: addr("10.2.0.3"), RemoteTo: addr("10.2.0.9"), Protocol: 6, RemotePorts: &PortRange{443, 443}}},
			{ID: 3, Rule: "both", Mode: "transport", Encap: "ip", State: "installed", Manual: true, KilobytesLeft: &kb,
				Protocols: []ChildKeys{{Protocol: "esp", SPIIn: 0x1003, SPIOut: 0x2003, Encr: "des", Integ: "hmac-md5-96", Weak: "des: 56 bits"}, {Protocol: "ah", SPIIn: 0x1004, SPIOut: 0x2004, Integ: "hmac-sha1-96"}},
				Selector:  Selector{LocalFrom: addr("2001:db8::1"), LocalTo: addr("2001:db8::1"), RemoteFrom: addr("::"), RemoteTo: addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), LocalPorts: &PortRange{1, 9}}},
		},
		Negotiating: []Negotiation{{Rule: "lab", Filter: "192.0.2.1 -> 192.0.2.9", Local: ap("192.0.2.1:500"), Remote: ap("192.0.2.9:500"), AgeSeconds: 2, WaitingPackets: 3}},
		Traffic:     Traffic{FromTUN: 9, Sealed: 5, Permitted: 1, Waiting: 3, Received: 5, Opened: 4, Delivered: 4},
		Drops:       Drops{"no-sa": 1, "replay": 0, "bad-icv": 2},
		IKE:         IKECounters{Refused: map[string]uint64{"malformed": 7}, Panics: 1},
		Failures: []Failure{{Time: start, Rule: "lab", Remote: ap("192.0.2.9:500"), What: "no proposal was chosen", Why: "the peer allows other algorithms", Next: "compare the methods below",
			Detail: "offered | allowed\naes-cbc | aes-gcm-16\n", Count: 3}, {Time: start, Remote: ap("192.0.2.9:500"), What: "no answer", Count: 1}},
	}
}

func TestStatusAsText(t *testing.T) {
	var b strings.Builder
	if err := fullStatus().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "status.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(golden, []byte(b.String()), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the text changed; UPDATE_GOLDEN=1 writes it anew (-want +got):\n%s", diff)
	}
}

func TestStatusSurvivesJSON(t *testing.T) {
	want := fullStatus()
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Status
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChildOnOneLine(t *testing.T) {
	got := fullStatus().Children[1].String()
	if want := "SA 3 (esp in 00001003 out 00002003, des hmac-md5-96 (weak) + ah in 00001004 out 00002004, hmac-sha1-96, transport mode), installed, rule both, 0 packets out, 0 in"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// limited fails after n bytes.
type limited struct{ n int }

func (l *limited) Write(b []byte) (int, error) {
	if l.n -= len(b); l.n < 0 {
		return 0, errors.New("full")
	}
	return len(b), nil
}

func TestStatusTextReportsWriteErrors(t *testing.T) {
	var whole strings.Builder
	if err := fullStatus().WriteText(&whole); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < whole.Len(); n += 50 {
		if err := fullStatus().WriteText(&limited{n: n}); err == nil {
			t.Errorf("no error after %d bytes", n)
		}
	}
}

func TestStatusTextSaysWhyESPGoesThroughTheStack(t *testing.T) {
	s := fullStatus()
	s.Direct = &DirectStatus{Received: 70, Lost: 2, Sent: 60}
	var text strings.Builder
	if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), "70 datagrams received, 2 lost for want of room, 60 sent\n") || strings.Contains(text.String(), "leaves through") {
		t.Errorf("%v\n%s", err, text.String())
	}
	s.Direct.Refusal = "another program has one on the interface"
	text.Reset()
	if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), "warning: raw ESP leaves through the host's network stack and firewall: another program has one on the interface\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
}
