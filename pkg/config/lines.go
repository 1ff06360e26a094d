package config

import (
	"regexp"
	"slices"
	"strings"
)

// lines gives the lines of a file for messages, with key material masked.
type lines struct {
	text  string
	split []string // on first use
}

// maxShown bounds how much of a line is shown, in bytes. A key stands before its secret, so that no more than maxRead of a line is
// read to know what to hide in that: a file may be one line, and its errors a hundred.
const (
	maxShown = 160
	maxRead  = 4096
)

var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]") // as YAML counts lines

// line returns line n, counted from 1, as it may be shown.
func (l *lines) line(n int) string {
	if l.split == nil {
		l.split = lineBreak.Split(strings.TrimPrefix(l.text, "\ufeff"), -1)
	}
	if n < 1 || n > len(l.split) {
		return ""
	}
	if l.continuesSecret(n) {
		return mask
	}
	s := l.split[n-1]
	s = maskLine(s[:min(len(s), maxRead)])
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + " …"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '?' // a file must not drive the terminal that shows its errors
		}
		return r
	}, s)
}

const mask = "[secret]"

// secretWord finds the key, or the misspelt key, of something that must not be shown; all that follows on the line goes.
var secretWord = regexp.MustCompile(`(?i)[\w-]*(psk|secret|password|passphrase|key)[\w-]*`)

// anyKey finds keys of mappings.
var anyKey = regexp.MustCompile(`[\w-]+["']?\s*:`)

// maskLine hides all that stands behind the key of a secret.
func maskLine(s string) string {
	if at := secretAt(s); at >= 0 {
		if strings.Trim(s[at:], ` :"'`) == "" {
			return s
		}
		return s[:at] + ": " + mask
	}
	return s
}

// secretAt returns where the value of the first secret of the line begins, behind its key, or -1.
func secretAt(s string) int {
	at := -1
	note := func(from, to int) {
		word := strings.ToLower(strings.TrimRight(s[from:to], `"': `+"\t"))
		if slices.Contains(openWords, word) {
			return
		}
		end := from + len(word)
		if at < 0 || end < at {
			at = end
		}
	}
	for _, m := range secretWord.FindAllStringIndex(s, -1) {
		note(m[0], m[1])
	}
	for _, m := range anyKey.FindAllStringIndex(s, -1) {
		word := strings.ToLower(strings.TrimRight(s[m[0]:m[1]], `"': `+"\t"))
		// A misspelt key is the very case in which the line is shown.
		if !known(word) && nearest(word, secretKeys) != "" {
			note(m[0], m[1])
		}
	}
	return at
}

// continuesSecret reports whether line n may hold the rest of a secret that began on an earlier line: a quoted or block scalar.
func (l *lines) continuesSecret(n int) bool {
	indent := func(s string) int { return len(s) - len(strings.TrimLeft(s, " \t")) }
	for back := 1; back <= 20 && n-1-back >= 0; back++ {
		before := l.split[n-1-back]
		deeper := indent(l.split[n-1]) > indent(before)
		if len(before) > maxRead && (deeper || back == 1) {
			return true // nobody looked at all of it
		}
		at := secretAt(before[:min(len(before), maxRead)])
		if at < 0 {
			continue
		}
		value := strings.TrimSpace(strings.TrimLeft(before[at:], `"': `))
		open := value == "" || strings.HasPrefix(value, "|") || strings.HasPrefix(value, ">") ||
			strings.Count(before[at:], `"`)%2 == 1 || strings.Count(before[at:], "'")%2 == 1
		if open && (deeper || back == 1) {
			return true
		}
		if deeper && !strings.Contains(l.split[n-1], ":") {
			return true // a plain scalar goes on over deeper lines
		}
	}
	return false
}
