package interchange

import (
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// swanSecret is a shared secret of strongSwan with the identities that it is for; none: for everybody.
type swanSecret struct {
	ids    []string
	secret policy.Secret
	file   string
	line   int
	used   bool
}

// secretBytes reads a secret: text, 0x and hexadecimal digits, or 0s and base64. It returns nothing for what is none of these.
func secretBytes(s string) policy.Secret {
	var key []byte
	var err error
	switch {
	case strings.HasPrefix(s, "0x"):
		key, err = hex.DecodeString(strings.ReplaceAll(s[2:], "_", ""))
	case strings.HasPrefix(s, "0s"):
		key, err = base64.StdEncoding.DecodeString(s[2:])
		if err != nil {
			key, err = base64.RawStdEncoding.DecodeString(s[2:])
		}
	default:
		key = []byte(s)
	}
	if err != nil || len(key) > 4096 {
		return policy.Secret{}
	}
	return policy.NewSecret(key)
}

// chooseSecret returns the secret that fits best: first by how it names the peer, then by how it names this host; one that names nobody is for everybody.
func chooseSecret(list []swanSecret, local, remote []string) *swanSecret {
	best, found := 0, -1
	for i := range list {
		s := &list[i]
		score := 1
		if len(s.ids) > 0 {
			l, r := fitness(s.ids, local), fitness(s.ids, remote)
			if score = 0; l+r > 0 {
				score = 1 + l + 3*r
			}
		}
		if score > best {
			best, found = score, i
		}
	}
	if found < 0 {
		return nil
	}
	return &list[found]
}

// password returns that of a user.
func (s *swan) password(user string) policy.Secret {
	for i := range s.logins {
		if l := &s.logins[i]; fitness(l.ids, []string{user}) == 2 {
			l.used = true
			return l.secret
		}
	}
	return policy.Secret{}
}

// unusedSecrets notes the secrets that no connection took.
func (s *swan) unusedSecrets() {
	for _, list := range [...][]swanSecret{s.secrets, s.logins} {
		for _, x := range list {
			if !x.used {
				s.file = x.file
				s.remark(x.line, "a secret is left out: no connection that is carried over uses it")
			}
		}
	}
	s.file = ""
}

// fitness is 2 if one of the names of a host is among those of a secret, 1 if the secret is for anybody, else 0.
func fitness(ids, host []string) int {
	best := 0
	for _, a := range ids {
		if a == "%any" || a == "%any6" || a == "0.0.0.0" || a == "::" {
			best = max(best, 1)
		}
		for _, b := range host {
			if sameID(a, b) {
				best = 2
			}
		}
	}
	return best
}

func sameID(a, b string) bool {
	a, b = strings.TrimPrefix(a, "@"), strings.TrimPrefix(b, "@")
	if x, err := netip.ParseAddr(a); err == nil {
		y, err := netip.ParseAddr(b)
		return err == nil && x == y
	}
	return a != "" && strings.EqualFold(a, b)
}

// textSecret is a secret whose characters stand for themselves.
func textSecret(s string) policy.Secret { return policy.NewSecret([]byte(s)) }
