package interchange

import (
	"fmt"
	"path"
	"strings"
)

// include reads the files that a pattern stands for, as far as the import may, into the section in which they are included.
func (p *settingsParser) include(into *section, pattern string, line, depth int) error {
	p.notes.file = p.file
	defer func() { p.notes.file = "" }()
	return p.each(p.notes, pattern, line, depth, func(name string, data []byte) error { return p.read(into, name, name, data, depth+1) })
}

// includer reads files that others include, a bounded number of them.
type includer struct {
	opts     Options
	includes int
}

// each calls read for the files that a pattern stands for. What cannot be read is noted, and no error.
func (p *includer) each(n *notes, pattern string, line, depth int, read func(name string, data []byte) error) error {
	names, err := included(p.opts, pattern)
	if err != nil {
		n.lost(line, "include %s is not read: %v", quote(pattern), err)
		return nil
	}
	for _, name := range names {
		if p.includes++; p.includes > maxIncludes || depth >= maxNesting {
			n.lost(line, "include %s is not read: too many files, or files that include each other", quote(name))
			return nil
		}
		data, err := p.opts.ReadFile(name)
		if err != nil {
			n.lost(line, "include %s is not read: %v", quote(name), err)
			continue
		}
		if err := read(name, data); err != nil {
			return err
		}
	}
	return nil
}

// included returns the files that an include names.
func included(opts Options, pattern string) ([]string, error) {
	switch {
	case pattern == "":
		return nil, fmt.Errorf("it names no file")
	case opts.ReadFile == nil:
		return nil, fmt.Errorf("no file can be read here")
	case !strings.ContainsAny(pattern, "*?["):
		return []string{pattern}, nil
	case opts.Glob == nil:
		return nil, fmt.Errorf("no directory can be read here")
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, err
	}
	return opts.Glob(pattern)
}

// flattener puts into each section what it inherits. Inheritance is counted: a few lines must not grow into millions.
type flattener struct {
	root *section
	left int
	done map[*section]bool
}

// flatten works from the outside in: what a section inherits may bring subsections, which inherit in turn.
func (f *flattener) flatten(s *section, above []*section) error {
	if len(above) > maxNesting {
		return fmt.Errorf("line %d: sections inherit from each other without end, or %d deep", s.line, maxNesting)
	}
	if f.done[s] {
		return nil
	}
	refs := s.refs
	s.refs = nil
	for _, ref := range refs {
		from := f.find(ref)
		if from == nil {
			return fmt.Errorf("line %d: section %s inherits from %s, which is not there", s.line, quote(s.name), quote(ref))
		}
		for _, a := range append(above, s) {
			if a == from {
				return fmt.Errorf("line %d: section %s inherits from itself", s.line, quote(s.name))
			}
		}
		if err := f.flatten(from, append(above, s)); err != nil {
			return err
		}
		if err := f.inherit(s, from, 0); err != nil {
			return err
		}
	}
	for _, c := range s.sections {
		if err := f.flatten(c, append(above, s)); err != nil {
			return err
		}
	}
	f.done[s] = true
	return nil
}

// find returns the section with a full name such as connections.base.
func (f *flattener) find(ref string) *section {
	s := f.root
	for part := range strings.SplitSeq(ref, ".") {
		if s = s.child(part); s == nil {
			return nil
		}
	}
	return s
}

// inherit copies into s what it does not have itself.
func (f *flattener) inherit(s, from *section, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("line %d: sections inherit too deep", s.line)
	}
	own := map[string]bool{}
	for _, x := range s.settings {
		own[x.key] = true
	}
	for _, x := range from.settings {
		if f.left -= x.share(); f.left < 0 {
			return fmt.Errorf("line %d: sections inherit more than %d settings (long ones count as several)", s.line, maxSettings)
		}
		if !own[x.key] {
			s.settings = append(s.settings, x)
		}
	}
	for _, c := range from.sections {
		if f.left--; f.left < 0 {
			return fmt.Errorf("line %d: sections inherit more than %d settings", s.line, maxSettings)
		}
		mine := s.child(c.name)
		if mine == nil {
			mine = &section{name: c.name, file: c.file, line: c.line}
			s.sections = append(s.sections, mine)
		}
		if err := f.inherit(mine, c, depth+1); err != nil {
			return err
		}
	}
	return nil
}
