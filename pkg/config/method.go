package config

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// negotiate reads the body of negotiate: or of a named filter action.
func (r *reader) negotiate(n *node, what string) policy.FilterAction {
	at := map[string]*node{}
	r.each(n, what, negotiateKeys, func(key string, _, v *node) { at[key] = v })
	a := r.securityOf(n, at)
	if v := at["inbound_passthrough"]; v != nil {
		a.InboundPassthrough = r.boolean(v, "inbound_passthrough")
	}
	if v := at["fallback_to_clear"]; v != nil {
		a.Fallback = r.fallback(v)
	}
	return a
}

// securityOf reads what every negotiation has, from the values of the mapping n: methods, PFS and lifetime.
func (r *reader) securityOf(n *node, at map[string]*node) policy.FilterAction {
	a := policy.FilterAction{Kind: policy.Negotiate}
	methods, lifetime := at["methods"], at["lifetime"]
	if v := at["pfs"]; v != nil {
		a.PFS = r.group(v, "pfs")
	}
	var common policy.Lifetime
	if lifetime != nil {
		common = r.lifetime(lifetime)
	}
	if methods == nil {
		a.Methods = policy.DefaultMethods()
	} else {
		elements := r.list(methods, "methods")
		if isSequence(methods) && len(elements) == 0 {
			r.fail(methods, "leave out methods for the defaults", "the list of methods is empty")
		}
		for _, e := range elements {
			if m, ok := r.method(e); ok {
				if at := slices.IndexFunc(a.Methods, func(o policy.Method) bool { return o.String() == m.String() }); at >= 0 {
					r.warn(e, "the method %v stands in the list already: it is tried once", m)
				}
				r.negotiable(e, m)
				a.Methods = append(a.Methods, m)
			}
		}
	}
	for i := range a.Methods {
		l := &a.Methods[i].Lifetime
		if l.Seconds == 0 {
			l.Seconds = common.Seconds
		}
		if l.Kilobytes == 0 {
			l.Kilobytes = common.Kilobytes
		}
		r.checkLifetime(n, a.Methods[i])
	}
	return a
}

// method reads a security method in either form.
func (r *reader) method(n *node) (policy.Method, bool) {
	before := len(r.errs) + r.more
	var m policy.Method
	if isScalar(n) {
		if s, ok := r.str(n, "a method"); ok {
			r.methodText(n, s, &m)
		}
	} else {
		ok := r.each(n, "a method", methodKeys, func(key string, _, v *node) {
			switch key {
			case "esp":
				m.ESP = r.esp(v)
			case "ah":
				if s, ok := r.str(v, "ah"); ok {
					m.AH = r.ahText(v, s)
				}
			case "lifetime":
				m.Lifetime = r.lifetime(v)
			case "esn":
				m.ESN = r.boolean(v, key)
			}
		})
		if ok && m.ESP == nil && m.AH == nil && len(r.errs)+r.more == before {
			r.fail(n, "write esp, ah, or both", "the method has neither esp nor ah")
		}
	}
	if len(r.errs)+r.more > before {
		return m, false
	}
	r.checkMethod(n, m)
	return m, len(r.errs)+r.more == before
}

const methodHint = "a method on one line is esp ENCRYPTION [INTEGRITY], ah INTEGRITY, or both with a + between, such as " +
	"esp aes-gcm-16-128, esp aes-cbc-256 hmac-sha256-128, or ah hmac-sha256-128 + esp null"

// methodText reads the form on one line.
func (r *reader) methodText(n *node, s string, m *policy.Method) {
	for part := range strings.SplitSeq(s, "+") {
		words := strings.Fields(part)
		if len(words) > 1 && words[len(words)-1] == "esn" {
			m.ESN = true
			words = words[:len(words)-1]
		}
		rest := strings.Join(words[min(1, len(words)):], " ")
		switch {
		case len(words) > 1 && words[0] == "esp" && m.ESP == nil:
			m.ESP = r.espText(n, rest)
		case len(words) > 1 && words[0] == "ah" && m.AH == nil:
			m.AH = r.ahText(n, rest)
		default:
			r.fail(n, methodHint, "%q is no method", shorten(s))
			return
		}
	}
}

// esp reads an ESP transform in either form.
func (r *reader) esp(n *node) *policy.ESPMethod {
	if isScalar(n) {
		s, ok := r.str(n, "esp")
		if !ok {
			return nil
		}
		return r.espText(n, s)
	}
	e := &policy.ESPMethod{}
	bits := 0
	var encryption, size *node
	r.each(n, "esp", espKeys, func(key string, _, v *node) {
		switch key {
		case "encryption":
			encryption = v
			if s, ok := r.str(v, key); ok {
				e.Encr, e.KeyBits = r.encr(v, s)
			}
		case "key_bits":
			size = v
			b, _ := r.number(v, key, 0, 1024)
			bits = int(b)
		case "integrity":
			if s, ok := r.str(v, key); ok {
				e.Integ = r.integ(v, s)
			}
		}
	})
	if encryption == nil && isMapping(n) {
		r.fail(n, "write encryption: null for none", "esp names no encryption")
	}
	if size != nil && e.KeyBits != 0 && e.KeyBits != bits {
		r.fail(size, "say it once", "key_bits is %d, but the encryption's name says %d", bits, e.KeyBits)
	}
	if e.KeyBits == 0 {
		e.KeyBits = bits
	}
	return e
}

// espText reads "aes-gcm-16-128" or "aes-cbc-256 hmac-sha256-128".
func (r *reader) espText(n *node, s string) *policy.ESPMethod {
	words := strings.Fields(s)
	if len(words) < 1 || len(words) > 2 {
		r.fail(n, methodHint, "%q is no ESP transform", shorten(s))
		return nil
	}
	e := &policy.ESPMethod{}
	e.Encr, e.KeyBits = r.encr(n, words[0])
	if len(words) == 2 {
		e.Integ = r.integ(n, words[1])
	}
	return e
}

func (r *reader) ahText(n *node, s string) *policy.AHMethod {
	return &policy.AHMethod{Integ: r.integ(n, s)}
}

// spellings are the algorithm names that hints choose from.
func spellings[T interface{ String() string }](list []T, more ...string) []string {
	for _, x := range list {
		more = append(more, x.String())
	}
	return more
}

func (r *reader) encr(n *node, s string) (suite.Encr, int) {
	e, bits, err := suite.ParseEncr(s)
	if err != nil {
		names := []string{"3des", "aes128", "aes256"}
		for _, e := range suite.Encrs() {
			names = append(names, e.String())
			if info, ok := e.Info(); ok && !info.FixedKey {
				for _, b := range info.KeyBits {
					names = append(names, e.Name(b))
				}
			}
		}
		r.fail(n, didYouMean(s, names, "there are "+strings.Join(spellings(suite.Encrs()), ", ")), "unknown encryption algorithm %q", shorten(s))
	}
	return e, bits
}

func (r *reader) integ(n *node, s string) suite.Integ {
	i, err := suite.ParseInteg(s)
	if err != nil {
		r.fail(n, didYouMean(s, spellings(suite.Integs(), "sha1", "sha256", "sha384", "sha512", "md5"), "there are "+strings.Join(spellings(suite.Integs()), ", ")),
			"unknown integrity algorithm %q", shorten(s))
	}
	return i
}

func (r *reader) hash(n *node, s string) suite.Hash {
	h, err := suite.ParseHash(s)
	if err != nil {
		r.fail(n, didYouMean(s, spellings(suite.Hashes()), "there are "+strings.Join(spellings(suite.Hashes()), ", ")), "unknown hash %q", shorten(s))
	}
	return h
}

func (r *reader) groupText(n *node, s string) suite.Group {
	g, err := suite.ParseGroup(s)
	if err != nil {
		r.fail(n, didYouMean(s, spellings(suite.Groups()), "there are "+strings.Join(spellings(suite.Groups()), ", ")), "unknown key exchange group %q", shorten(s))
	}
	return g
}

func (r *reader) group(n *node, what string) suite.Group {
	s, ok := r.text(n, what)
	if !ok {
		return suite.GroupNone
	}
	return r.groupText(n, s)
}

// checkMethod settles the key size of m and refuses what cannot be, or what must not be.
func (r *reader) checkMethod(n *node, m policy.Method) {
	if m.AH != nil && m.AH.Integ == suite.IntegNone {
		r.fail(n, "name an integrity algorithm", "AH without integrity does nothing")
	}
	e := m.ESP
	if e == nil {
		return
	}
	info, ok := e.Encr.Info()
	if !ok {
		r.fail(n, "write encryption null for none", "ESP without an encryption algorithm")
		return
	}
	switch {
	case info.FixedKey:
		if e.KeyBits != 0 && !slices.Contains(info.KeyBits, e.KeyBits) {
			r.fail(n, "leave out the key size", "%s has keys of one size only", info.Name)
			return
		}
		e.KeyBits = 0
	case e.KeyBits == 0:
		e.KeyBits = info.KeyBits[0]
	case !slices.Contains(info.KeyBits, e.KeyBits):
		r.fail(n, "", "%s has keys of %s bits, not of %d", info.Name, oneOf(decimals(info.KeyBits)), e.KeyBits)
		return
	}
	switch integ, _ := e.Integ.Info(); {
	case info.Combined && e.Integ != suite.IntegNone:
		r.fail(n, "leave out "+integ.Name, "%s authenticates by itself: a second integrity algorithm cannot be negotiated with it", info.Name)
	case integ.IVLen > 0:
		r.fail(n, "use it in ah, or write esp aes-gmac", "%s is not an integrity algorithm of ESP (RFC 4543)", integ.Name)
	case !info.Combined && e.Integ == suite.IntegNone && m.AH == nil:
		what := "encryption without integrity can be read and changed by an attacker on the way"
		if e.Encr == suite.Null {
			what = "neither encryption nor integrity protects nothing"
		}
		r.fail(n, "add an integrity algorithm such as hmac-sha256-128, use aes-gcm-16, or add ah to the same method", "%s: %s", m, what)
	}
}

func decimals(list []int) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return out
}

// negotiable refuses algorithms that IKEv1 has no number for.
func (r *reader) negotiable(n *node, m policy.Method) {
	const hint = "use it with manual keys, or wait for IKEv2"
	if m.ESP != nil && m.ESP.Encr == suite.ChaCha20Poly1305 {
		r.fail(n, hint, "chacha20-poly1305 has no identifier in IKEv1 and cannot be negotiated")
	}
	if m.ESP != nil && m.ESP.Integ == suite.AESCMAC96 || m.AH != nil && m.AH.Integ == suite.AESCMAC96 {
		r.fail(n, hint, "aes-cmac-96 has no identifier in IKEv1 and cannot be negotiated")
	}
}

// weak warns of the method's weak algorithms.
func (r *reader) weak(n *node, method fmt.Stringer, why []string, instead string) {
	for _, w := range why {
		r.warn(n, "%v is weak: %s; write %s where the peer has it", method, w, instead)
	}
}

// lifetime reads the limits of a quick-mode SA.
func (r *reader) lifetime(n *node) policy.Lifetime {
	var l policy.Lifetime
	r.each(n, "lifetime", lifetimeKeys, func(key string, _, v *node) {
		b, _ := r.number(v, key, 1, math.MaxUint32)
		if key == "seconds" {
			l.Seconds = uint32(b)
		} else {
			l.Kilobytes = uint32(b)
		}
	})
	return l
}

// checkLifetime warns of limits that a cipher or a person may suffer from.
func (r *reader) checkLifetime(n *node, m policy.Method) {
	l, bound := m.Lifetime, policy.Method{ESP: m.ESP, AH: m.AH}.EffectiveLifetime().Kilobytes
	if l.Kilobytes > bound {
		r.warn(n, "%v: %d kilobytes under one key are more than the cipher's safe bound of %d", m, l.Kilobytes, bound)
	}
	if l.Seconds > 86400 {
		r.warn(n, "%v: a key lives %d seconds, more than a day", m, l.Seconds)
	}
	if l.Seconds != 0 && l.Seconds < 60 || l.Kilobytes != 0 && l.Kilobytes < 1024 {
		r.warn(n, "%v: keys this short-lived (%d s, %d KB) are negotiated all the time", m, l.Seconds, l.Kilobytes)
	}
}

// duration reads whole seconds, or a number with s, m, h or d, between lo and hi.
func (r *reader) duration(n *node, what string, lo, hi time.Duration) (time.Duration, bool) {
	s, ok := r.text(n, what)
	if !ok {
		return 0, false
	}
	unit := time.Second
	digits := s
	if len(s) > 1 {
		if u, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]; ok {
			unit, digits = u, s[:len(s)-1]
		}
	}
	v, ok := parseNumber(digits)
	if !ok || v > uint64(hi/unit) || time.Duration(v)*unit < lo {
		r.fail(n, "write seconds, or a number with s, m, h or d, such as 90s or 8h", "%s must be a time from %v to %v; here is %q", what, lo, hi, shorten(s))
		return 0, false
	}
	return time.Duration(v) * unit, true
}
