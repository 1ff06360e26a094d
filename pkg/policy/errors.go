package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one fault of a policy, found when it was expanded.
type Error struct {
	Position Position // of the rule or filter
	Message  string   // what is wrong
	Hint     string   // what to do; "" if the message says it all
}

// Error returns the fault on one line.
func (e *Error) Error() string {
	s := e.Message
	if p := e.Position.String(); p != "" {
		s = p + ": " + s
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Errors are all faults of a policy, in the order of their places.
type Errors []*Error

// maxErrors bounds what is kept of the faults of one policy: a thousand lines of the same complaint help nobody.
const maxErrors = 100

// Error returns one line a fault.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As and errors.Is access to each fault.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, x := range e {
		list[i] = x
	}
	return list
}

// faults collects errors, at most maxErrors of them, and counts the rest.
type faults struct {
	list Errors
	more int
}

func (f *faults) add(at Position, hint, format string, args ...any) {
	if len(f.list) >= maxErrors {
		f.more++
		return
	}
	f.list = append(f.list, &Error{Position: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// err returns the faults in the order of their places, nil if there are none.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Position.File, b.Position.File), cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column))
	})
	if f.more > 0 {
		last := f.list[len(f.list)-1]
		f.list = append(f.list, &Error{Position: Position{File: last.Position.File}, Message: fmt.Sprintf("and %d more errors like these", f.more)})
	}
	return f.list
}

// Warning is something that works but deserves a second look.
type Warning struct {
	Position Position
	Message  string
}

// String returns the warning with its place.
func (w Warning) String() string {
	if p := w.Position.String(); p != "" {
		return p + ": " + w.Message
	}
	return w.Message
}
