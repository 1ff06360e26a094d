package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/goipsec/goipsec/pkg/pki"
)

// list is a revocation list in the form in which it is asked. It is immutable.
type list struct {
	raw                    []byte
	issuer                 []byte // its encoded name
	algorithm              x509.SignatureAlgorithm
	signed, signature      []byte
	thisUpdate, nextUpdate time.Time // nextUpdate is zero where the list has none
	number                 *big.Int  // nil where it has none
	delta                  bool
	base                   *big.Int // of a delta: the least number of the list that it goes over
	point                  *issuingPoint
	freshest               []string       // URLs of delta lists
	revoked                map[string]int // serial numbers to reasons
	flaw                   error          // why it cannot be used, whoever signed it
}

// Reasons with a meaning of their own (RFC 5280 §5.3.1).
const (
	reasonHold   = 6
	reasonRemove = 8
)

var (
	oidIssuerAltName     = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidCRLNumber         = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReason            = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidInvalidity        = asn1.ObjectIdentifier{2, 5, 29, 24}
	oidDelta             = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuingPoint      = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}
	oidAuthorityKeyID    = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidFreshest          = asn1.ObjectIdentifier{2, 5, 29, 46}

	understood      = []asn1.ObjectIdentifier{oidIssuerAltName, oidCRLNumber, oidDelta, oidIssuingPoint, oidAuthorityKeyID, oidFreshest}
	understoodEntry = []asn1.ObjectIdentifier{oidReason, oidInvalidity}
)

var errIndirect = errors.New("it is an indirect list, which holds entries of other authorities; those are not supported")

func notUnderstood(oid asn1.ObjectIdentifier) error {
	return fmt.Errorf("it has the critical extension %v, which is not understood", oid)
}

// problem is an error of one sentence whose parts may come from a peer's certificate.
func problem(format string, args ...any) error {
	return errors.New(harmless(fmt.Sprintf(format, args...)))
}

// harmless cuts a text that may come from a certificate, and what a terminal might obey in it.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 1000)])
}

// parseList reads a list of at most limit bytes, DER or PEM.
func parseList(data []byte, limit int) (*list, error) {
	if bytes.HasPrefix(data, []byte("-----BEGIN ")) {
		block, _ := pem.Decode(data)
		if block == nil || block.Type != "X509 CRL" {
			return nil, errors.New("it is no revocation list")
		}
		data = block.Bytes
	}
	if err := pki.Bounded(data, limit); err != nil {
		return nil, problem("it is no revocation list: %v", err)
	}
	p, err := x509.ParseRevocationList(data)
	if err != nil {
		return nil, problem("it is no revocation list: %v", err)
	}
	l := &list{raw: data, issuer: p.RawIssuer, algorithm: p.SignatureAlgorithm, signed: p.RawTBSRevocationList, signature: p.Signature, thisUpdate: p.ThisUpdate, nextUpdate: p.NextUpdate, number: p.Number, revoked: make(map[string]int, len(p.RevokedCertificateEntries))}
	for _, e := range p.RevokedCertificateEntries {
		for _, x := range e.Extensions {
			switch {
			case x.Id.Equal(oidCertificateIssuer):
				l.flaw = errIndirect
			case x.Critical && !contains(understoodEntry, x.Id):
				l.flaw = notUnderstood(x.Id)
			}
		}
		l.revoked[string(e.SerialNumber.Bytes())] = e.ReasonCode
	}
	return l, l.extensions(p)
}

// extensions reads what says which certificates the list is about.
func (l *list) extensions(p *x509.RevocationList) error {
	for _, x := range p.Extensions {
		switch {
		case x.Id.Equal(oidDelta):
			l.delta, l.base = true, new(big.Int)
			input := cryptobyte.String(x.Value)
			if !input.ReadASN1Integer(l.base) || !input.Empty() {
				return errors.New("its delta indicator is malformed")
			}
		case x.Id.Equal(oidIssuingPoint):
			point, err := parseIssuingPoint(x.Value)
			if err != nil {
				return err
			}
			l.point = point
		case x.Id.Equal(oidFreshest):
			l.freshest = distributionURLs(x.Value)
		case x.Critical && !contains(understood, x.Id):
			l.flaw = notUnderstood(x.Id)
		}
	}
	return nil
}

func contains(list []asn1.ObjectIdentifier, oid asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(list, oid.Equal)
}

// isFrom reports whether the list bears the name of an authority.
func (l *list) isFrom(issuer *x509.Certificate) bool {
	return pki.EqualDN(l.issuer, issuer.RawSubject)
}

// usable says whether an authority vouches for the list, and whether all of it is understood (RFC 5280 §6.3.3 (f), (g)).
func (l *list) usable(issuer *x509.Certificate, r pki.Rules) error {
	switch {
	case !l.isFrom(issuer):
		return problem("it is a list of %s and not of %s", pki.FormatDN(l.issuer), pki.FormatDN(issuer.RawSubject))
	case l.flaw != nil:
		return l.flaw
	case l.point != nil && l.point.indirect:
		return errIndirect
	case issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
		return errors.New("the authority's key may not sign lists: its key usage lacks cRLSign")
	case !pki.VerifySignature(issuer, l.algorithm, l.signed, l.signature, r):
		return errors.New("its signature is wrong")
	}
	return nil
}

// skew is how far the clocks of an authority and of this host may be apart for what is new.
const skew = 5 * time.Minute

// current says whether the list holds at a time.
func (l *list) current(now time.Time) error {
	const form = "2006-01-02 15:04 MST"
	switch {
	case now.Add(skew).Before(l.thisUpdate):
		return fmt.Errorf("it is of the future: %s", l.thisUpdate.UTC().Format(form))
	case l.nextUpdate.IsZero():
		return errors.New("it does not say until when it holds")
	case now.After(l.nextUpdate):
		return fmt.Errorf("it expired on %s", l.nextUpdate.UTC().Format(form))
	}
	return nil
}

// entry returns why a certificate is on the list.
func (l *list) entry(serial *big.Int) (reason int, listed bool) {
	reason, listed = l.revoked[string(serial.Bytes())]
	return reason, listed
}

// issuingPoint is the part of an authority's certificates that a list is about (RFC 5280 §5.2.5).
type issuingPoint struct {
	urls                            []string
	named                           bool // it has a distribution point, be it one without an URL
	users, cas, attributes, partial bool
	indirect                        bool
}

func parseIssuingPoint(der []byte) (*issuingPoint, error) {
	malformed := errors.New("its issuing distribution point is malformed")
	p := &issuingPoint{}
	input := cryptobyte.String(der)
	var seq cryptobyte.String
	if !input.ReadASN1(&seq, casn1.SEQUENCE) || !input.Empty() {
		return nil, malformed
	}
	for !seq.Empty() {
		var value cryptobyte.String
		var tag casn1.Tag
		if !seq.ReadAnyASN1(&value, &tag) || tag&0xc0 != 0x80 {
			return nil, malformed
		}
		truth := len(value) == 1 && value[0] == 0xff
		switch tag & 0x1f {
		case 0:
			p.named, p.urls = true, pointURLs(value)
		case 1:
			p.users = truth
		case 2:
			p.cas = truth
		case 3:
			p.partial = true
		case 4:
			p.indirect = truth
		case 5:
			p.attributes = truth
		default:
			return nil, malformed
		}
	}
	return p, nil
}

// pointURLs reads the URLs of a distribution point's name.
func pointURLs(name cryptobyte.String) (urls []string) {
	var full cryptobyte.String
	if !name.ReadASN1(&full, casn1.Tag(0).ContextSpecific().Constructed()) {
		return nil
	}
	for !full.Empty() {
		var value cryptobyte.String
		var tag casn1.Tag
		if !full.ReadAnyASN1(&value, &tag) {
			return urls
		}
		if tag == casn1.Tag(6).ContextSpecific() {
			urls = append(urls, string(value))
		}
	}
	return urls
}

// distributionURLs reads the URLs of a list of distribution points (RFC 5280 §4.2.1.13).
func distributionURLs(der []byte) (urls []string) {
	input := cryptobyte.String(der)
	var seq cryptobyte.String
	if !input.ReadASN1(&seq, casn1.SEQUENCE) {
		return nil
	}
	for !seq.Empty() && len(urls) < MaxURLs {
		var point, name cryptobyte.String
		if !seq.ReadASN1(&point, casn1.SEQUENCE) {
			return urls
		}
		if point.ReadASN1(&name, casn1.Tag(0).ContextSpecific().Constructed()) {
			urls = append(urls, pointURLs(name)...)
		}
	}
	return urls
}

// covers says whether the list is about a certificate (RFC 5280 §6.3.3 (b)).
func (l *list) covers(c *x509.Certificate) error {
	p := l.point
	switch {
	case p == nil:
		return nil
	case p.attributes:
		return errors.New("it is about attribute certificates")
	case p.users && c.IsCA:
		return errors.New("it is not about authorities")
	case p.cas && !c.IsCA:
		return errors.New("it is about authorities only")
	case p.named && !slices.ContainsFunc(p.urls, func(u string) bool { return slices.Contains(c.CRLDistributionPoints, u) }):
		return errors.New("it is about another part of the authority's certificates")
	}
	return nil
}
