package interchange

import (
	"fmt"
	"strings"
)

// Bounds of what one configuration may be made of, includes and inherited sections counted.
const (
	maxIncludes = 256
	maxNesting  = 16
	maxSettings = 20_000
)

// setting is a key with its value.
type setting struct {
	key, value string
	file       string
	line       int
}

// share is what a setting takes of maxSettings where it is inherited: a long list that many sections take over is read for each of them.
func (s setting) share() int { return 1 + len(s.value)/200 }

// section is a section of swanctl.conf with what it inherits from others put in.
type section struct {
	name     string
	file     string
	line     int
	settings []setting
	sections []*section
	refs     []string // sections to inherit from, by their full names
}

// value returns the last setting of a key.
func (s *section) setting(key string) (setting, bool) {
	for i := len(s.settings) - 1; i >= 0; i-- {
		if s.settings[i].key == key {
			return s.settings[i], true
		}
	}
	return setting{}, false
}

func (s *section) value(key, otherwise string) string {
	if x, ok := s.setting(key); ok {
		return strings.TrimSpace(x.value)
	}
	return otherwise
}

// child returns the section of that name, nil if there is none.
func (s *section) child(name string) *section {
	for _, c := range s.sections {
		if c.name == name {
			return c
		}
	}
	return nil
}

// settingsParser reads the syntax of strongswan.conf: sections in braces, settings, comments, includes, and references to other sections.
type settingsParser struct {
	includer
	notes *notes
	root  *section
	bytes int
	count int // settings and sections so far

	file string
	text string
	at   int
	line int
}

// parseSettings reads a configuration with what it includes.
func parseSettings(name string, data []byte, opts Options, n *notes) (*section, error) {
	p := &settingsParser{includer: includer{opts: opts}, notes: n, root: &section{}}
	if err := p.read(p.root, "", name, data, 0); err != nil {
		return nil, err
	}
	f := flattener{root: p.root, left: maxSettings, done: map[*section]bool{}}
	if err := f.flatten(p.root, nil); err != nil {
		return nil, err
	}
	return p.root, nil
}

// read parses one file into a section. file is its name in messages, "" for the first.
func (p *settingsParser) read(into *section, file, name string, data []byte, depth int) error {
	text, err := decode(data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if p.bytes += len(text); p.bytes > MaxSource {
		return fmt.Errorf("%s: with what is included there are more than %d bytes", name, MaxSource)
	}
	saved := *p
	p.file, p.text, p.at, p.line = file, text, 0, 1
	err = p.body(into, depth, false)
	includes, size, count := p.includes, p.bytes, p.count
	*p = saved
	p.includes, p.bytes, p.count = includes, size, count
	return err
}

func (p *settingsParser) fail(format string, args ...any) error {
	place := fmt.Sprintf("line %d", p.line)
	if p.file != "" {
		place = fmt.Sprintf("%s:%d", p.file, p.line)
	}
	return fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...))
}

// skip passes over white space and comments.
func (p *settingsParser) skip() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '\n':
			p.line++
			p.at++
		case c == ' ' || c == '\t' || c == '\r' || c == ';':
			p.at++
		case c == '#':
			p.toEnd()
		default:
			return
		}
	}
}

func (p *settingsParser) toEnd() {
	for p.at < len(p.text) && p.text[p.at] != '\n' {
		p.at++
	}
}

// blanks passes over spaces, and line ends if those do not count.
func (p *settingsParser) blanks() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t' || p.text[p.at] == '\r') {
		p.at++
	}
}

// word reads the name of a section or a key.
func (p *settingsParser) word() string {
	from := p.at
	for p.at < len(p.text) && !strings.ContainsRune(" \t\r\n={}#\",:", rune(p.text[p.at])) {
		p.at++
	}
	return p.text[from:p.at]
}

// body reads what stands between braces, or a whole file.
func (p *settingsParser) body(s *section, depth int, braced bool) error {
	if depth > maxNesting {
		return p.fail("sections are nested more than %d deep", maxNesting)
	}
	for {
		p.skip()
		switch {
		case p.at >= len(p.text) && braced:
			return p.fail("the section %s is not closed: a } is missing", quote(s.name))
		case p.at >= len(p.text):
			return nil
		case p.text[p.at] == '}' && braced:
			p.at++
			return nil
		case p.text[p.at] == '}':
			return p.fail("a } closes nothing")
		}
		if err := p.statement(s, depth); err != nil {
			return err
		}
	}
}

// statement reads a setting, a section or an include.
func (p *settingsParser) statement(s *section, depth int) error {
	if p.count++; p.count > maxSettings {
		return p.fail("there are more than %d settings", maxSettings)
	}
	line := p.line
	name := p.word()
	if name == "" {
		return p.fail("a name is expected")
	}
	p.blanks()
	if name == "include" && p.at < len(p.text) && p.text[p.at] != '=' && p.text[p.at] != '{' {
		pattern := strings.TrimSpace(p.rest())
		return p.include(s, strings.Trim(pattern, `"`), line, depth)
	}
	var refs []string
	if p.at < len(p.text) && p.text[p.at] == ':' {
		p.at++
		if refs = p.references(); refs == nil {
			return p.fail("behind the colon of section %s stand names of other sections", quote(name))
		}
	}
	p.skipTo('{')
	switch {
	case p.at < len(p.text) && p.text[p.at] == '{':
		p.at++
		c := s.child(name)
		if c == nil {
			c = &section{name: name, file: p.file, line: line}
			s.sections = append(s.sections, c)
		}
		c.refs = append(c.refs, refs...)
		return p.body(c, depth+1, true)
	case p.at < len(p.text) && p.text[p.at] == '=' && refs == nil:
		p.at++
		v, err := p.value()
		if err != nil {
			return err
		}
		s.settings = append(s.settings, setting{name, v, p.file, line})
		return nil
	}
	return p.fail("behind a name stands = or {")
}

// skipTo passes over line ends and comments if the next sign is c.
func (p *settingsParser) skipTo(c byte) {
	at, line := p.at, p.line
	p.skip()
	if p.at >= len(p.text) || p.text[p.at] != c {
		p.at, p.line = at, line
	}
}

// references reads names with commas between.
func (p *settingsParser) references() (refs []string) {
	for {
		p.blanks()
		ref := p.word()
		if ref == "" {
			return nil
		}
		refs = append(refs, ref)
		p.blanks()
		if p.at >= len(p.text) || p.text[p.at] != ',' {
			return refs
		}
		p.at++
	}
}

// rest reads to the end of the line, or to a comment.
func (p *settingsParser) rest() string {
	from := p.at
	for p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '#' {
		p.at++
	}
	return p.text[from:p.at]
}

// value reads what stands behind an equals sign: to the end of the line, a comment or a brace; in quotes, these do not count.
func (p *settingsParser) value() (string, error) {
	var b strings.Builder
	p.blanks()
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case '\n', '#', '}':
			return strings.TrimRight(b.String(), " \t\r"), nil
		case '"':
			p.at++
			if err := p.quoted(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			p.at++
		}
	}
	return strings.TrimRight(b.String(), " \t\r"), nil
}

// quoted reads to the closing quote.
func (p *settingsParser) quoted(b *strings.Builder) error {
	line := p.line
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			return nil
		case c == '\\' && p.at < len(p.text):
			e := p.text[p.at]
			p.at++
			if r, ok := map[byte]string{'n': "\n", 'r': "\r", 't': "\t", '\n': ""}[e]; ok {
				b.WriteString(r)
			} else {
				b.WriteByte(e)
			}
			if e == '\n' {
				p.line++
			}
		default:
			if c == '\n' {
				p.line++
			}
			b.WriteByte(c)
		}
	}
	p.line = line
	return p.fail("a quote is not closed")
}
