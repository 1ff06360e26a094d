package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/goipsec/goipsec/pkg/pki"
)

// certificateRules reads what a policy asks of certificates.
func (r *reader) certificateRules(n *node) pki.Rules {
	var rules pki.Rules
	r.each(n, "certificates", certificatesKeys, func(key string, _, v *node) {
		switch key {
		case "min_rsa_bits":
			bits, ok := r.number(v, key, pki.LeastRSABits, pki.MostRSABits)
			if ok && bits < pki.DefaultRSABits {
				r.warn(v, "RSA keys of less than %d bits are weak: have such certificates issued anew", pki.DefaultRSABits)
			}
			rules.MinRSABits = int(bits)
		case "allow_sha1":
			if rules.AllowSHA1 = r.boolean(v, key); rules.AllowSHA1 {
				r.warn(v, "certificates signed with SHA-1 can be forged by who spends enough on it: have them issued anew and delete allow_sha1")
			}
		case "crl_check":
			level, ok := r.number(v, key, 0, 2)
			if rules.CRLCheck = pki.CRLLevel(int(level)); ok && level == 0 {
				r.warn(v, "revoked certificates are accepted: write 1, which refuses them where revocation is known, or 2")
			}
		case "crls":
			var nodes []*node
			rules.CRLs, nodes = r.names(v, key)
			for i, path := range rules.CRLs {
				r.checkList(nodes[i], path)
			}
		case "ocsp":
			rules.NoOCSP = !r.boolean(v, key)
		case "fetch":
			rules.NoFetch = !r.boolean(v, key)
		case "cache":
			rules.Cache, _ = r.fileName(v, key)
		}
	})
	if rules.CRLCheck == pki.CRLStrong && rules.NoFetch && len(rules.CRLs) == 0 {
		r.warn(n, "crl_check 2 with fetch: false and without crls: every certificate fails, for nothing can say whether it was revoked; name files of lists as crls, or fetch them")
	}
	return rules
}

// checkList warns of a file of revocation lists that is of no use as it is. It may still be put there: it is read when it is needed.
func (r *reader) checkList(n *node, path string) {
	read := r.opts.ReadKey
	if read == nil {
		read = readLists
	}
	data, _, err := read(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		r.warn(n, "the revocation lists in %q cannot be read: %v; with crl_check 2 certificates fail until they can", shorten(path), err)
		return
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "X509 CRL" {
			data = block.Bytes
			break
		}
	}
	if _, err := x509.ParseRevocationList(data); err != nil {
		r.warn(n, "%q holds no revocation list, in DER or PEM", shorten(path))
	}
}

// maxLists bounds a file of revocation lists, in bytes.
const maxLists = 64 << 20

func readLists(name string) ([]byte, os.FileMode, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, errors.New("it is not a regular file")
	case info.Size() > maxLists:
		return nil, 0, fmt.Errorf("it has more than %d bytes", maxLists)
	}
	data, err := os.ReadFile(name)
	return data, info.Mode(), err
}
