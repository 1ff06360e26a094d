package monitor

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Table is what one view shows.
type Table struct {
	Columns []Column `json:"columns"`
	Rows    []Row    `json:"rows"`
	// Total is the length of the whole list, Matched how many of it the search finds, and Offset which of those the first row is.
	Total   int `json:"total"`
	Matched int `json:"matched"`
	Offset  int `json:"offset"`
}

// Column is one column.
type Column struct {
	Title  string `json:"title"`
	Number bool   `json:"number,omitempty"` // right-aligned
	// Min is the width, in letters, that other columns are left out for; 0: an ordinary one.
	Min int `json:"-"`
	// Whole columns are not cut while there are others that can be.
	Whole bool `json:"-"`
	// Rank says which columns go first where there is no room for all: those with the highest.
	Rank int `json:"-"`
}

// Row is one entry.
type Row struct {
	// Key tells the row from others, also in the next answer.
	Key   string   `json:"key"`
	Cells []string `json:"cells"`
	// Details are told of a row that is looked at: everything, also what has no column.
	Details []Field `json:"details,omitempty"`
	// Alarm marks a row that somebody should look at.
	Alarm bool `json:"alarm,omitempty"`
	// SA is the ID by which the SA of the row can be rekeyed or deleted; "" if it is none.
	SA string `json:"sa,omitempty"`
}

// Field is a named text, of several lines perhaps.
type Field struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// add appends a row with these cells; empty ones are shown as a dash. Its details are the cells, and then the fields that say something.
func (t *Table) add(key string, cells []string, more ...Field) *Row {
	r := Row{Key: key, Cells: cells}
	for i, c := range t.Columns {
		if cells[i] == "" {
			cells[i] = "-"
		}
		r.Details = append(r.Details, Field{c.Title, cells[i]})
	}
	for _, f := range more {
		if f.Text != "" {
			r.Details = append(r.Details, f)
		}
	}
	t.Rows = append(t.Rows, r)
	return &t.Rows[len(t.Rows)-1]
}

// keep drops the rows in which not every word occurs.
func (t *Table) keep(search string) {
	words := strings.Fields(strings.ToLower(search))
	t.Rows = slices.DeleteFunc(t.Rows, func(r Row) bool {
		text := strings.ToLower(strings.Join(r.Cells, " "))
		return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
}

// clean makes every text of the table fit for a terminal.
func (t *Table) clean() {
	for i := range t.Rows {
		r := &t.Rows[i]
		for j := range r.Cells {
			r.Cells[j] = Clean(r.Cells[j])
		}
		for j := range r.Details {
			lines := strings.Split(strings.TrimRight(r.Details[j].Text, "\n"), "\n")
			for k := range lines {
				lines[k] = Clean(lines[k])
			}
			r.Details[j].Text = strings.Join(lines, "\n")
		}
	}
}

// Clean makes a text fit for one line of a terminal: what is not printable, line ends and the characters that turn the direction of writing among them, is
// written out, such as \x1b (security.md P20).
func Clean(s string) string {
	if strings.IndexFunc(s, unfit) < 0 {
		return strings.ToValidUTF8(s, `\ufffd`)
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, `\ufffd`) {
		switch {
		case !unfit(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func unfit(r rune) bool { return !unicode.IsPrint(r) }
