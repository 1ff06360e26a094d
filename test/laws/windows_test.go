package laws_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The table of docs/windows-ipsec.md numbers the statements of the source of the policy model without a gap. Each has a place, and tests that exist, or the reason
// why it does not hold.
func TestEveryStatementOfTheSourceHasItsTest(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "windows-ipsec.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := testsByRoom(t)
	rows, open := 0, 0
	seen := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		names := namedTests(t, line, there)
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		n, err := strconv.Atoi(cells[1])
		if err != nil {
			continue // the head of a table
		}
		rows++
		statement, place, shown := cells[2], cells[3], cells[4]
		if n != rows {
			t.Errorf("row %d comes in place %d", n, rows)
		}
		if statement == "" || place == "" || seen[statement] {
			t.Errorf("row %d says nothing, or what another says: %s", n, line)
		}
		seen[statement] = true
		reason, fails := strings.CutPrefix(shown, "does not hold: ")
		switch {
		case fails && len(reason) > 20:
			open++
		case fails || len(names) == 0:
			t.Errorf("row %d has neither a test nor a reason: %s", n, shown)
		}
	}
	if rows < 140 {
		t.Errorf("%d rows; the source has more statements", rows)
	}
	t.Logf("%d statements, of which %d do not hold", rows, open)
}
