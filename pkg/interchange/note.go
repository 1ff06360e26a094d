package interchange

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// NoteKind says how much a note matters.
type NoteKind uint8

const (
	// Lost is something that stands in the source and is not in the result: --strict fails because of it.
	Lost NoteKind = iota + 1
	// Remark is something that was understood and needs nothing here, or a default that was written out.
	Remark
)

// Note says what became of a piece of the source that has no equal in the result.
type Note struct {
	Kind    NoteKind
	File    string // "" where there is one file only
	Line    int    // 0: the source as a whole
	Message string
}

// String returns the note with its place.
func (n Note) String() string {
	switch {
	case n.Line == 0 && n.File == "":
		return n.Message
	case n.Line == 0:
		return n.File + ": " + n.Message
	case n.File == "":
		return fmt.Sprintf("line %d: %s", n.Line, n.Message)
	}
	return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Message)
}

// KeyFile is a pre-shared key, or a password, that goes into a file of its own beside the policy file, for its owner only (mode 0600).
type KeyFile struct {
	Name     string // without a directory
	Secret   policy.Secret
	Password bool
}

// Content returns what the file must hold so that a policy file reads the secret from it.
func (k KeyFile) Content() []byte {
	if k.Password {
		return append(append([]byte(nil), k.Secret.Bytes()...), '\n')
	}
	return encodeKey(k.Secret.Bytes())
}

// Result is what an import makes.
type Result struct {
	Policy []byte // the policy file, UTF-8
	Keys   []KeyFile
	Notes  []Note
}

// LostCount is the number of notes about things that were not carried over.
func (r *Result) LostCount() int {
	n := 0
	for i := range r.Notes {
		if r.Notes[i].Kind == Lost {
			n++
		}
	}
	return n
}

// notes collects what there is to say.
type notes struct {
	file string // of the reader's current line
	list []Note
	budget
}

func (n *notes) lost(line int, format string, args ...any) {
	n.add(Lost, line, format, args...)
}

func (n *notes) remark(line int, format string, args ...any) {
	n.add(Remark, line, format, args...)
}

func (n *notes) add(kind NoteKind, line int, format string, args ...any) {
	if n.spend(&n.said, 1, "notes about it") {
		n.list = append(n.list, Note{kind, n.file, line, fmt.Sprintf(format, args...)})
	}
}

// sorted returns the notes by place.
func (n *notes) sorted() []Note {
	list := slices.Clone(n.list)
	slices.SortStableFunc(list, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return list
}

// comments writes the notes of one kind as comment lines: those of one text in one, with all their places.
func comments(title string, kind NoteKind, list []Note) []string {
	type group struct {
		message string
		at      []string
	}
	var groups []*group
	byText := map[string]*group{}
	for _, n := range list {
		if n.Kind != kind {
			continue
		}
		g := byText[n.Message]
		if g == nil {
			g = &group{message: n.Message}
			byText[n.Message], groups = g, append(groups, g)
		}
		if n.Line > 0 {
			place := strconv.Itoa(n.Line)
			if n.File != "" {
				place = n.File + ":" + place
			}
			g.at = append(g.at, place)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	lines := []string{"", title}
	for _, g := range groups {
		const shown = 12
		place := strings.Join(g.at[:min(len(g.at), shown)], ", ")
		switch n := len(g.at); {
		case n > 1 && !strings.Contains(place, ":"):
			place = "lines " + place
		case n == 1 && !strings.Contains(place, ":"):
			place = "line " + place
		}
		if more := len(g.at) - shown; more > 0 {
			place += fmt.Sprintf(" and %d more", more)
		}
		if place != "" {
			place += ": "
		}
		lines = append(lines, "- "+place+g.message)
	}
	return lines
}

// quote shows a word of a source, cut and with its control characters escaped. It is never given a key.
func quote(s string) string {
	const longest = 60
	r := []rune(s)
	if len(r) > longest {
		return strconv.Quote(string(r[:longest]) + "…")
	}
	return strconv.Quote(s)
}
