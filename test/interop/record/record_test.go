package record

import (
	"os"
	"strings"
	"testing"
)

// with runs a test on rows of its own.
func with(t *testing.T, own ...*Row) {
	saved := rows
	rows = own
	t.Cleanup(func() { rows = saved })
}

var whole = Run{Complete: true}

func TestPageIsComparedByWhatWasProved(t *testing.T) {
	path := t.TempDir() + "/interop.md"
	with(t,
		&Row{Peer: "b", Version: "1", Suite: "s", Result: works, Packets: "5 in, 5 out"},
		&Row{Peer: "a", Version: "1", Suite: "s", Result: works})
	if err := Compare(path, whole); err == nil {
		t.Error("rows without a page are no difference")
	}
	if err := Update(path, whole); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if first, second := strings.Index(string(text), "| a | 1"), strings.Index(string(text), "| b | 1"); first < 0 || second < first {
		t.Fatalf("the page is not sorted:\n%s", text)
	}
	rows[0].Version, rows[0].Packets = "2", "7 in, 7 out"
	if err := Compare(path, whole); err != nil {
		t.Error("another version and other counts are a difference: ", err)
	}
	rows[0].Result = fails
	if err := Compare(path, Run{}); err == nil {
		t.Error("a row that fails now is no difference")
	}
	rows[0].Result = notTried
	if err := Compare(path, Run{Complete: true, Missing: []string{"no peer"}}); err != nil {
		t.Error("a row that was skipped for want of a peer is a difference: ", err)
	}
	rows = rows[1:]
	if err := Compare(path, Run{}); err != nil {
		t.Error("a row that did not run is a difference: ", err)
	}
	if err := Compare(path, whole); err == nil {
		t.Error("a row that is not proved any more is no difference")
	}
	rows = append(rows, &Row{Peer: "c", Result: works})
	if err := Compare(path, Run{}); err == nil {
		t.Error("a row that the page has not is no difference")
	}
}

func TestPageIsWrittenOnlyAfterAGreenRun(t *testing.T) {
	path := t.TempDir() + "/interop.md"
	row := &Row{Peer: "a", Result: works}
	with(t, row)
	refused := func(what string, run Run) {
		t.Helper()
		if err := Update(path, run); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: the page was written", what)
		}
	}
	refused("a failed test", Run{Complete: true, Failed: true})
	refused("a missing peer", Run{Complete: true, Missing: []string{"no root"}})
	row.Result = fails
	refused("a row that fails", whole)
	row.Result = notTried
	refused("a row that was skipped", whole)
}

func TestRowsOfAPartJoinThePage(t *testing.T) {
	path := t.TempDir() + "/interop.md"
	with(t, &Row{Peer: "a", Version: "1", Result: works, Packets: "1 in, 1 out"}, &Row{Peer: "c", Result: works})
	if err := Update(path, whole); err != nil {
		t.Fatal(err)
	}
	rows = []*Row{{Peer: "a", Version: "2", Result: works, Packets: "5 in, 5 out"}, {Peer: "b", Result: works}}
	if err := Update(path, Run{}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	want := head + "| a | 2 |  |  |  |  | works | 5 in, 5 out |\n| b |  |  |  |  |  | works |  |\n| c |  |  |  |  |  | works |  |\n"
	if string(text) != want {
		t.Errorf("the page is:\n%s\nwant:\n%s", text, want)
	}
}

func TestRowTakesTheResultOfItsTest(t *testing.T) {
	with(t)
	t.Run("passes", func(t *testing.T) { Begin(t, Row{Peer: "p"}).Counted(3, 4) })
	t.Run("skips", func(t *testing.T) { Begin(t, Row{Peer: "q"}); t.Skip() })
	if len(rows) != 2 || rows[0].Result != works || rows[0].Packets != "3 in, 4 out" || rows[1].Result != notTried {
		t.Errorf("rows are %+v and %+v", rows[0], rows[1])
	}
}
