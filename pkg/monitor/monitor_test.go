package monitor

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// evil is what a policy, a peer or a file might hold to take over a terminal: ESC, CSI in one octet, BEL, a line end, a turn of writing, bad UTF-8.
const evil = "a\x1b]0;owned\x07\x1b[2J\u009b31m\r\n\u202eb\xff<b>"

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// filled is a page that has something of every list, evil wherever a text can be.
func filled() *endpoint.Page {
	ap := netip.MustParseAddrPort("192.0.2.2:500")
	two := uint64(2)
	return &endpoint.Page{Total: 1, Matched: 1,
		Status: &endpoint.Status{Started: start, Now: start.Add(time.Hour), Instance: evil, ConfigPath: evil, Warnings: []string{evil}, LastReload: evil, KeyLog: evil, Guard: evil,
			Policy: endpoint.PolicyStatus{Name: evil, Description: evil}, TUN: endpoint.TUNStatus{Name: evil}, Drops: endpoint.Drops{evil: 3}},
		Rules: []endpoint.RuleEntry{{Name: evil, Place: evil, Action: evil, Policy: evil, Mode: evil, Tunnel: evil, Auth: []string{evil}}},
		Filters: []endpoint.FilterEntry{{Rule: evil, Source: evil, Destination: evil, Protocol: evil, SourcePort: evil, DestinationPort: evil, Direction: evil, Weight: evil,
			Action: evil, Policy: evil, Tunnel: evil, Auth: []string{evil}, Place: evil}},
		Methods:  []endpoint.MethodEntry{{Policy: evil, PFS: evil, Name: evil, Weak: []string{evil}}},
		Peers:    []endpoint.Peer{{ID: 1, Rule: evil, Local: ap, Remote: ap, RemoteID: evil, State: evil, Encr: evil, Hash: evil, Group: evil, Auth: evil, Weak: evil}},
		Children: []endpoint.Child{{ID: 2, Rule: evil, Local: ap, Remote: ap, State: evil, Mode: evil, SecondsLeft: &two, Protocols: []endpoint.ChildKeys{{Protocol: evil, Encr: evil, Integ: evil}}}},
		Soft:     []endpoint.SoftSA{{Rule: evil, Filter: evil}},
		Dynamic:  []endpoint.DynamicFilter{{Filter: evil}},
		Events:   []endpoint.Event{{Seq: 1, Time: start, Kind: endpoint.EventFailure, Rule: evil, Remote: ap, What: evil, Why: evil, Next: evil, Detail: evil + "\n" + evil, Count: 2}},
		Failures: []endpoint.Failure{{Time: start, Rule: evil, Remote: ap, What: evil, Why: evil, Next: evil, Detail: "offered\n  " + evil, Count: 3}}}
}

// P20: no view lets a control character through, whoever wrote it.
func TestP20NoViewHoldsControlCharacters(t *testing.T) {
	check := func(where, text string) {
		for _, r := range text {
			if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
				t.Errorf("%s holds %U: %q", where, r, text)
				return
			}
		}
	}
	for _, v := range Views {
		table := v.Table(filled(), "")
		if len(table.Rows) == 0 {
			t.Errorf("%s shows nothing", v.ID)
		}
		for _, r := range table.Rows {
			if len(r.Cells) != len(table.Columns) {
				t.Errorf("%s: %d cells in %d columns", v.ID, len(r.Cells), len(table.Columns))
			}
			for _, c := range r.Cells {
				check(v.ID, c)
			}
			for _, d := range r.Details {
				for line := range strings.SplitSeq(d.Text, "\n") {
					check(v.ID+", "+d.Name, line)
				}
			}
		}
	}
	for _, f := range append(Headline(filled().Status), Facts(filled().Status)...) {
		check(f.Name, f.Text)
	}
}

func TestCleanTellsWhatWasThere(t *testing.T) {
	if got, want := Clean(evil), `a\x1b]0;owned\x07\x1b[2J\x9b31m\x0d\x0a\u202eb\ufffd<b>`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := Clean("Büro 東京"); got != "Büro 東京" {
		t.Errorf("ordinary letters became %q", got)
	}
}

// FuzzP20Clean: whatever is cleaned is printable, and what is clean stays as it is.
func FuzzP20Clean(f *testing.F) {
	f.Add(evil)
	f.Fuzz(func(t *testing.T, s string) {
		c := Clean(s)
		if strings.IndexFunc(c, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 || Clean(c) != c {
			t.Errorf("%q became %q", s, c)
		}
	})
}

func TestViewsHaveAddressesOfTheirOwnAndGroupsStandTogether(t *testing.T) {
	ids, ended, last := map[string]bool{}, map[string]bool{}, ""
	for _, v := range Views {
		if ids[v.ID] || ended[v.Group] && v.Group != last {
			t.Errorf("%s is there twice, or its group %s is torn apart", v.ID, v.Group)
		}
		ids[v.ID], ended[v.Group], last = true, true, v.Group
		if got, ok := ByID(v.ID); !ok || got.Title != v.Title {
			t.Errorf("%s is not found", v.ID)
		}
	}
	if _, ok := ByID("nothing"); ok {
		t.Error("a view that is not there was found")
	}
}

// What the endpoint does not search, the figures, is searched here.
func TestFiguresCanBeSearched(t *testing.T) {
	v, _ := ByID("quick-mode-statistics")
	p := &endpoint.Page{Status: &endpoint.Status{}}
	p.Status.Statistics.QuickMode.Rekeys = 7
	table := v.Table(p, "REKEYS")
	if table.Matched != 1 || table.Total != 18 || table.Rows[0].Cells[1] != "7" {
		t.Errorf("%+v", table)
	}
	if q := v.Query("rekeys", 5, 10); q.List != endpoint.ListOverview || q.Search != "" || q.Offset != 0 {
		t.Errorf("the endpoint is asked %+v", q)
	}
}

func TestOnlySAsThatCanBeChangedHaveAnID(t *testing.T) {
	v, _ := ByID("quick-mode-sas")
	p := &endpoint.Page{Children: []endpoint.Child{{ID: 4}, {ID: 1 << 62, Manual: true}}}
	if rows := v.Table(p, "").Rows; rows[0].SA != "4" || rows[1].SA != "" {
		t.Errorf("%+v", rows)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for want, got := range map[string]string{"59s": elapsed(59), "1m00s": elapsed(60), "3h59m": elapsed(14399), "2d03h": elapsed(183600),
		"1023 B": bytes(1023), "1.0 KiB": bytes(1024), "1.0 TiB": bytes(1<<40 - 1), "16.0 EiB": bytes(1<<64 - 1), "100000 KB": kilobytes(100000)} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
