package pki

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
)

// Name is an identity as a policy gives it: an address, a host name, user@name, or a pattern of distinguished names. The zero value is none:
// as remote_id any identity that the certificate proves, as local_id the certificate's own.
type Name struct {
	kind    uint8 // an ID type, 0: none
	pattern DNPattern
	data    []byte
	text    string
}

// ParseName reads local_id or remote_id of a certificate's authentication; "" is the zero Name.
func ParseName(s string) (Name, error) {
	n := Name{text: s}
	switch addr, err := netip.ParseAddr(s); {
	case s == "":
		return Name{}, nil
	case strings.Contains(s, "="):
		if n.pattern, err = ParseDNPattern(s); err != nil {
			return Name{}, err
		}
		n.kind = IDDN
	case err == nil && addr.Zone() != "":
		return Name{}, fmt.Errorf("an address in a certificate has no zone")
	case err == nil:
		addr = addr.Unmap()
		n.kind, n.data = IDIPv6, addr.AsSlice()
		if addr.Is4() {
			n.kind = IDIPv4
		}
	case strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) || len(s) > 255:
		return Name{}, fmt.Errorf("a name has 1 to 255 visible ASCII characters")
	case strings.Contains(s, "*"):
		return Name{}, fmt.Errorf("a * stands in distinguished names only, as in C=CH, O=Lab, CN=*")
	case strings.Contains(s, "@"):
		n.kind, n.data = IDUserFQDN, []byte(s)
	default:
		n.kind, n.data = IDFQDN, []byte(s)
	}
	return n, nil
}

// IsZero reports whether no name was given.
func (n Name) IsZero() bool { return n.kind == 0 }

// String returns the name as it was written.
func (n Name) String() string { return n.text }

// Wild reports whether the name stands for several.
func (n Name) Wild() bool { return n.kind == IDDN && n.pattern.Wild() }

// In reports whether a certificate proves the name.
func (n Name) In(leaf *x509.Certificate) bool {
	switch n.kind {
	case 0:
		return true
	case IDDN:
		return n.pattern.Match(leaf.RawSubject)
	}
	return PeerIdentity{n.kind, n.data}.provedBy(leaf)
}

// Accept checks a peer that the policy knows by this name: the certificate must prove the identity that the peer shows, and the name that the policy wants. They may differ in
// kind, since many peers always show their distinguished name: what counts is that the certificate holds both.
func (n Name) Accept(leaf *x509.Certificate, id PeerIdentity) error {
	if err := HasIdentity(leaf, id); err != nil {
		return err
	}
	if !n.In(leaf) {
		return refuse(leaf, Identity, "it is not that of %s, whom the policy wants (remote_id): it holds %s", quote(n.text), holds(leaf))
	}
	return nil
}

// Identity returns what this host shows to its peer: the name itself, or the certificate's subject for a pattern and for the zero Name, or, where the
// subject is empty, its first alternative name. The error says that the certificate does not prove the name: every peer would refuse it.
func (n Name) Identity(leaf *x509.Certificate) (PeerIdentity, error) {
	if !n.In(leaf) {
		return PeerIdentity{}, refuse(leaf, Identity, "it does not prove local_id %s: it holds %s", quote(n.text), holds(leaf))
	}
	if n.kind != 0 && n.kind != IDDN {
		return PeerIdentity{n.kind, n.data}, nil
	}
	if name, err := parseDN(leaf.RawSubject); err == nil && len(name) > 0 {
		return PeerIdentity{IDDN, leaf.RawSubject}, nil
	}
	switch {
	case len(leaf.DNSNames) > 0:
		return PeerIdentity{IDFQDN, []byte(leaf.DNSNames[0])}, nil
	case len(leaf.EmailAddresses) > 0:
		return PeerIdentity{IDUserFQDN, []byte(leaf.EmailAddresses[0])}, nil
	}
	for _, ip := range leaf.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			kind := uint8(IDIPv6)
			if len(ip) == 4 {
				kind = IDIPv4
			}
			return PeerIdentity{kind, a.AsSlice()}, nil
		}
	}
	return PeerIdentity{}, refuse(leaf, Identity, "it holds no identity that IKE knows: neither a subject nor a name or address")
}
