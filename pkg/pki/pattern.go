package pki

import (
	"errors"
	"fmt"
	"strings"
)

// DNPattern is a distinguished name some of whose values may be anything. The zero value matches nothing.
type DNPattern struct {
	parts []patternPart
	text  string
}

// patternPart is one RDN of a pattern.
type patternPart []patternAttribute

type patternAttribute struct {
	oid   string
	value string // folded
	any   bool
}

// maxPattern bounds the text of a pattern in bytes.
const maxPattern = 1024

// ParseDNPattern reads a pattern such as "C=CH, O=Lab, CN=*": the parts of a subject in the order of the certificate, which is that of
// FormatDN; most significant first. A * stands for one whole value, whatever it is; anything else is compared without regard to case and spaces. A comma, plus sign, asterisk or
// backslash that belongs to a value has a backslash before it, or the value stands in double quotes. Several attributes of one part are joined by a plus sign.
func ParseDNPattern(s string) (DNPattern, error) {
	if len(s) > maxPattern {
		return DNPattern{}, fmt.Errorf("a distinguished name has %d bytes at most", maxPattern)
	}
	p := DNPattern{text: s}
	var part patternPart
	for rest := s; ; {
		a, after, err := parseAttribute(rest)
		if err != nil {
			return DNPattern{}, err
		}
		if part = append(part, a); after == "" || after[0] == ',' {
			p.parts, part = append(p.parts, part), nil
		}
		if after == "" {
			break
		}
		if rest = after[1:]; len(p.parts) == maxRDNs || len(part) == maxRDNs {
			return DNPattern{}, errors.New("the distinguished name has too many parts")
		}
	}
	return p, nil
}

// parseAttribute reads NAME=VALUE up to an unescaped comma or plus sign, which it leaves.
func parseAttribute(s string) (a patternAttribute, rest string, err error) {
	name, value, ok := strings.Cut(s, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return a, "", fmt.Errorf("%q is no part of a distinguished name: write NAME=VALUE, as in C=CH, O=Lab, CN=gw.example.com", strings.TrimSpace(s))
	}
	if a.oid = oidOf(name); a.oid == "" {
		return a, "", fmt.Errorf("%q is no attribute of a distinguished name: there are CN, C, O, OU, L, ST, DC, UID, E, SN, GN, SERIALNUMBER, T, STREET, DNQ and numbers such as 2.5.4.3", name)
	}
	value = strings.TrimLeft(value, " ")
	if !strings.HasPrefix(value, `"`) {
		return plainValue(a, name, value)
	}
	text, rest, err := quotedValue(value[1:])
	if err != nil {
		return a, "", err
	}
	if rest = strings.TrimLeft(rest, " "); rest != "" && rest[0] != ',' && rest[0] != '+' {
		return a, "", fmt.Errorf("behind the quoted value of %s stands neither a comma nor a plus sign", name)
	}
	a.value = foldText(text)
	return a, rest, nil
}

func plainValue(a patternAttribute, name, value string) (patternAttribute, string, error) {
	var text strings.Builder
	escaped := false
	end := len(value)
scan:
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && i+1 == len(value):
			return a, "", fmt.Errorf("the value of %s ends in a backslash", name)
		case c == '\\':
			i++
			escaped = true
			text.WriteByte(value[i])
		case c == ',' || c == '+':
			end = i
			break scan
		default:
			text.WriteByte(c)
		}
	}
	trimmed := strings.TrimSpace(text.String())
	switch {
	case trimmed == "*" && !escaped:
		a.any = true
	case trimmed == "":
		return a, "", fmt.Errorf("%s has no value: write * for any", name)
	case strings.Contains(trimmed, "*") && !escaped:
		return a, "", fmt.Errorf(`a * stands for a whole value, not for a part of that of %s: write %s=*, or \* for the character`, name, name)
	}
	a.value = foldText(trimmed)
	return a, value[end:], nil
}

func quotedValue(s string) (text, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", errors.New("a quoted value has no end")
}

// oidOf finds an attribute by its name or its number.
func oidOf(name string) string {
	for _, a := range attributeNames {
		if strings.EqualFold(a.name, name) {
			return a.oid
		}
	}
	digits := strings.TrimPrefix(strings.ToLower(name), "oid.")
	for arc := range strings.SplitSeq(digits, ".") {
		if arc == "" || strings.Trim(arc, "0123456789") != "" || len(arc) > 1 && arc[0] == '0' {
			return ""
		}
	}
	if !strings.Contains(digits, ".") {
		return ""
	}
	return digits
}

// String returns the pattern as it was written.
func (p DNPattern) String() string { return p.text }

// Wild reports whether the pattern matches more than one name.
func (p DNPattern) Wild() bool {
	for _, part := range p.parts {
		for _, a := range part {
			if a.any {
				return true
			}
		}
	}
	return false
}

// Match reports whether an encoded distinguished name has the parts of the pattern: all of them, no others, in this order.
func (p DNPattern) Match(raw []byte) bool {
	name, err := parseDN(raw)
	if err != nil || len(name) != len(p.parts) || len(name) == 0 {
		return false
	}
	for i, part := range p.parts {
		if !part.match(name[i]) {
			return false
		}
	}
	return true
}

// match gives each attribute its own counterpart; those with a value choose before those that take any.
func (p patternPart) match(r rdn) bool {
	if len(p) != len(r) {
		return false
	}
	taken := make([]bool, len(r))
	for _, wild := range []bool{false, true} {
	next:
		for _, a := range p {
			if a.any != wild {
				continue
			}
			for i, b := range r {
				if !taken[i] && a.match(b) {
					taken[i] = true
					continue next
				}
			}
			return false
		}
	}
	return true
}

func (a patternAttribute) match(b attribute) bool {
	if a.oid != b.oid || a.any {
		return a.oid == b.oid
	}
	s, ok := b.text()
	return ok && foldText(s) == a.value
}
