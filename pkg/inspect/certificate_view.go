package inspect

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// certificateText says which certificates a rule shows and which authorities it accepts.
func certificateText(c *policy.CertAuth) string {
	var own, cas []string
	for _, x := range c.Current() {
		own = append(own, fmt.Sprintf("%s until %s", pki.Describe(x.Leaf()), x.Leaf().NotAfter.UTC().Format("2006-01-02")))
	}
	for _, x := range c.CAs {
		cas = append(cas, pki.Describe(x))
	}
	return " " + strings.Join(own, " or ") + ", peers under " + strings.Join(cas, " or ")
}

// certificateRules says what a policy asks of certificates, "" if no rule has some.
func certificateRules(p *policy.Policy) string {
	used := false
	p.EveryRule(func(r *policy.Rule) bool {
		for i := range r.Auth {
			used = used || r.Auth[i].Kind == policy.Certificate
		}
		return !used
	})
	if !used {
		return ""
	}
	r := p.Certificates
	parts := []string{fmt.Sprintf("RSA of %d bits or more", r.RSABits())}
	if r.AllowSHA1 {
		parts = append(parts, "SHA-1 allowed")
	}
	parts = append(parts, r.CRLCheck.String())
	if r.CRLCheck == pki.CRLOff {
		return strings.Join(parts, ", ")
	}
	if len(r.CRLs) > 0 {
		parts = append(parts, "lists in "+strings.Join(r.CRLs, ", "))
	}
	switch {
	case r.NoFetch:
		parts = append(parts, "nothing is fetched")
	case r.NoOCSP:
		parts = append(parts, "lists are fetched")
	default:
		parts = append(parts, "OCSP, lists are fetched")
	}
	return strings.Join(parts, ", ")
}
