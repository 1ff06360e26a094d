package policy

import (
	"crypto/x509"

	"github.com/goipsec/goipsec/pkg/pki"
)

// CertAuth is authentication by certificates: who this host is, and who may say who the peer is. It is immutable but for the credentials, which are
// exchanged when their files are renewed; SAs do not end by that.
type CertAuth struct {
	Credentials *pki.Store          // this host's certificates with their keys
	CAs         []*x509.Certificate // acceptable root authorities, preferred first
	Local       pki.Name            // what this host shows; the zero Name: what its certificate says
	Remote      pki.Name            // whom the peer must prove to be; the zero Name: anybody whom one of CAs knows
	Source      Position            // where it stands in its file
}

// Current returns this host's certificates with their keys as they are now.
func (c *CertAuth) Current() []pki.Credential { return c.Credentials.Current() }

// Refresh reads the files of certificates and keys again if they have changed, and reports whether the credentials did. On an error the old ones stay.
func (c *CertAuth) Refresh() (changed bool, err error) { return c.Credentials.Refresh() }

// Choose returns the certificate to show to a peer that accepts the given authorities (encoded names, preferred first; none: any). It is one that proves the local identity;
// among several the one that the first authority leads to. ok is false if there is none; then a peer could not accept what this host has.
func (c *CertAuth) Choose(authorities [][]byte) (cred pki.Credential, ok bool) {
	var fitting []pki.Credential
	for _, x := range c.Current() {
		if c.Local.In(x.Leaf()) {
			fitting = append(fitting, x)
		}
	}
	if len(authorities) == 0 && len(fitting) > 0 {
		return fitting[0], true
	}
	for _, a := range authorities {
		for _, x := range fitting {
			if x.IssuedUnder(a) {
				return x, true
			}
		}
	}
	return pki.Credential{}, false
}
