package interchange

import (
	"fmt"
	"strings"
)

// confSection is a section of ipsec.conf: conn NAME, ca NAME or config setup.
type confSection struct {
	kind, name string
	file       string
	line       int
	settings   []setting
}

// confParser reads the lines of ipsec.conf: a section begins at the margin, its settings are indented.
type confParser struct {
	includer
	notes    *notes
	sections []*confSection
	bytes    int
}

// read parses one file; file is its name in messages, "" for the first.
func (p *confParser) read(file, name string, data []byte, depth int) error {
	text, err := decode(data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if p.bytes += len(text); p.bytes > MaxSource {
		return fmt.Errorf("%s: with what is included there are more than %d bytes", name, MaxSource)
	}
	var here *confSection
	number := 0
	for raw := range strings.Lines(text) {
		number++
		s := strings.TrimRight(uncommented(raw), " \t\r\n")
		body := strings.TrimLeft(s, " \t")
		switch {
		case body == "":
		case len(body) < len(s):
			p.setting(here, file, number, body)
		default:
			if here, err = p.margin(file, number, body, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// uncommented cuts a comment off: a # at the start of the line or behind a space, in no quotes.
func uncommented(s string) string {
	in := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			in = !in
		case s[i] == '#' && !in && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t'):
			return s[:i]
		}
	}
	return s
}

// margin reads a line that begins at the margin.
func (p *confParser) margin(file string, number int, s string, depth int) (*confSection, error) {
	words := strings.Fields(s)
	p.notes.file = file
	defer func() { p.notes.file = "" }()
	switch {
	case len(words) == 0: // white space that is neither space nor tab
		return nil, nil
	case words[0] == "version" || words[0] == "config" && len(words) == 2:
		c := &confSection{kind: "config", name: words[0], file: file, line: number}
		return c, nil
	case (words[0] == "conn" || words[0] == "ca") && len(words) == 2:
		if len(p.sections) >= maxSettings {
			return nil, fmt.Errorf("line %d: there are more than %d sections", number, maxSettings)
		}
		c := &confSection{kind: words[0], name: strings.Trim(words[1], `"`), file: file, line: number}
		p.sections = append(p.sections, c)
		return c, nil
	case words[0] == "include" && len(words) == 2:
		return nil, p.include(strings.Trim(words[1], `"`), number, depth)
	}
	p.notes.lost(number, "the line is not understood: a section begins with conn NAME, ca NAME or config setup")
	return nil, nil
}

// setting reads key=value of a section.
func (p *confParser) setting(c *confSection, file string, number int, s string) {
	key, value, ok := strings.Cut(s, "=")
	if !ok || c == nil {
		p.notes.file = file
		p.notes.lost(number, "the line is not understood: below a section stands key=value")
		p.notes.file = ""
		return
	}
	value = strings.TrimSpace(value)
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	c.settings = append(c.settings, setting{strings.ToLower(strings.TrimSpace(key)), value, file, number})
}

func (p *confParser) include(pattern string, line, depth int) error {
	return p.each(p.notes, pattern, line, depth, func(name string, data []byte) error { return p.read(name, name, data, depth+1) })
}

// confReader resolves what sections take from %default and from each other.
type confReader struct {
	byName map[string]*confSection
	left   int // settings that may yet be inherited
}

// whole returns the settings of a section with those of the sections that it names by also; what stands in a section itself comes last and counts.
func (r *confReader) whole(c *confSection, above []*confSection) ([]setting, error) {
	if len(above) > maxNesting {
		return nil, fmt.Errorf("line %d: also= leads too deep", c.line)
	}
	for _, a := range above {
		if a == c {
			return nil, fmt.Errorf("line %d: conn %s names itself by also=", c.line, quote(c.name))
		}
	}
	var list []setting
	if d := r.byName["%default"]; d != nil && len(above) == 0 {
		list = append(list, d.settings...)
	}
	for _, x := range c.settings {
		if x.key != "also" {
			continue
		}
		from := r.byName[strings.Trim(x.value, `"`)]
		if from == nil {
			return nil, fmt.Errorf("line %d: also=%s names a conn that is not there", x.line, quote(x.value))
		}
		more, err := r.whole(from, append(above, c))
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	for _, x := range list {
		r.left -= x.share()
	}
	list = append(list, c.settings...)
	if r.left -= len(c.settings); r.left < 0 {
		return nil, fmt.Errorf("line %d: the sections inherit more than %d settings (long ones count as several)", c.line, maxSettings)
	}
	return list, nil
}
