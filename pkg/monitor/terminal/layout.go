package terminal

import (
	"cmp"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/goipsec/goipsec/pkg/monitor"
)

// layout is the columns that there is room for, and their widths.
type layout struct {
	columns []int // of the table
	widths  []int
	number  []bool // aligned to the right, and never cut
	whole   []bool // cut last
	least   []int  // what a column may be cut to before another one is left out
}

// gap stands between two columns.
const gap = 2

// least is what an ordinary column of texts may be cut to before another one is left out.
const least = 16

// layOut gives each column what its texts need. Where that is more than there is, columns are left out by their rank, the highest first, as long as the widest
// could not be cut to a readable width instead; then the widest are cut.
func layOut(t *monitor.Table, rows []monitor.Row, width int) layout {
	l := layout{}
	for i, c := range t.Columns {
		w := ansi.StringWidth(c.Title)
		for j := range rows {
			w = max(w, ansi.StringWidth(rows[j].Cells[i]))
		}
		l.columns, l.widths, l.number = append(l.columns, i), append(l.widths, w), append(l.number, c.Number)
		l.whole, l.least = append(l.whole, c.Whole || c.Number), append(l.least, cmp.Or(c.Min, least))
	}
	for l.shrunk() > width && l.leaveOut(t) {
	}
	for l.total() > width && (l.cut(false) || l.cut(true)) {
	}
	return l
}

func (l *layout) total() int {
	sum := gap * max(0, len(l.widths)-1)
	for _, w := range l.widths {
		sum += w
	}
	return sum
}

// shrunk is the width if every column that can be cut were.
func (l *layout) shrunk() int {
	sum := gap * max(0, len(l.widths)-1)
	for i, w := range l.widths {
		if !l.whole[i] {
			w = min(w, l.least[i])
		}
		sum += w
	}
	return sum
}

// leaveOut drops the column with the highest rank; those of rank 0 stay.
func (l *layout) leaveOut(t *monitor.Table) bool {
	worst := -1
	for i, c := range l.columns {
		if r := t.Columns[c].Rank; r > 0 && (worst < 0 || r >= t.Columns[l.columns[worst]].Rank) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	l.columns = append(l.columns[:worst:worst], l.columns[worst+1:]...)
	l.widths = append(l.widths[:worst:worst], l.widths[worst+1:]...)
	l.number = append(l.number[:worst:worst], l.number[worst+1:]...)
	l.whole = append(l.whole[:worst:worst], l.whole[worst+1:]...)
	l.least = append(l.least[:worst:worst], l.least[worst+1:]...)
	return true
}

// cut takes a cell off the widest column, of the whole ones or of the others. No other column gets narrower than a few letters.
func (l *layout) cut(whole bool) bool {
	const few = 6
	widest, bound := -1, 1
	if !whole {
		bound = few
	}
	for i, w := range l.widths {
		if l.whole[i] == whole && w > bound && (widest < 0 || w > l.widths[widest]) {
			widest = i
		}
	}
	if widest < 0 {
		return false
	}
	l.widths[widest]--
	return true
}

func (l *layout) titles(t *monitor.Table) string {
	cells := make([]string, len(l.columns))
	for i, c := range l.columns {
		cells[i] = t.Columns[c].Title
	}
	return l.line(cells)
}

func (l *layout) row(r *monitor.Row) string {
	cells := make([]string, len(l.columns))
	for i, c := range l.columns {
		cells[i] = r.Cells[c]
	}
	return l.line(cells)
}

func (l *layout) line(cells []string) string {
	for i, c := range cells {
		c = ansi.Truncate(c, l.widths[i], "…")
		if l.number[i] {
			c = strings.Repeat(" ", max(0, l.widths[i]-ansi.StringWidth(c))) + c
		} else {
			c = pad(c, l.widths[i])
		}
		cells[i] = c
	}
	return strings.TrimRight(strings.Join(cells, strings.Repeat(" ", gap)), " ")
}
