package pki

import "fmt"

// Rules are what a policy asks of certificates. The zero value has the defaults: RSA keys of 2048 bits or more, no SHA-1, a certificate is refused if it is known to
// be revoked, OCSP is asked and lists are fetched.
type Rules struct {
	MinRSABits int      // 0: 2048; less than 1024 counts as 1024
	AllowSHA1  bool     // signatures on certificates by SHA-1, which can be forged with enough effort
	CRLCheck   CRLCheck // how strictly revocation is checked
	CRLs       []string // files of revocation lists, absolute names
	NoOCSP     bool     // do not ask OCSP responders
	NoFetch    bool     // fetch nothing from the network: only files and the cache are looked at
	Cache      string   // directory of the cache of revocation lists; "": the default
}

// Bounds of RSA keys in bits.
const (
	DefaultRSABits = 2048
	LeastRSABits   = 1024 // no policy can allow less
	MostRSABits    = 16384
)

// RSABits is the least length of an RSA key.
func (r Rules) RSABits() int {
	if r.MinRSABits == 0 {
		return DefaultRSABits
	}
	return max(r.MinRSABits, LeastRSABits)
}

// CRLCheck is how strictly revocation is checked. The zero value is the default, level 1.
type CRLCheck uint8

const (
	CRLIfKnown CRLCheck = iota // level 1: a certificate that is known to be revoked fails; failures of checking do not
	CRLOff                     // level 0: nothing is checked
	CRLStrong                  // level 2: any failure of checking fails the certificate
)

// CRLLevel returns the check of a level from 0 to 2.
func CRLLevel(level int) CRLCheck {
	switch level {
	case 0:
		return CRLOff
	case 2:
		return CRLStrong
	}
	return CRLIfKnown
}

// Level is the number that an administrator knows it by: 0, 1 or 2.
func (c CRLCheck) Level() int {
	switch c {
	case CRLOff:
		return 0
	case CRLStrong:
		return 2
	}
	return 1
}

// String names the level.
func (c CRLCheck) String() string { return fmt.Sprintf("crl_check %d", c.Level()) }
