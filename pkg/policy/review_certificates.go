package policy

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
)

// The codes of findings about certificates.
const (
	CodeCertificateExpired = "certificate-expired"  // the machine's certificate or an authority's, or one not valid yet
	CodeCertificateSoon    = "certificate-expiring" // within ExpiryNotice
	CodeCertificateUnfit   = "certificate-unfit"    // peers would refuse the machine's certificate: key usage, purposes
	CodeCertificateWeak    = "certificate-weak"     // short RSA, small exponents, SHA-1
	CodeNoAuthority        = "ca-is-no-authority"   // a certificate under ca that vouches for nobody but itself
	CodeAnybodysGateway    = "gateway-not-named"    // a tunnel whose gateway may be anybody with a certificate
)

// ExpiryNotice is how long before its end a certificate is reported.
const ExpiryNotice = 30 * 24 * time.Hour

// ReviewCertificates says what in the certificates of a policy deserves another look at the time now: those of this machine that have expired or soon will, that are weak or that peers would refuse, and authorities
// that are none. Each certificate is told once, at the first place that names it.
func ReviewCertificates(p *Policy, now time.Time) []Finding {
	r := &certificateReview{review: review{c: &Compiled{Policy: p}}, now: now, said: map[string]bool{}}
	p.EveryRule(func(rule *Rule) bool {
		for i := range rule.Auth {
			if a := &rule.Auth[i]; a.Kind == Certificate && a.Cert != nil {
				r.method(rule, a)
			}
		}
		return true
	})
	return r.list
}

type certificateReview struct {
	review
	now  time.Time
	said map[string]bool // codes and certificates that were told
}

func (r *certificateReview) tell(c *x509.Certificate, code string, at Position, instead, format string, args ...any) {
	if id := code + string(c.Raw); !r.said[id] {
		r.said[id] = true
		r.add(code, at, instead, format, args...)
	}
}

func (r *certificateReview) method(rule *Rule, a *AuthMethod) {
	at := a.Cert.Source
	if at == (Position{}) {
		at = rule.Source
	}
	for _, x := range a.Cert.Current() {
		r.machine(rule, x.Leaf(), at)
		for _, c := range x.Chain[1:] {
			r.term(c, "the authority's certificate "+pki.Describe(c)+", which this host sends along,", at)
			r.strength(c, at)
		}
	}
	for _, ca := range a.Cert.CAs {
		r.authority(ca, at)
	}
	if t := rule.Tunnel; t != nil && a.Cert.Remote.IsZero() && (t.Remote.IsValid() || t.Endpoint.IsValid()) {
		r.add(CodeAnybodysGateway, at, "add remote_id with what the gateway's certificate names",
			"rule %q: whoever has a certificate of one of the authorities can pose as the other end of the tunnel", rule.Name)
	}
}

// machine looks at a certificate of this host.
func (r *certificateReview) machine(rule *Rule, c *x509.Certificate, at Position) {
	r.term(c, "this machine's certificate "+pki.Describe(c), at)
	r.strength(c, at)
	// As its own authority it must pass all that a peer looks at in it.
	_, err := pki.Verify(c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore)/2), []*x509.Certificate{c}, []*x509.Certificate{c}, pki.Rules{MinRSABits: pki.LeastRSABits, AllowSHA1: true})
	var e *pki.Error
	if errors.As(err, &e) {
		r.tell(c, CodeCertificateUnfit, at, "have a certificate issued that is meant for IKE", "rule %q: peers will refuse this machine's certificate %s: %s", rule.Name, pki.Describe(c), e.Detail)
	}
}

// term looks at the time of a certificate.
func (r *certificateReview) term(c *x509.Certificate, what string, at Position) {
	const form = "2006-01-02 15:04 MST"
	switch end := c.NotAfter.UTC().Format(form); {
	case r.now.After(c.NotAfter):
		r.tell(c, CodeCertificateExpired, at, "renew it: a new certificate in the same file is picked up by itself", "%s expired on %s: peers refuse it", what, end)
	case r.now.Before(c.NotBefore):
		r.tell(c, CodeCertificateExpired, at, "wait until then, or set this host's clock", "%s is not valid before %s", what, c.NotBefore.UTC().Format(form))
	case r.now.Add(ExpiryNotice).After(c.NotAfter):
		r.tell(c, CodeCertificateSoon, at, "renew it: a new certificate in the same file is picked up by itself", "%s expires on %s", what, end)
	}
}

// strength looks at the key and the signature of a certificate.
func (r *certificateReview) strength(c *x509.Certificate, at Position) {
	const instead = "have it issued anew, with RSA of 3072 bits or ECDSA on P-256, and SHA-256"
	weak := ""
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		switch bits := key.N.BitLen(); {
		case bits < pki.DefaultRSABits:
			weak = fmt.Sprintf("its RSA key has %d bits: peers want %d or more", bits, pki.DefaultRSABits)
		case key.E < 65537:
			weak = fmt.Sprintf("its RSA exponent is %d, and 65537 is safer", key.E)
		}
	}
	old := []x509.SignatureAlgorithm{x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA}
	if own := string(c.RawSubject) == string(c.RawIssuer); weak == "" && !own && slices.Contains(old, c.SignatureAlgorithm) {
		weak = fmt.Sprintf("it is signed with %v, which can be forged: peers refuse it", c.SignatureAlgorithm)
	}
	if weak != "" {
		r.tell(c, CodeCertificateWeak, at, instead, "certificate %s: %s", pki.Describe(c), weak)
	}
}

// authority looks at a certificate under ca.
func (r *certificateReview) authority(c *x509.Certificate, at Position) {
	r.term(c, "the authority's certificate "+pki.Describe(c), at)
	r.strength(c, at)
	if c.Version >= 3 && !c.IsCA {
		r.tell(c, CodeNoAuthority, at, "name the certificate of the authority that issued it, unless only this one peer is meant",
			"%s under ca is no authority: it vouches for nobody but itself", pki.Describe(c))
	}
}
