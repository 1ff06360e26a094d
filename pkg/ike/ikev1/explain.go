package ikev1

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// field is one part of a proposal, for a person.
type field struct{ name, value string }

// offer is one alternative of the peer as far as it was understood.
type offer struct {
	fields []field
	err    error
}

// maxExplained is how many alternatives of either side an explanation shows.
const maxExplained = 16

// sideBySide shows the peer's offers, each beside the alternative here that is nearest to it, with the first difference marked.
func sideBySide(offered []offer, allowed [][]field) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-48s | %-48s | %s\n", "offered by the peer", "nearest that is allowed here", "first difference")
	for i, o := range offered {
		if i == maxExplained {
			fmt.Fprintf(&b, "… and %d more\n", len(offered)-i)
			break
		}
		if o.err != nil {
			fmt.Fprintf(&b, "%-48s | %-48s | %s\n", "(not understood)", "", isakmp.Escape(o.err.Error()))
			continue
		}
		near, differ := nearest(o.fields, allowed)
		fmt.Fprintf(&b, "%-48s | %-48s | %s\n", line(o.fields), line(near), differ)
	}
	if len(allowed) == 0 {
		b.WriteString("nothing is allowed here\n")
	}
	return b.String()
}

// nearest is the alternative that agrees in most fields, and where it first differs.
func nearest(theirs []field, allowed [][]field) (near []field, differ string) {
	best := -1
	for _, ours := range allowed {
		same, first := 0, ""
		for i := range max(len(ours), len(theirs)) {
			a, b := at(theirs, i), at(ours, i)
			switch {
			case a == b:
				same++
			case first == "":
				first = fmt.Sprintf("%s: %s, here %s", either(a.name, b.name), either(a.value, "none"), either(b.value, "none"))
			}
		}
		if same > best {
			best, near, differ = same, ours, first
		}
	}
	return near, differ
}

func at(fs []field, i int) field {
	if i < len(fs) {
		return fs[i]
	}
	return field{}
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func line(fs []field) string {
	var parts []string
	for _, f := range fs {
		parts = append(parts, f.value)
	}
	return strings.Join(parts, " ")
}

// list shows alternatives one a line.
func list(title string, alternatives [][]field) string {
	var b strings.Builder
	b.WriteString(title + "\n")
	for i, fs := range alternatives {
		if i == maxExplained {
			fmt.Fprintf(&b, "… and %d more\n", len(alternatives)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", line(fs))
	}
	return b.String()
}
