package isakmp

import "fmt"

// CertEncoding is the kind of a certificate payload (RFC 2408 §3.9).
type CertEncoding uint8

// CertX509Signature is an X.509 certificate for signatures, the one kind that is sent and read.
const CertX509Signature CertEncoding = 4

// maxCertificate bounds one certificate of a peer, in bytes.
const maxCertificate = 32 << 10

// CertPayload is the body of a certificate payload with an X.509 certificate, or of a certificate request for a CA: then der is its
// distinguished name, and an empty one asks for any certificate (RFC 2408 §3.9, §3.10).
func CertPayload(der []byte) []byte { return append([]byte{uint8(CertX509Signature)}, der...) }

// ParseCert reads the body of a certificate payload or of a certificate request; data is a slice of it.
func ParseCert(b []byte) (e CertEncoding, data []byte, err error) {
	if len(b) == 0 || len(b) > maxCertificate {
		return 0, nil, fmt.Errorf("%w: a certificate payload of %d bytes", ErrSyntax, len(b))
	}
	return CertEncoding(b[0]), b[1:], nil
}
