package config

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// This file is all that the rest of the package knows of YAML. What is left of it is plain: one document of mappings with text
// keys, sequences and scalars; no anchors, aliases, merge keys or tags, so that nothing stands in the file that is not written
// where it counts, and nothing grows when it is read.

// MaxFileSize bounds a policy file, in bytes.
const MaxFileSize = 256 << 20

// maxErrors bounds what is kept of the faults of one file.
const maxErrors = 100

// node is one value of the file.
type node = yaml.Node

// reader walks a file and collects what is wrong with it.
type reader struct {
	name     string
	lines    lines
	opts     Options
	errs     Errors
	more     int // errors beyond maxErrors
	warnings []Warning

	filterLists            map[string][]written
	filterActions          map[string]policy.FilterAction
	usedLists, usedActions map[string]bool
	psks                   map[string][]pskUse            // by the key itself
	stores                 map[string]*pki.Store          // by the names of their files
	cas                    map[string][]*x509.Certificate // by the name of their file
}

func (r *reader) position(n *node) policy.Position {
	return policy.Position{File: r.name, Line: n.Line, Column: n.Column}
}

// fail notes an error at n.
func (r *reader) fail(n *node, hint, format string, args ...any) {
	r.failAt(r.position(n), hint, fmt.Sprintf(format, args...))
}

func (r *reader) failAt(at policy.Position, hint, message string) {
	if len(r.errs) >= maxErrors {
		r.more++
		return
	}
	r.errs = append(r.errs, &Error{Position: at, Message: message, Source: r.lines.line(at.Line), Hint: hint})
}

// hideLast takes the offending line out of the last error.
func (r *reader) hideLast() {
	if n := len(r.errs); n > 0 {
		r.errs[n-1].Source = ""
	}
}

// warn notes a warning at n.
func (r *reader) warn(n *node, format string, args ...any) {
	if len(r.warnings) < maxErrors {
		r.warnings = append(r.warnings, Warning{r.position(n), fmt.Sprintf(format, args...)})
	}
}

// err returns the errors so far in the order of their places, nil if there are none.
func (r *reader) err() error {
	if len(r.errs) == 0 {
		return nil
	}
	r.errs.sort()
	if r.more > 0 {
		r.errs = append(r.errs, &Error{Position: policy.Position{File: r.name}, Message: fmt.Sprintf("and %d more errors", r.more)})
		r.more = 0
	}
	return r.errs
}

// document parses the file's text and returns its one document, nil after an error.
func (r *reader) document(data []byte) *node {
	if len(data) > MaxFileSize {
		r.failAt(policy.Position{File: r.name}, "name large sets of addresses as subnets or ranges",
			fmt.Sprintf("the file has %d bytes; a policy file has %d at most", len(data), MaxFileSize))
		return nil
	}
	r.lines.text = string(data)
	if !r.readable(data) {
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		r.syntax(err)
		return nil
	}
	var doc, second node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		r.failAt(policy.Position{File: r.name}, "see examples/ for files to start from", "the file holds no policy")
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	}
	switch err := loader.Load(&second); {
	case err == nil:
		r.fail(&second, "write several policies as a list under policies: and name the one to apply in assign:", "the file holds more than one YAML document")
		return nil
	case !errors.Is(err, io.EOF):
		r.syntax(err)
		return nil
	}
	return doc.Content[0]
}

// readable checks that the text is UTF-8 without control characters, which the YAML parser would report without a place.
func (r *reader) readable(data []byte) bool {
	line, column := 1, 1
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		at := policy.Position{File: r.name, Line: line, Column: column}
		switch {
		case c == utf8.RuneError && size <= 1:
			hint := "save the file as UTF-8"
			if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
				hint = "the file is UTF-16: save it as UTF-8"
			}
			r.failAt(at, hint, fmt.Sprintf("the file is not UTF-8 (byte 0x%02x)", data[i]))
			return false
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' || c >= 0x7f && c < 0xa0 && c != 0x85:
			r.failAt(at, "delete it, or write it as an escape in double quotes", fmt.Sprintf("control character U+%04X", c))
			return false
		}
		i += size
		switch {
		case c == '\r' && i < len(data) && data[i] == '\n' || i == size && c == '\ufeff':
		case c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029:
			line, column = line+1, 1
		default:
			column++
		}
	}
	return true
}

// syntax notes an error of the YAML parser.
func (r *reader) syntax(err error) {
	at := policy.Position{File: r.name}
	message := err.Error()
	var e *yaml.LoadError
	if errors.As(err, &e) {
		at.Line, at.Column = e.Mark.Line, e.Mark.Column
		message = e.Message
		if e.ContextMsg != "" {
			message += ", " + e.ContextMsg
			if e.ContextMark.Line != 0 && e.ContextMark.Line != at.Line {
				message += fmt.Sprintf(" that begins on line %d", e.ContextMark.Line)
			}
		}
	}
	hint := "look at the indentation, brackets and quotes here and on the line before"
	switch {
	case strings.Contains(r.rawLine(at.Line), "\t"):
		hint = "YAML indents with spaces only: replace the tab"
	case strings.Contains(message, "mapping values are not allowed"):
		hint = "a colon followed by a space makes a key: put a value that holds one in quotes"
	}
	r.failAt(at, hint, "not YAML: "+message)
}

func (r *reader) rawLine(n int) string {
	r.lines.line(1)
	if n < 1 || n > len(r.lines.split) {
		return ""
	}
	return r.lines.split[n-1]
}

// plain refuses what the file may not use at all.
func (r *reader) plain(n *node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		r.fail(n, "use a named filter_lists or filter_actions entry", "YAML aliases are not supported")
	case n.Anchor != "":
		r.fail(n, "use a named filter_lists or filter_actions entry", "YAML anchors are not supported")
	case n.Style&yaml.TaggedStyle != 0:
		r.fail(n, "delete it", "YAML tags (%.20s) are not supported", n.Tag)
	default:
		return true
	}
	return false
}

// kindOf names what n is, for messages.
func kindOf(n *node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping (key: value)"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "text"
}

// wrong notes that n is not what belongs here.
func (r *reader) wrong(n *node, what, want, hint string) {
	r.fail(n, hint, "%s must be %s; here is %s", what, want, kindOf(n))
}

func isMapping(n *node) bool  { return n.Kind == yaml.MappingNode }
func isSequence(n *node) bool { return n.Kind == yaml.SequenceNode }
func isScalar(n *node) bool   { return n.Kind == yaml.ScalarNode }
func isNull(n *node) bool     { return isScalar(n) && n.ShortTag() == "!!null" }

// each calls f for every key of the mapping n that is among keys, and notes keys that are unknown or appear twice. It reports
// whether n is a mapping at all.
func (r *reader) each(n *node, what string, keys []string, f func(key string, k, v *node)) bool {
	if !r.plain(n) {
		return false
	}
	if !isMapping(n) {
		r.wrong(n, what, "a mapping with keys such as "+strings.Join(keys[:min(3, len(keys))], ", "), "")
		return false
	}
	var seen uint64
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !r.plain(k) {
			continue
		}
		at := -1
		if isScalar(k) {
			at = slices.Index(keys, k.Value)
		}
		switch {
		case !isScalar(k):
			r.wrong(k, "a key", "text", "")
		case at < 0:
			r.unknownKey(k, what, keys)
		case seen&(1<<at) != 0:
			r.fail(k, "keep one of them", "the key %q appears twice in %s", k.Value, what)
		default:
			seen |= 1 << at
			f(k.Value, k, v)
		}
	}
	return true
}

func (r *reader) unknownKey(k *node, what string, keys []string) {
	if len(r.errs) >= maxErrors {
		r.more++ // without looking for what was meant: there may be millions
		return
	}
	name := shorten(k.Value)
	if secretAt(name) >= 0 && nearest(name, secretKeys) == "" && len(name) > 24 {
		name = "…" // a secret that slipped into the place of a key
	}
	r.fail(k, didYouMean(k.Value, keys, "there are "+strings.Join(keys, ", ")), "unknown key %q in %s", name, what)
}

// shorten cuts what is repeated of a file.
func shorten(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:60], "") + "…"
}

// named calls f for every entry of a mapping whose keys are names of the user's choice.
func (r *reader) named(n *node, what string, f func(k, v *node)) {
	if !r.plain(n) {
		return
	}
	if !isMapping(n) {
		r.wrong(n, what, "a mapping from names", "")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name, ok := r.label(k, "a name in "+what)
		switch {
		case !ok:
		case seen[name]:
			r.fail(k, "keep one of them", "the name %q appears twice in %s", shorten(name), what)
		default:
			seen[name] = true
			f(k, v)
		}
	}
}

// list returns the elements of a sequence.
func (r *reader) list(n *node, what string) []*node {
	if !r.plain(n) {
		return nil
	}
	if !isSequence(n) {
		r.wrong(n, what, "a list", "put it in brackets, or behind a dash")
		return nil
	}
	return n.Content
}
