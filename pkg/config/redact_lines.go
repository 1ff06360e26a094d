package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// A file that is no YAML is redacted line by line. What a line means is then not known for sure, so that only that stays which could not be part of a key:
// keys that policy files have, and values that are addresses, numbers or known words.

// keyLine is a line with one key, perhaps behind dashes.
var keyLine = regexp.MustCompile(`^([ \t]*(?:- *)*)([a-z_]+)([ \t]*:)(?:[ \t]+(.*))?$`)

// byLine redacts text of which only lines are known.
func (d *redactor) byLine(data []byte) Redacted {
	d.Redacted = Redacted{}
	var out strings.Builder
	hidden := false // the last key was one whose value is not shown
	for n, line := range strings.Split(strings.ToValidUTF8(string(data), "?"), "\n") {
		line = strings.TrimRight(line, "\r")
		kept, whole := d.line(line)
		if m := keyLine.FindStringSubmatch(line); m != nil && known(m[2]) {
			hidden = slices.Contains(secretKeys, m[2]) || slices.Contains(textKeys, m[2]) || slices.Contains(fileKeys, m[2])
		} else if hidden && strings.TrimSpace(line) != "" {
			kept, whole = removed, false // it may go on with the value of the line before
		}
		out.WriteString(kept + "\n")
		for _, m := range secretValue.FindAllStringSubmatch(line, -1) {
			d.secret(m[1] + m[2] + m[3])
		}
		if !whole {
			d.Removed = append(d.Removed, fmt.Sprintf("line %d: what could be part of a key, for the file is not readable", n+1))
		}
	}
	d.Text = []byte(strings.TrimSuffix(out.String(), "\n"))
	d.finish()
	return d.Redacted
}

// secretValue finds the values of the keys of secrets, in quotes or plain.
var secretValue = regexp.MustCompile(`(?:` + strings.Join(secretKeys, "|") + `)["']?[ \t]*:[ \t]*(?:"([^"]*)"|'([^']*)'|([^\s,}\]"']+))`)

// line returns what may be shown of a line, and whether that is all of it.
func (d *redactor) line(s string) (kept string, whole bool) {
	if strings.TrimSpace(s) == "" {
		return s, true
	}
	if m := keyLine.FindStringSubmatch(s); m != nil && known(m[2]) {
		key, value := m[2], strings.TrimSpace(m[4])
		switch {
		case value == "":
			return s, true
		case slices.Contains(secretKeys, key), slices.Contains(textKeys, key):
		case slices.Contains(fileKeys, key):
			if d.isFile(strings.Trim(value, `"'`)) {
				return s, true
			}
		case harmless(value):
			return s, true
		}
		return m[1] + key + m[3] + " " + removed, false
	}
	if harmless(s) {
		return s, true
	}
	indent := s[:len(s)-len(strings.TrimLeft(s, " \t"))]
	return indent + removed, false
}

// wordOf splits a value into what stands between brackets, commas and blanks.
var wordOf = regexp.MustCompile(`[^\s\[\]{},"']+`)

// harmlessWords are those of filters, actions and methods that are no numbers and no addresses.
var harmlessWords = []string{"me", "any", "->", "<->", "-", "+", "permit", "block", "negotiate", "tcp", "udp", "icmp", "icmpv6", "gre", "sctp", "esp", "ah", "esn", "true", "false", "auto",
	"none", "off", "required", "copy", "set", "clear", "dns", "wins", "dhcp", "gateway", "all", "lan", "remote_access", "kerberos", "main", "aggressive", "config"}

// algorithm is the name of one.
var algorithm = regexp.MustCompile(`^(aes|hmac|3des|des|null|sha|md5|modp|ecp|curve|chacha20)[a-z0-9-]*$`)

// smallNumber has no room for a key; a time has a unit.
var smallNumber = regexp.MustCompile(`^[0-9]{1,7}([smhd]|-[0-9]{1,5})?$`)

// harmless reports whether a value is made of nothing but addresses, small numbers, known keys and known words.
func harmless(value string) bool {
	for _, w := range wordOf.FindAllString(value, -1) {
		name, isKey := strings.CutSuffix(w, ":")
		switch {
		case isKey && known(name) && !slices.Contains(secretKeys, name) && !slices.Contains(textKeys, name) && !slices.Contains(fileKeys, name):
		case slices.Contains(harmlessWords, w), smallNumber.MatchString(w), algorithm.MatchString(w) && len(w) < 24, isAddress(w):
		default:
			return false
		}
	}
	return true
}

// isAddress reports whether a word is an address, a subnet or a range of addresses.
func isAddress(w string) bool {
	if _, err := netip.ParseAddr(w); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(w); err == nil {
		return true
	}
	from, to, ok := strings.Cut(w, "-")
	_, errFrom := netip.ParseAddr(from)
	_, errTo := netip.ParseAddr(to)
	return ok && errFrom == nil && errTo == nil
}
