package interchange

import (
	"strings"
)

// A script of netsh commands comes in two forms: lines for netsh -f, and batch files in which every command begins with netsh. Here
// both become commands: a line number and words.

// word is one argument. A tag stands in front of an equals sign that is in no quotes.
type word struct {
	tag, value string
	tagged     bool
	quoted     bool // the value, or a part of it, stood in quotes
}

// text is the word as it was meant, without its quotes.
func (w word) text() string {
	if w.tagged {
		return w.tag + "=" + w.value
	}
	return w.value
}

// command is one line, or one part of a line.
type command struct {
	line  int
	batch bool // it began with netsh: the rules of cmd.exe apply
	words []word
	open  bool // a quote was not closed
}

// line is a line of the file with what continues it.
type line struct {
	number int
	text   string
}

// logicalLines joins lines that end with a caret, as cmd.exe does. A line of a comment is not continued.
func logicalLines(s string) []line {
	var out []line
	var pending *line
	number := 0
	for part := range strings.Lines(s) {
		number++
		part = strings.TrimRight(part, "\r\n")
		if pending == nil {
			pending = &line{number: number}
		}
		pending.text += part
		if trimmed := strings.TrimRight(pending.text, " \t"); strings.HasSuffix(trimmed, "^") && !isComment(pending.text) && len(pending.text) < 1<<16 {
			pending.text = strings.TrimSuffix(trimmed, "^")
			continue
		}
		out = append(out, *pending)
		pending = nil
	}
	if pending != nil {
		out = append(out, *pending)
	}
	return out
}

// isComment reports whether a line is empty or for people only.
func isComment(s string) bool {
	s = strings.TrimLeft(s, " \t@")
	lower := strings.ToLower(s)
	return s == "" || strings.HasPrefix(s, "#") || strings.HasPrefix(s, "::") || strings.HasPrefix(s, ";") ||
		lower == "rem" || strings.HasPrefix(lower, "rem ") || strings.HasPrefix(lower, "rem\t")
}

// isNetsh reports whether a line calls the program, by whatever path.
func isNetsh(s string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(s, " \t@"), " ")
	first = strings.ToLower(strings.Trim(first, `"`))
	if i := strings.LastIndexAny(first, `\/`); i >= 0 {
		first = first[i+1:]
	}
	return first == "netsh" || first == "netsh.exe"
}

// splitBatch cuts a batch line at the operators of cmd.exe that stand in no quotes, takes redirections out, and resolves the caret.
// chained says how a part hangs on the one before: "" for the first, "&", "&&" or "||".
func splitBatch(s string) (parts []string, chained []string) {
	var b strings.Builder
	inQuotes, how := false, ""
	flush := func(next string) {
		if strings.TrimSpace(b.String()) != "" {
			parts, chained = append(parts, b.String()), append(chained, how)
		}
		b.Reset()
		how = next
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			inQuotes = !inQuotes
			b.WriteByte(c)
		case inQuotes:
			b.WriteByte(c)
		case c == '^' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '&' || c == '|':
			op := string(c)
			if i+1 < len(s) && s[i+1] == c {
				op += op
				i++
			}
			flush(op)
		case c == '>' || c == '<':
			head := b.String()
			if n := len(head); n > 1 && (head[n-1] == '1' || head[n-1] == '2') && head[n-2] == ' ' {
				b.Reset()
				b.WriteString(head[:n-1])
			}
			i = skipRedirection(s, i)
		default:
			b.WriteByte(c)
		}
	}
	flush("")
	return parts, chained
}

// skipRedirection returns the index of the last byte of a redirection that begins at i.
func skipRedirection(s string, i int) int {
	for i+1 < len(s) && strings.ContainsRune("<>& \t", rune(s[i+1])) {
		i++
	}
	for i+1 < len(s) && !strings.ContainsRune(" \t&|<>", rune(s[i+1])) {
		i++
	}
	return i
}

// words cuts a command into its arguments. Quotes keep spaces together wherever they stand in a word; spaces around the equals sign of
// a tag do not count.
func words(s string) (list []word, open bool) {
	for i := 0; ; {
		for i < len(s) && isBlank(s[i]) {
			i++
		}
		if i >= len(s) {
			return list, open
		}
		var w word
		if end, ok := tagAt(s, i); ok {
			w.tag, w.tagged = strings.TrimSpace(s[i:end]), true
			for i = end + 1; i < len(s) && isBlank(s[i]); {
				i++
			}
			if _, next := tagAt(s, i); next && i > end+1 {
				list = append(list, w) // an empty value, and the next tag
				continue
			}
		}
		w.value, w.quoted, i, open = value(s, i)
		list = append(list, w)
		if open {
			return list, true
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// tagAt returns the index of the equals sign if a tag begins at i: letters, and the sign behind them, perhaps after spaces.
func tagAt(s string, i int) (end int, ok bool) {
	at := i
	for i < len(s) && (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' || s[i] == '_') {
		i++
	}
	if i == at {
		return 0, false
	}
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	return i, i < len(s) && s[i] == '='
}

// value reads up to the next space that is in no quotes. A backslash and an apostrophe stay: they stand for a quote in the names of CAs.
func value(s string, i int) (v string, quoted bool, next int, open bool) {
	var b strings.Builder
	in := false
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			in, quoted = !in, true
		case isBlank(c) && !in:
			return b.String(), quoted, i, false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), quoted, i, in
}
