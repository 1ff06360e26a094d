package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// text returns a scalar as it is written, be it text or a number.
func (r *reader) text(n *node, what string) (string, bool) {
	if !r.plain(n) {
		return "", false
	}
	if !isScalar(n) || isNull(n) {
		r.wrong(n, what, "one word or number", "")
		return "", false
	}
	return n.Value, true
}

// str returns text that YAML takes for text.
func (r *reader) str(n *node, what string) (string, bool) {
	if !r.plain(n) {
		return "", false
	}
	if !isScalar(n) || n.ShortTag() != "!!str" {
		hint := ""
		if isScalar(n) && !isNull(n) {
			hint = "put it in quotes to make it text"
		}
		r.wrong(n, what, "text", hint)
		return "", false
	}
	return n.Value, true
}

// label returns a name: short, printable text.
func (r *reader) label(n *node, what string) (string, bool) {
	s, ok := r.str(n, what)
	if !ok {
		return "", false
	}
	if s == "" || len(s) > 100 || strings.ContainsFunc(s, func(c rune) bool { return !strconv.IsPrint(c) }) {
		r.fail(n, "", "%s must have 1 to 100 printable characters", what)
		return "", false
	}
	return s, true
}

// boolean returns true or false.
func (r *reader) boolean(n *node, what string) bool {
	if !r.plain(n) {
		return false
	}
	if !isScalar(n) || n.Value != "true" && n.Value != "false" || n.ShortTag() != "!!bool" {
		r.wrong(n, what, "true or false", "")
		return false
	}
	return n.Value == "true"
}

// number returns a whole number from lo to hi, in decimal, or in hexadecimal with 0x.
func (r *reader) number(n *node, what string, lo, hi uint64) (uint64, bool) {
	if !r.plain(n) {
		return 0, false
	}
	if !isScalar(n) || isNull(n) || n.ShortTag() != "!!int" && n.ShortTag() != "!!float" {
		r.wrong(n, what, "a number", "")
		return 0, false
	}
	v, ok := parseNumber(n.Value)
	if !ok || v < lo || v > hi {
		r.fail(n, "", "%s must be a whole number from %s; here is %s", what, span(lo, hi), shorten(n.Value))
		return 0, false
	}
	return v, true
}

// parseNumber reads decimal without leading zeros (which some take for octal) or hexadecimal with 0x.
func parseNumber(s string) (uint64, bool) {
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		v, err := strconv.ParseUint(hex, 16, 64)
		return v, err == nil
	}
	if len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 10, 64)
	return v, err == nil && !strings.HasPrefix(s, "+")
}

func span(lo, hi uint64) string {
	if hi == math.MaxUint64 {
		return fmt.Sprintf("%d up", lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

// word returns one of a few words.
func (r *reader) word(n *node, what string, words ...string) (string, bool) {
	s, ok := r.text(n, what)
	if ok && !slices.Contains(words, s) {
		r.fail(n, didYouMean(s, words, ""), "%s must be %s; here is %q", what, oneOf(words), shorten(s))
		ok = false
	}
	return s, ok
}

func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
