package config

import "github.com/goipsec/goipsec/pkg/pki"

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
			rules.CRLs, _ = r.names(v, key)
		case "ocsp":
			rules.NoOCSP = !r.boolean(v, key)
		case "fetch":
			rules.NoFetch = !r.boolean(v, key)
		case "cache":
			rules.Cache, _ = r.fileName(v, key)
		}
	})
	return rules
}
