package pki

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// attribute is one attribute of a distinguished name.
type attribute struct {
	oid   string // dotted
	tag   casn1.Tag
	value []byte // as encoded
}

// rdn is a relative distinguished name: a set of attributes, almost always one.
type rdn []attribute

const maxRDNs = 64

// parseDN reads a distinguished name, most significant part first, as it is encoded.
func parseDN(raw []byte) ([]rdn, error) {
	input := cryptobyte.String(raw)
	var seq cryptobyte.String
	if !input.ReadASN1(&seq, casn1.SEQUENCE) || !input.Empty() {
		return nil, errors.New("it is no distinguished name")
	}
	var name []rdn
	for !seq.Empty() {
		var set cryptobyte.String
		if !seq.ReadASN1(&set, casn1.SET) || set.Empty() || len(name) == maxRDNs {
			return nil, errors.New("a part of the distinguished name is malformed")
		}
		var part rdn
		for !set.Empty() {
			var pair, value cryptobyte.String
			var oid asn1.ObjectIdentifier
			var tag casn1.Tag
			if !set.ReadASN1(&pair, casn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) || !pair.ReadAnyASN1(&value, &tag) || !pair.Empty() || len(part) == maxRDNs {
				return nil, errors.New("an attribute of the distinguished name is malformed")
			}
			part = append(part, attribute{oid.String(), tag, value})
		}
		name = append(name, part)
	}
	return name, nil
}

// text decodes the attribute's value; ok is false for values that are no text.
func (a attribute) text() (s string, ok bool) {
	switch a.tag {
	case casn1.PrintableString, casn1.UTF8String, casn1.IA5String, 18 /* NumericString */, 26 /* VisibleString */ :
		return string(a.value), utf8.Valid(a.value)
	case casn1.T61String: // in practice Latin-1
		runes := make([]rune, len(a.value))
		for i, b := range a.value {
			runes[i] = rune(b)
		}
		return string(runes), true
	case 30: // BMPString
		if len(a.value)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(a.value)/2)
		for i := range units {
			units[i] = uint16(a.value[2*i])<<8 | uint16(a.value[2*i+1])
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}

// equal compares two attributes as RFC 5280 §7.1 asks: text without regard to case, to the kind of string and to how many spaces part words.
func (a attribute) equal(b attribute) bool {
	if a.oid != b.oid {
		return false
	}
	s, ok1 := a.text()
	t, ok2 := b.text()
	if ok1 && ok2 {
		return foldText(s) == foldText(t)
	}
	return a.tag == b.tag && bytes.Equal(a.value, b.value)
}

// foldText gives texts that are equal but for case and spaces the same form.
func foldText(s string) string {
	return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, strings.Join(strings.Fields(s), " "))
}

// equal compares two sets of attributes.
func (r rdn) equal(o rdn) bool {
	if len(r) != len(o) {
		return false
	}
	taken := make([]bool, len(o))
next:
	for _, a := range r {
		for i, b := range o {
			if !taken[i] && a.equal(b) {
				taken[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

// hasPrefix reports whether a name lies at or below another in the tree of names.
func hasPrefix(name, prefix []rdn) bool {
	if len(prefix) > len(name) {
		return false
	}
	for i := range prefix {
		if !prefix[i].equal(name[i]) {
			return false
		}
	}
	return true
}

// EqualDN compares two encoded distinguished names: byte for byte, or part for part with texts normalised as RFC 5280 §7.1 says. All parts count: a name is not
// equal to its own beginning.
func EqualDN(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err1 := parseDN(a)
	y, err2 := parseDN(b)
	return err1 == nil && err2 == nil && len(x) == len(y) && hasPrefix(x, y)
}

// attributeNames are the short names of attributes; the first of several for one attribute is how it is shown.
var attributeNames = []struct{ name, oid string }{
	{"CN", "2.5.4.3"}, {"C", "2.5.4.6"}, {"O", "2.5.4.10"}, {"OU", "2.5.4.11"}, {"L", "2.5.4.7"}, {"ST", "2.5.4.8"}, {"S", "2.5.4.8"}, {"STREET", "2.5.4.9"},
	{"SN", "2.5.4.4"}, {"SERIALNUMBER", "2.5.4.5"}, {"T", "2.5.4.12"}, {"TITLE", "2.5.4.12"}, {"GN", "2.5.4.42"}, {"G", "2.5.4.42"}, {"DNQ", "2.5.4.46"},
	{"ORGANIZATIONIDENTIFIER", "2.5.4.97"}, {"DC", "0.9.2342.19200300.100.1.25"}, {"UID", "0.9.2342.19200300.100.1.1"}, {"E", "1.2.840.113549.1.9.1"},
	{"EMAIL", "1.2.840.113549.1.9.1"}, {"EMAILADDRESS", "1.2.840.113549.1.9.1"},
}

const oidEmail = "1.2.840.113549.1.9.1"

func attributeName(oid string) string {
	for _, a := range attributeNames {
		if a.oid == oid {
			return a.name
		}
	}
	return oid
}

// FormatDN writes an encoded distinguished name in the order in which it is encoded, as ParseDNPattern reads it: C=CH, O=Lab, CN=gw.example.com. A name that cannot be read is
// shown as hexadecimal digits.
func FormatDN(raw []byte) string {
	name, err := parseDN(raw)
	if err != nil {
		return "#" + hex.EncodeToString(raw[:min(len(raw), maxShown/2)])
	}
	var parts []string
	for _, r := range name {
		var set []string
		for _, a := range r {
			s, ok := a.text()
			if !ok {
				s = "#" + hex.EncodeToString(a.value)
			} else {
				s = escapeValue(s)
			}
			set = append(set, attributeName(a.oid)+"="+s)
		}
		parts = append(parts, strings.Join(set, "+"))
	}
	return strings.Join(parts, ", ")
}

// escapeValue puts a backslash before what has a meaning in a name.
func escapeValue(s string) string {
	var b strings.Builder
	for i, c := range s {
		edge := c == ' ' && (i == 0 || i == len(s)-1)
		if edge || strings.ContainsRune(`,+"\<>;*`, c) || i == 0 && c == '#' {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}
