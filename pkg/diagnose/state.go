package diagnose

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// SchemaVersion is the version of the JSON forms of this package. It grows when a field changes its meaning or goes away.
const SchemaVersion = 1

// State is how one thing that was looked at stands.
type State string

const (
	OK      State = "ok"
	Warning State = "warning"
	Problem State = "problem" // doctor's: something will not work
	Failed  State = "failed"  // ping's: this layer does not carry
	Skipped State = "skipped" // not looked at; What says why
)

// Finding is one thing that was looked at, told to a person.
type Finding struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	What  string `json:"what"`           // what was found
	Why   string `json:"why,omitempty"`  // the likely cause, or what it means
	Next  string `json:"next,omitempty"` // what to do
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// finding writes one finding: state, name and what on a line, cause and next step under it.
func (p *printer) finding(f *Finding) {
	const indent = "                         "
	p.line("%-8s %-15s %s", f.State, f.Name, strings.ReplaceAll(f.What, "\n", "\n"+indent))
	for _, more := range [][2]string{{"cause", f.Why}, {"next", f.Next}} {
		if more[1] != "" {
			p.line("%s%-6s %s", indent, more[0]+":", strings.ReplaceAll(strings.TrimRight(more[1], "\n"), "\n", "\n"+indent+"       "))
		}
	}
}

// plural is "1 packet" or "2 packets".
func plural(n int, noun string) string {
	return fmt.Sprintf("%d %s%s", n, noun, map[bool]string{true: "", false: "s"}[n == 1])
}

// first is the first text that is not empty.
func first(texts ...string) string { return cmp.Or(texts...) }
