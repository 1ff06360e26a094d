// Package record keeps docs/interop.md: a table of what the interoperability tests have proved, written by the tests themselves.
//
// A test begins a row when it knows what it is going to prove and fills in what the peer reports; when the test ends, the row
// gets its result. Compare then holds the table against the page, or Update writes the page anew. Rows are safe to begin from
// several tests at once.
package record

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A Row is one line of the table.
type Row struct {
	Peer     string // such as "strongSwan (kernel-libipsec)"
	Version  string // of the peer
	Exchange string // such as "IKEv1 main mode, PSK, initiator" or "manual keys"
	Suite    string // as a policy file names it
	Mode     string // transport or tunnel, and "in UDP" where it is
	Family   string // outer, and inner where it differs: "IPv4", "IPv6 in IPv4"
	Result   string // set when the test ends
	Packets  string // what the peer says it received and decrypted: "5 in, 5 out"
}

var (
	mu   sync.Mutex
	rows []*Row
)

// Results of a row.
const (
	works    = "works"
	fails    = "FAILS"
	notTried = "not tried"
)

// Begin adds a row whose result is that of the test.
func Begin(t testing.TB, row Row) *Row {
	r := &row
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case t.Failed():
			r.Result = fails
		case t.Skipped():
			r.Result = notTried
		default:
			r.Result = works
		}
		rows = append(rows, r)
	})
	return r
}

// Counted notes the packets that the peer reports.
func (r *Row) Counted(in, out uint64) { r.Packets = fmt.Sprintf("%d in, %d out", in, out) }

const head = `# What goipsec has been seen to talk to

The tests in test/interop write this page: ` + "`go test ./test/interop -update`" + `. Every row was a real negotiation or a real pair of manual
keys with traffic in both directions. The last column is what the peer itself counts as decrypted and sent
(` + "`ip -s xfrm state`, `swanctl --list-sas`" + `), so that clear traffic cannot pass for success.

| peer | version | exchange | suite | mode | family | result | packets, as the peer counts |
|---|---|---|---|---|---|---|---|
`

func (r *Row) line() string {
	cells := []string{r.Peer, r.Version, r.Exchange, r.Suite, r.Mode, r.Family, r.Result, r.Packets}
	return "| " + strings.Join(cells, " | ") + " |"
}

// A Run says how the tests ended.
type Run struct {
	Complete bool     // no test was left out by -run or -skip
	Failed   bool     // a test failed
	Missing  []string // peers that could not be had
}

// Update writes the page, unless something failed or was not tried. After a whole run the page says what that run has seen and nothing else; after a part of the
// tests the rows of that part take the place of those that they prove again, or join the others.
func Update(path string, run Run) error {
	mu.Lock()
	defer mu.Unlock()
	switch {
	case len(run.Missing) > 0:
		return fmt.Errorf("%s stays as it is: there was no peer: %s", path, strings.Join(run.Missing, "; "))
	case run.Failed:
		return fmt.Errorf("%s stays as it is: a test failed", path)
	}
	for _, r := range rows {
		if r.Result != works {
			return fmt.Errorf("%s stays as it is: %s", path, r.line())
		}
	}
	sortRows()
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r.line()
	}
	if !run.Complete {
		var err error
		if lines, err = merge(path, lines); err != nil {
			return err
		}
	}
	return os.WriteFile(path, []byte(head+strings.Join(lines, "\n")+"\n"), 0o644)
}

// merge joins the lines of a page that are not proved again with new ones.
func merge(path string, fresh []string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	proved := map[string]bool{}
	for _, line := range fresh {
		proved[key(strings.Split(line, "|"))] = true
	}
	lines := fresh
	for line := range strings.Lines(string(text)) {
		if cells, ok := rowOf(line); ok && !proved[key(cells)] {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	return lines, nil
}

// rowOf splits a line of the page that is a row of its table.
func rowOf(line string) ([]string, bool) {
	cells := strings.Split(line, "|")
	return cells, len(cells) == 10 && strings.TrimSpace(cells[1]) != "peer" && !strings.HasPrefix(cells[1], "-")
}

// Compare holds the page against the rows of this run. A row that the page does not have, or has with another result, is an
// error, and so after a complete run with every peer is a row of the page that was not proved again. What was skipped for want of a
// peer is none. Versions and counts may differ: they are the peer's.
func Compare(path string, run Run) error {
	mu.Lock()
	defer mu.Unlock()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && len(rows) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("no page to compare with: %w (run go test ./test/interop -update)", err)
	}
	return compare(string(text), run.Complete && !run.Failed && len(run.Missing) == 0)
}

func sortRows() {
	slices.SortStableFunc(rows, func(a, b *Row) int { return cmp.Compare(a.line(), b.line()) })
}

func compare(text string, complete bool) error {
	written, proved := make(map[string]bool), make(map[string]bool)
	for line := range strings.Lines(text) {
		if cells, ok := rowOf(line); ok {
			written[key(cells)] = true
		}
	}
	var differences []string
	for _, r := range rows {
		if r.Result == notTried {
			continue
		}
		k := key(strings.Split(r.line(), "|"))
		if proved[k] = true; !written[k] {
			differences = append(differences, "not on the page: "+r.line())
		}
	}
	for k := range written {
		if complete && !proved[k] {
			differences = append(differences, "on the page and not proved: "+k)
		}
	}
	if len(differences) == 0 {
		return nil
	}
	slices.Sort(differences)
	return fmt.Errorf("docs/interop.md is not what the tests prove (go test ./test/interop -update writes it):\n%s", strings.Join(differences, "\n"))
}

// key leaves out the version and the counts.
func key(cells []string) string {
	var parts []string
	for i, c := range cells {
		if i != 2 && i != 8 {
			parts = append(parts, strings.TrimSpace(c))
		}
	}
	return strings.Join(parts, " | ")
}
