package endpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The figures of a pair that negotiates, carries packets, renews a child and deletes it. What is counted in two places must agree.
func TestStatisticsOfBothModes(t *testing.T) {
	e := ikePair(t)
	if err := e.a.Connect(t.Context(), "to-2"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		carry(t, e.a, e.b, "10.1.0.1", "10.2.0.1")
	}
	carry(t, e.b, e.a, "10.2.0.1", "10.1.0.1")
	a, b := e.a.Status(), e.b.Status()
	if p := a.Process; p.Goroutines < 2 || p.Collections > 0 && p.HeapBytes == 0 {
		t.Errorf("%+v", p)
	}
	size := uint64(len(datagram("10.1.0.1", "10.2.0.1", []byte("forty octets that nobody else may read.."))))
	for name, c := range map[string]struct{ got, want uint64 }{
		"a Total Acquire":                 {a.Statistics.MainMode.TotalAcquire, 1},
		"b Total Acquire":                 {b.Statistics.MainMode.TotalAcquire, 0},
		"a Acquire Failures":              {a.Statistics.MainMode.AcquireFailures, 0},
		"a Total Get SPI":                 {a.Statistics.MainMode.TotalGetSPI, 1},
		"a Key Additions":                 {a.Statistics.MainMode.KeyAdditions, 1},
		"b Key Additions":                 {b.Statistics.MainMode.KeyAdditions, 1},
		"a Key Updates":                   {a.Statistics.MainMode.KeyUpdates, 1},
		"a IKE Main Mode":                 {a.Statistics.MainMode.IKEMainMode, 1},
		"b IKE Main Mode":                 {b.Statistics.MainMode.IKEMainMode, 1},
		"a IKE Quick Mode":                {a.Statistics.MainMode.IKEQuickMode, 1},
		"a ISADB List Size":               {a.Statistics.MainMode.ISADBListSize, 1},
		"a Connection List Size":          {a.Statistics.MainMode.ConnectionListSize, 1},
		"a Active Security Associations":  {a.Statistics.QuickMode.ActiveSecurityAssociations, 1},
		"a Active Tunnels":                {a.Statistics.QuickMode.ActiveTunnels, 1},
		"a Pending Key Operations":        {a.Statistics.QuickMode.PendingKeyOperations, 0},
		"a Confidential Bytes Sent":       {a.Statistics.QuickMode.ConfidentialBytesSent, 3 * size},
		"a Confidential Bytes Received":   {a.Statistics.QuickMode.ConfidentialBytesReceived, size},
		"b Confidential Bytes Received":   {b.Statistics.QuickMode.ConfidentialBytesReceived, 3 * size},
		"a Authenticated Bytes Sent":      {a.Statistics.QuickMode.AuthenticatedBytesSent, 3 * size},
		"a Bytes Sent In Tunnels":         {a.Statistics.QuickMode.BytesSentInTunnels, 3 * size},
		"a Transport Bytes Sent":          {a.Statistics.QuickMode.TransportBytesSent, 0},
		"b Packets With Replay Detection": {b.Statistics.QuickMode.PacketsWithReplayDetection, 3},
		"a main modes begun here":         {a.Negotiated.MainModesInitiated, 1},
		"b main modes begun by the peer":  {b.Negotiated.MainModesAnswered, 1},
		"b quick modes begun by the peer": {b.Negotiated.QuickModesAnswered, 1},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", name, c.got, c.want)
		}
	}
}

// What deleted SAs carried stays in the sums.
func TestStatisticsOutliveTheirSAs(t *testing.T) {
	e := ikePair(t)
	if err := e.a.Connect(t.Context(), "to-2"); err != nil {
		t.Fatal(err)
	}
	carry(t, e.a, e.b, "10.1.0.1", "10.2.0.1")
	before := e.a.Status()
	if err := e.a.Delete(jsonNumber(t, before.Children[0].ID)); err != nil {
		t.Fatal(err)
	}
	after := e.a.Status()
	if after.Statistics.QuickMode.ActiveSecurityAssociations != 0 || after.Statistics.QuickMode.KeyDeletions != 1 ||
		after.Statistics.QuickMode.ConfidentialBytesSent != before.Statistics.QuickMode.ConfidentialBytesSent || before.Statistics.QuickMode.ConfidentialBytesSent == 0 {
		t.Errorf("before %+v\nafter %+v", before.Statistics.QuickMode, after.Statistics.QuickMode)
	}
}

// explained looks for a name in the first column of the page's tables, where "Key Additions, Key Deletions" and "Bytes Sent, Received In Tunnels" stand together.
func explained(page, name string) bool {
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		cell := strings.TrimSpace(cells[1])
		sent, received := strings.Replace(cell, " Sent, Received", " Sent", 1), strings.Replace(cell, " Sent, Received", " Received", 1)
		if slices.Contains(append(strings.Split(cell, ", "), sent, received), name) {
			return true
		}
	}
	return false
}

func jsonNumber(t *testing.T, n uint64) string {
	b, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A wrong key is an authentication failure, a negotiation failure and a failed acquire.
func TestStatisticsOfAWrongKey(t *testing.T) {
	e := join(t, ikePolicy(1, 2, defaultIKE), ikePolicy(2, 1, strings.Replace(defaultIKE, "throw-away", "different", 1)))
	if err := e.a.Connect(t.Context(), "to-2"); err == nil {
		t.Fatal("two keys that differ agreed")
	}
	a, b := e.a.Status().Statistics.MainMode, e.b.Status().Statistics.MainMode
	if a.AuthenticationFailures != 1 || a.NegotiationFailures != 1 || a.AcquireFailures != 1 || a.IKEMainMode != 0 {
		t.Errorf("initiator: %+v", a)
	}
	if b.AuthenticationFailures != 1 || b.NegotiationFailures != 1 || b.TotalAcquire != 0 {
		t.Errorf("responder: %+v", b)
	}
	if ev := listed(t, e.a.Endpoint, Query{List: ListEvents}).Events; len(ev) == 0 || ev[0].Kind != EventFailure || ev[0].Why == "" || ev[0].Next == "" {
		t.Errorf("events: %+v", ev)
	}
}

// Every figure is shown once, and the page that tells what the figures mean has it.
func TestFiguresAreEachShownOnce(t *testing.T) {
	var s Statistics
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "statistics.md"))
	if err != nil {
		t.Fatal(err)
	}
	for mode, list := range map[string]struct {
		figures []Figure
		of      any
	}{"main": {s.MainMode.Figures(), s.MainMode}, "quick": {s.QuickMode.Figures(), s.QuickMode}} {
		text, err := json.Marshal(list.of)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, f := range list.figures {
			key := strings.ReplaceAll(strings.ToLower(f.Name), " ", "_")
			if seen[key] || !strings.Contains(string(text), `"`+key+`":`) {
				t.Errorf("%s mode: %q is shown twice, or is not in the JSON form", mode, f.Name)
			}
			seen[key] = true
			if !explained(string(page), f.Name) {
				t.Errorf("%s mode: docs/statistics.md does not tell what %q is", mode, f.Name)
			}
		}
		if n := strings.Count(string(text), `":`); n != len(list.figures) {
			t.Errorf("%s mode: %d figures are counted and %d shown", mode, n, len(list.figures))
		}
	}
}
