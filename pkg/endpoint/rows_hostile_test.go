package endpoint

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/netio"
)

// hostileRow is one datagram that anybody may send.
type hostileRow struct {
	ID      string `json:"id"`
	Port    uint16 `json:"dport"`
	Payload string `json:"udp_payload"`
	Expect  string `json:"expect"`
}

func hostileRows(t *testing.T) (rows []hostileRow) {
	t.Helper()
	f, err := os.Open("../ike/testdata/unauthenticated.ndjson.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r hostileRow
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// TestP1P16D17HostileRowsOverTheWire sends every row at a running endpoint, on the port that it is for and from an address that a rule covers. Each is
// counted; each draws one small answer at most, those of the NAT-T port that are not IKE none; an SA that is up does not notice.
func TestP1P16D17HostileRowsOverTheWire(t *testing.T) {
	e := ikePair(t)
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	before := e.b.Status().Children[0].ID
	rows := hostileRows(t)
	answers, silent, most := 0, 0, 0
	for i, r := range rows {
		data, err := hex.DecodeString(r.Payload)
		if err != nil {
			t.Fatal(err)
		}
		attacker := e.wire.Attach(netip.AddrPortFrom(outerA, uint16(20000+i)))
		seen := func() uint64 {
			s := e.b.Status()
			n := s.Traffic.IKEDatagramsIn
			for _, reason := range []string{"runt", "keepalive", "unknown-spi", "wrong-wrapping", "control-busy"} {
				n += s.Drops[reason]
			}
			return n
		}
		was := seen()
		if _, err := attacker.WriteBatch([]netio.Message{{Buf: data, N: len(data), Remote: netip.AddrPortFrom(outerB, r.Port)}}); err != nil {
			t.Fatal(err)
		}
		if len(data) > 0 {
			eventually(t, func() bool { return seen() > was })
		}
		// What was queued for the key exchange before this question was asked is answered before it, or by the next one.
		for range 20 {
			e.b.Status()
		}
		msgs := []netio.Message{{Buf: make([]byte, 2000)}, {Buf: make([]byte, 2000)}}
		n := attacker.(netio.TryReader).TryRead(msgs)
		most = max(most, n)
		if n == 0 {
			silent++
			continue
		}
		answers++
		if n > 1 || msgs[0].N > len(data)+128 {
			t.Errorf("%s: %d answers, the first of %d bytes to %d", r.ID, n, msgs[0].N, len(data))
		}
		if strings.HasPrefix(r.ID, "natt/") || strings.HasPrefix(strings.ToLower(r.Expect), "drop") && len(data) > 17 && data[17]>>4 != 2 {
			t.Errorf("%s: an answer of %d bytes; expect: %s", r.ID, msgs[0].N, r.Expect)
		}
	}
	if len(rows) < 500 || answers == 0 || silent < 100 || most != 1 {
		t.Errorf("%d rows, %d answered, %d not", len(rows), answers, silent)
	}
	s := e.b.Status()
	if s.IKE.Panics != 0 || len(s.Children) != 1 || s.Children[0].ID != before || len(s.Peers) != 1 {
		t.Errorf("%d faults, %d children, %d peers", s.IKE.Panics, len(s.Children), len(s.Peers))
	}
	carry(t, e.b, e.a, "10.2.0.5", "10.1.0.5")
}
