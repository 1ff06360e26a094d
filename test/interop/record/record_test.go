package record

import (
	"os"
	"strings"
	"testing"
)

func TestPageIsComparedByWhatWasProved(t *testing.T) {
	defer func(saved []*Row) { rows = saved }(rows)
	path := t.TempDir() + "/interop.md"
	rows = []*Row{
		{Peer: "b", Version: "1", Suite: "s", Result: "works", Packets: "5 in, 5 out"},
		{Peer: "a", Version: "1", Suite: "s", Result: "works"},
	}
	if err := Finish(path, true, true); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if first, second := strings.Index(string(text), "| a | 1"), strings.Index(string(text), "| b | 1"); first < 0 || second < first {
		t.Fatalf("the page is not sorted:\n%s", text)
	}
	rows[0].Version, rows[0].Packets = "2", "7 in, 7 out"
	if err := Finish(path, false, true); err != nil {
		t.Error("another version and other counts are a difference: ", err)
	}
	rows[0].Result = "FAILS"
	if err := Finish(path, false, false); err == nil {
		t.Error("a row that fails now is no difference")
	}
	rows = rows[1:]
	if err := Finish(path, false, false); err != nil {
		t.Error("a row that did not run is a difference: ", err)
	}
	if err := Finish(path, false, true); err == nil {
		t.Error("a row that is not proved any more is no difference")
	}
}

func TestRowTakesTheResultOfItsTest(t *testing.T) {
	defer func(saved []*Row) { rows = saved }(rows)
	rows = nil
	t.Run("passes", func(t *testing.T) { Begin(t, Row{Peer: "p"}).Counted(3, 4) })
	t.Run("skips", func(t *testing.T) { Begin(t, Row{Peer: "q"}); t.Skip() })
	if len(rows) != 2 || rows[0].Result != "works" || rows[0].Packets != "3 in, 4 out" || rows[1].Result != "not tried" {
		t.Errorf("rows are %+v and %+v", rows[0], rows[1])
	}
}
