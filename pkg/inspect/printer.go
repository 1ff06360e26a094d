package inspect

import (
	"encoding/json"
	"fmt"
	"io"
)

// printer writes lines and keeps the first error, so that views need not look at each.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// WriteJSON writes a view of this package for a program, on several lines.
func WriteJSON(w io.Writer, view any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(view)
}

// text is a view that can be written for a person.
type text interface{ WriteText(w io.Writer) error }

// Write writes a view, for a program if asJSON is set, else for a person.
func Write(w io.Writer, view text, asJSON bool) error {
	if asJSON {
		return WriteJSON(w, view)
	}
	return view.WriteText(w)
}

// writeLine writes v as JSON on one line.
func writeLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
