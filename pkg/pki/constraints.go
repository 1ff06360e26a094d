package pki

import (
	"bytes"
	"crypto/x509"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Kinds of general names (RFC 5280 §4.2.1.6), by their context tag.
const (
	gnEmail = 1
	gnDNS   = 2
	gnDN    = 4
	gnURI   = 6
	gnIP    = 7
)

// generalName is one name of a certificate, or the base of one constraint.
type generalName struct {
	kind  uint8
	value []byte
}

func readGeneralName(s *cryptobyte.String) (n generalName, ok bool) {
	var value cryptobyte.String
	var tag casn1.Tag
	if !s.ReadAnyASN1(&value, &tag) || tag&0xc0 != 0x80 {
		return n, false
	}
	n = generalName{uint8(tag) & 0x1f, value}
	if n.kind == gnDN { // explicit: the name is inside
		var inner cryptobyte.String
		if !value.ReadASN1Element(&inner, casn1.SEQUENCE) || !value.Empty() {
			return n, false
		}
		n.value = inner
	}
	return n, true
}

// constraints are the name constraints of one authority (RFC 5280 §4.2.1.10).
type constraints struct{ permitted, excluded []generalName }

// maxNames bounds the names and the constraints of one certificate: all are compared with all.
const maxNames = 256

func parseConstraints(der []byte) (c constraints, ok bool) {
	input := cryptobyte.String(der)
	var seq, permitted, excluded cryptobyte.String
	var hasPermitted, hasExcluded bool
	if !input.ReadASN1(&seq, casn1.SEQUENCE) || !input.Empty() ||
		!seq.ReadOptionalASN1(&permitted, &hasPermitted, casn1.Tag(0).ContextSpecific().Constructed()) ||
		!seq.ReadOptionalASN1(&excluded, &hasExcluded, casn1.Tag(1).ContextSpecific().Constructed()) || !seq.Empty() {
		return c, false
	}
	c.permitted, ok = readSubtrees(permitted)
	if !ok {
		return c, false
	}
	c.excluded, ok = readSubtrees(excluded)
	return c, ok && len(c.permitted)+len(c.excluded) > 0
}

func readSubtrees(s cryptobyte.String) (list []generalName, ok bool) {
	for !s.Empty() {
		var subtree cryptobyte.String
		if !s.ReadASN1(&subtree, casn1.SEQUENCE) || len(list) == maxNames {
			return nil, false
		}
		n, ok := readGeneralName(&subtree)
		if !ok || !subtree.Empty() { // minimum and maximum are not used in this profile
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}

// namesOf lists all names of a certificate that constraints may be about: the subject, the addresses of mail in it, and the subject alternative name.
func namesOf(c *x509.Certificate) (list []generalName, ok bool) {
	subject, err := parseDN(c.RawSubject)
	if err != nil {
		return nil, false
	}
	if len(subject) > 0 {
		list = append(list, generalName{gnDN, c.RawSubject})
	}
	for _, part := range subject {
		for _, a := range part {
			if a.oid == oidEmail {
				s, ok := a.text()
				if !ok {
					return nil, false
				}
				list = append(list, generalName{gnEmail, []byte(s)})
			}
		}
	}
	der, _, there := extension(c, oidSubjectAltName)
	if !there {
		return list, true
	}
	input := cryptobyte.String(der)
	var seq cryptobyte.String
	if !input.ReadASN1(&seq, casn1.SEQUENCE) || !input.Empty() {
		return nil, false
	}
	for !seq.Empty() {
		n, ok := readGeneralName(&seq)
		if !ok || len(list) == maxNames {
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}

// checkNames applies the name constraints of every authority to all certificates below it.
func checkNames(path []*x509.Certificate) *Error {
	for i := len(path) - 1; i > 0; i-- {
		der, _, there := extension(path[i], oidNameConstraints)
		if !there {
			continue
		}
		bounds, ok := parseConstraints(der)
		if !ok {
			return refuse(path[i], NameConstraint, "its name constraints cannot be read, or are more than %d", maxNames)
		}
		for j, c := range path[:i] {
			if j > 0 && bytes.Equal(c.RawSubject, c.RawIssuer) {
				continue // RFC 5280 §6.1.3 (b): a key rollover
			}
			names, ok := namesOf(c)
			if !ok {
				return refuse(c, NameConstraint, "its names cannot be read or are more than %d, and the CA %s is bound to some", maxNames, Describe(path[i]))
			}
			for _, n := range names {
				if !bounds.allow(n) {
					return refuse(c, NameConstraint, "its name %s lies outside of what the CA %s may issue", n, Describe(path[i]))
				}
			}
		}
	}
	return nil
}

// allow says whether a name is permitted and not excluded. Where there are constraints of a kind that is not understood, a name of that kind is not allowed.
func (c constraints) allow(n generalName) bool {
	for _, base := range c.excluded {
		if base.kind == n.kind && n.within(base.value, true) {
			return false
		}
	}
	bound := false
	for _, base := range c.permitted {
		if base.kind == n.kind {
			if n.within(base.value, false) {
				return true
			}
			bound = true
		}
	}
	return !bound
}

// within says whether a name lies in a subtree. What cannot be told counts as excluded and as not permitted.
func (n generalName) within(base []byte, excluded bool) bool {
	name, bound := lowerASCII(string(n.value)), lowerASCII(string(base))
	switch n.kind {
	case gnDNS:
		name, bound = strings.TrimSuffix(name, "."), strings.TrimSuffix(bound, ".")
		if rest, wild := strings.CutPrefix(name, "*."); wild && excluded && domainWithin(strings.TrimPrefix(bound, "."), rest, true) {
			return true // the wildcard takes in the subtree
		}
		return domainWithin(name, bound, true)
	case gnEmail:
		at := strings.LastIndexByte(name, '@')
		if at < 0 {
			return excluded
		}
		if strings.Contains(bound, "@") {
			return sameMailbox(string(n.value), string(base))
		}
		return domainWithin(name[at+1:], bound, false)
	case gnURI:
		u, err := url.Parse(string(n.value))
		if err != nil || u.Hostname() == "" {
			return excluded
		}
		if _, err := netip.ParseAddr(u.Hostname()); err == nil {
			return excluded // RFC 5280: such a URI must be refused
		}
		return domainWithin(lowerASCII(u.Hostname()), bound, false)
	case gnIP:
		return addressWithin(n.value, base, excluded)
	case gnDN:
		x, err1 := parseDN(n.value)
		y, err2 := parseDN(base)
		if err1 != nil || err2 != nil {
			return excluded
		}
		return hasPrefix(x, y)
	}
	return excluded
}

// domainWithin says whether a host lies in a domain. A domain with a dot before it holds what is below it only; one without holds itself, and what is below it if deep.
func domainWithin(host, domain string, deep bool) bool {
	if domain == "" {
		return true
	}
	if strings.HasPrefix(domain, ".") {
		return strings.HasSuffix(host, domain)
	}
	return host == domain || deep && strings.HasSuffix(host, "."+domain)
}

// addressWithin compares an address with an address and mask of its family.
func addressWithin(addr, base []byte, excluded bool) bool {
	if len(addr) != 4 && len(addr) != 16 || len(base) != 8 && len(base) != 32 {
		return excluded
	}
	if len(base) != 2*len(addr) {
		return false
	}
	net, mask := base[:len(addr)], base[len(addr):]
	for i := range addr {
		if (addr[i]^net[i])&mask[i] != 0 {
			return false
		}
	}
	return true
}

// String writes a name for people.
func (n generalName) String() string {
	switch n.kind {
	case gnDN:
		return quote(FormatDN(n.value))
	case gnIP:
		if a, ok := netip.AddrFromSlice(n.value); ok {
			return a.String()
		}
	}
	return quote(string(n.value))
}
