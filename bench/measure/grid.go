package measure

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Grid is a table of results.
type Grid struct {
	Head []string
	Rows [][]string
}

// Markdown writes the grid as a table of Markdown. Its cells hold no bars.
func (g Grid) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(g.Head, " | "), strings.Repeat("---|", len(g.Head)))
	for _, row := range g.Rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Text writes the grid with aligned columns.
func (g Grid) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range append([][]string{g.Head}, g.Rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}
