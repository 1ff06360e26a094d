package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goipsec/goipsec/pkg/policy"
)

// Error is one fault of a policy file.
type Error struct {
	Position policy.Position
	Message  string // what is wrong
	Source   string // the offending line; key material in it is masked
	Hint     string // what to do, "" if the message says it all
}

// Error returns the fault as people read it: place and message, the line with a mark under the place, the hint.
func (e *Error) Error() string {
	var b strings.Builder
	if p := e.Position.String(); p != "" {
		b.WriteString(p + ": ")
	}
	b.WriteString(e.Message)
	if e.Source != "" {
		number := fmt.Sprintf("%5d", e.Position.Line)
		fmt.Fprintf(&b, "\n%s | %s\n%s | %s^", number, e.Source, strings.Repeat(" ", len(number)), e.indent())
	}
	if e.Hint != "" {
		b.WriteString("\n  hint: " + e.Hint)
	}
	return b.String()
}

// indent returns what stands before the mark: as many columns as before the place, tabs kept so that they line up.
func (e *Error) indent() string {
	n := min(max(e.Position.Column-1, 0), utf8.RuneCountInString(e.Source))
	var b strings.Builder
	for _, c := range e.Source {
		if n--; n < 0 {
			break
		}
		if c != '\t' {
			c = ' '
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Errors are all faults of a policy file, in the order of their places.
type Errors []*Error

// Error returns all faults, with their number at the end if there are several.
func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, x := range e {
		parts[i] = x.Error()
	}
	if len(e) > 1 {
		parts = append(parts, fmt.Sprintf("%d errors", len(e)))
	}
	return strings.Join(parts, "\n")
}

// Unwrap gives errors.As access to each fault.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, x := range e {
		list[i] = x
	}
	return list
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Position.Line, b.Position.Line), cmp.Compare(a.Position.Column, b.Position.Column))
	})
}

// nearest returns the candidate that a person who wrote s may have meant, "" if none is near: the distance allowed is one edit
// for every three letters.
func nearest(s string, candidates []string) string {
	best, least := "", 1+max(1, len(s)/3)
	if len(s) > 64 {
		return ""
	}
	for _, c := range candidates {
		if d := distance(strings.ToLower(s), c); d < least {
			best, least = c, d
		}
	}
	return best
}

// didYouMean is a hint with the nearest candidate, or otherwise.
func didYouMean(s string, candidates []string, otherwise string) string {
	if c := nearest(s, candidates); c != "" {
		return fmt.Sprintf("did you mean %q?", c)
	}
	return otherwise
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours between two short strings.
func distance(a, b string) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, prev, row = prev, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(prev[j]+cost, prev[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
