package config

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// keyExchange reads a policy's main-mode settings.
func (r *reader) keyExchange(n *node) policy.KeyExchange {
	var k policy.KeyExchange
	var methods *node
	r.each(n, "key_exchange", exchangeKeys, func(key string, _, v *node) {
		switch key {
		case "methods":
			methods = v
			for _, e := range r.list(v, "methods") {
				if m, ok := r.mainMode(e); ok {
					k.Methods = append(k.Methods, m)
				}
			}
			if isSequence(v) && len(v.Content) == 0 {
				r.fail(v, "leave out methods for the defaults", "the list of methods is empty")
			}
		case "lifetime":
			k.Lifetime, _ = r.duration(v, key, time.Second, 30*24*time.Hour)
		case "quick_modes":
			b, _ := r.number(v, key, 0, math.MaxUint32)
			k.QuickModes = uint32(b)
		}
	})
	if methods == nil {
		k.Methods = policy.DefaultKeyExchange().Methods
	}
	return k
}

const mainModeHint = "a main-mode method on one line is ENCRYPTION HASH GROUP, such as aes-cbc-256 sha256 modp2048"

// mainMode reads one main-mode method in either form.
func (r *reader) mainMode(n *node) (policy.MainModeMethod, bool) {
	before := len(r.errs) + r.more
	var m policy.MainModeMethod
	if isScalar(n) {
		s, ok := r.str(n, "a main-mode method")
		words := strings.Fields(s)
		switch {
		case !ok:
		case len(words) != 3:
			r.fail(n, mainModeHint, "%q is no main-mode method", shorten(s))
		default:
			m.Encr, m.KeyBits = r.encr(n, words[0])
			m.Hash, m.Group = r.hash(n, words[1]), r.groupText(n, words[2])
		}
	} else {
		r.mainModeMapping(n, &m)
	}
	if len(r.errs)+r.more > before {
		return m, false
	}
	info, _ := m.Encr.Info()
	switch {
	case m.Encr != suite.DES && m.Encr != suite.TripleDES && m.Encr != suite.AESCBC:
		r.fail(n, "use aes-cbc; what protects the traffic is chosen in negotiate", "IKEv1 main mode encrypts with aes-cbc, 3des or des only")
		return m, false
	case info.FixedKey:
		m.KeyBits = 0
	case m.KeyBits == 0:
		m.KeyBits = info.KeyBits[0]
	case !slices.Contains(info.KeyBits, m.KeyBits):
		r.fail(n, "", "%s has keys of %s bits, not of %d", info.Name, oneOf(decimals(info.KeyBits)), m.KeyBits)
		return m, false
	}
	if m.Group == suite.GroupNone {
		r.fail(n, mainModeHint, "main mode cannot do without a key exchange group")
		return m, false
	}
	r.weak(n, m, m.Weak(), "aes-cbc-256 sha256 ecp256 or curve25519")
	return m, true
}

func (r *reader) mainModeMapping(n *node, m *policy.MainModeMethod) {
	seen := map[string]bool{}
	bits := 0
	ok := r.each(n, "a main-mode method", mainModeKeys, func(key string, _, v *node) {
		seen[key] = true
		switch key {
		case "encryption":
			if s, ok := r.str(v, key); ok {
				m.Encr, m.KeyBits = r.encr(v, s)
			}
		case "key_bits":
			b, _ := r.number(v, key, 0, 1024)
			bits = int(b)
		case "hash":
			if s, ok := r.str(v, key); ok {
				m.Hash = r.hash(v, s)
			}
		case "group":
			m.Group = r.group(v, key)
		}
	})
	if m.KeyBits == 0 {
		m.KeyBits = bits
	}
	for _, key := range []string{"encryption", "hash", "group"} {
		if ok && !seen[key] {
			r.fail(n, mainModeHint, "the main-mode method has no %s", key)
		}
	}
}
