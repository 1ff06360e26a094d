package interchange

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

var (
	// plainText is what stands unquoted in a block: words that begin with a letter or digit and hold nothing that YAML could take
	// for a sign of its own.
	plainText = regexp.MustCompile(`^[\pL0-9][\pL\pN_./@*=+<>:()-]*( [\pL\pN_./@*=+<>:()-]+)*$`)
	// plainFlow is the same between braces.
	plainFlow = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9_./@+-]*$`)
	// numeric is what YAML, or somebody who reads it, could take for a number, a time or a date.
	numeric = regexp.MustCompile(`^[0-9][0-9_.:xXeE+-]*$`)
)

// reserved words mean something else to one YAML or another.
var reserved = map[string]bool{"": true, "true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true, "null": true}

// text writes a scalar, quoted where it has to be.
func text(s string) string {
	if plainText.MatchString(s) && !strings.Contains(s, ": ") && !strings.HasSuffix(s, ":") && !reserved[strings.ToLower(s)] && !numeric.MatchString(s) {
		return s
	}
	return quoted(s)
}

// flow writes a scalar that stands between braces.
func flow(s string) string {
	if plainFlow.MatchString(s) && !reserved[strings.ToLower(s)] && (!numeric.MatchString(s) || strings.Count(s, ".") == 3) {
		return s
	}
	return quoted(s)
}

// quoted writes a scalar in double quotes.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// comment writes a line of a comment. What is not printable, a line end above all, becomes a space: a source must not write
// anything into the file that is read.
func comment(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimRight("# "+s, " ")
}
