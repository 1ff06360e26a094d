package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Identification types of RFC 2407 §4.6.2.1 that a certificate can prove (RFC 4945 §3.1).
const (
	IDIPv4     = 1
	IDFQDN     = 2
	IDUserFQDN = 3
	IDIPv6     = 5
	IDDN       = 9
)

// PeerIdentity is what a peer says of itself in an identification payload.
type PeerIdentity struct {
	Type uint8  // one of the IDs above
	Data []byte // as on the wire: an address of 4 or 16 bytes, a name, or an encoded distinguished name
}

// ParseIdentity checks an identification payload's type and data. An identity of another type cannot be proved by a certificate and is refused.
func ParseIdentity(idType uint8, data []byte) (PeerIdentity, error) {
	id := PeerIdentity{idType, data}
	bad := func(what string) (PeerIdentity, error) {
		return PeerIdentity{}, refuse(nil, Identity, "the peer's identity is %s", what)
	}
	switch idType {
	case IDIPv4, IDIPv6:
		if want := map[uint8]int{IDIPv4: 4, IDIPv6: 16}[idType]; len(data) != want {
			return bad(fmt.Sprintf("an address of %d bytes in place of %d", len(data), want))
		}
	case IDFQDN, IDUserFQDN:
		// RFC 4945 §3.1.2: no terminator. A NUL in a name has fooled those who compare up to it.
		if len(data) == 0 || len(data) > 255 || bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) {
			return bad("a name that is empty, too long or no text")
		}
		if user := bytes.IndexByte(data, '@') >= 0; user != (idType == IDUserFQDN) {
			return bad(fmt.Sprintf("%s, which is of another type than it says", quote(string(data))))
		}
	case IDDN:
		if len(data) > MaxCertificate {
			return bad("a distinguished name that is too long")
		}
		if name, err := parseDN(data); err != nil || len(name) == 0 {
			return bad("an empty or malformed distinguished name")
		}
	default:
		return bad(fmt.Sprintf("of type %d, which no certificate can prove: it should be an address, a name, user@name or a distinguished name", idType))
	}
	return id, nil
}

// String writes the identity for people, harmless for terminals.
func (id PeerIdentity) String() string {
	switch id.Type {
	case IDIPv4, IDIPv6:
		if a, ok := netip.AddrFromSlice(id.Data); ok {
			return a.String()
		}
	case IDFQDN, IDUserFQDN:
		return quote(string(id.Data))
	case IDDN:
		return quote(FormatDN(id.Data))
	}
	return fmt.Sprintf("identity of type %d", id.Type)
}

// HasIdentity checks that a certificate proves an identity (RFC 4945 §3.1): a distinguished name is the whole subject; a name, user@name or address stands in the
// subject alternative name, in an entry of its own kind. The common name of the subject is no host name, and a wildcard in a certificate is no identity.
// It says nothing about who issued the certificate: see Verify.
func HasIdentity(leaf *x509.Certificate, id PeerIdentity) error {
	id, err := ParseIdentity(id.Type, id.Data)
	if err != nil {
		return err
	}
	if id.provedBy(leaf) {
		return nil
	}
	return refuse(leaf, Identity, "it does not prove the identity %v: it holds %s", id, holds(leaf))
}

func (id PeerIdentity) provedBy(leaf *x509.Certificate) bool {
	switch id.Type {
	case IDIPv4, IDIPv6:
		for _, a := range leaf.IPAddresses {
			if b, ok := netip.AddrFromSlice(a); ok && len(a) == len(id.Data) && bytes.Equal(b.AsSlice(), id.Data) {
				return true
			}
		}
	case IDFQDN:
		for _, n := range leaf.DNSNames {
			if sameHost(n, string(id.Data)) && !strings.Contains(n, "*") {
				return true
			}
		}
	case IDUserFQDN:
		for _, n := range leaf.EmailAddresses {
			if sameMailbox(n, string(id.Data)) {
				return true
			}
		}
	case IDDN:
		return EqualDN(leaf.RawSubject, id.Data)
	}
	return false
}

// sameHost compares DNS names: ASCII letters without regard to case, one final dot is none.
func sameHost(a, b string) bool {
	a, b = strings.TrimSuffix(a, "."), strings.TrimSuffix(b, ".")
	return a != "" && lowerASCII(a) == lowerASCII(b)
}

// sameMailbox compares mailboxes: the host part without regard to case, the local part exactly.
func sameMailbox(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	return i > 0 && i == j && a[:i] == b[:j] && sameHost(a[i+1:], b[j+1:])
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// Identities lists what a certificate proves, its subject first, as a policy's local_id or remote_id names it.
func Identities(c *x509.Certificate) []string {
	var list []string
	if s := FormatDN(c.RawSubject); s != "" {
		list = append(list, s)
	}
	list = append(append(list, c.DNSNames...), c.EmailAddresses...)
	for _, a := range c.IPAddresses {
		list = append(list, a.String())
	}
	return list
}

// holds names what a certificate proves, a few of it.
func holds(c *x509.Certificate) string {
	list := Identities(c)
	if len(list) == 0 {
		return "none that IKE knows"
	}
	more := ""
	if len(list) > 6 {
		list, more = list[:6], " and others"
	}
	for i, s := range list {
		list[i] = quote(s)
	}
	return strings.Join(list, ", ") + more
}
