package config

import (
	"fmt"
	"math"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// manual reads a rule's own SAs: one method, and SPIs and keys for each direction.
func (r *reader) manual(n *node, testOnly bool) (*policy.ManualKeys, policy.FilterAction) {
	before := len(r.errs) + r.more
	action := policy.FilterAction{Kind: policy.Negotiate}
	keys := &policy.ManualKeys{TestOnly: testOnly}
	spis := map[string]*uint32{"spi_in": &keys.SPIIn, "spi_out": &keys.SPIOut, "ah_spi_in": &keys.AHSPIIn, "ah_spi_out": &keys.AHSPIOut}
	secrets := map[string]*policy.Secret{
		"encryption_key_in": &keys.EncrIn, "encryption_key_out": &keys.EncrOut, "integrity_key_in": &keys.IntegIn,
		"integrity_key_out": &keys.IntegOut, "ah_key_in": &keys.AHIn, "ah_key_out": &keys.AHOut,
	}
	seen := map[string]*node{}
	inline := false
	ok := r.each(n, "manual", manualKeys, func(key string, k, v *node) {
		seen[key] = k
		switch {
		case key == "method":
			if m, ok := r.method(v); ok {
				action.Methods = []policy.Method{m}
			}
		case spis[key] != nil:
			// RFC 4303 §2.1: 0 is for local use, 1 to 255 are reserved.
			v, _ := r.number(v, key, 256, math.MaxUint32)
			*spis[key] = uint32(v)
		case isMapping(v):
			*secrets[key] = r.manualKeyFile(v, key)
		default:
			inline = true
			*secrets[key] = r.inline(v, key)
		}
	})
	if inline {
		r.warn(n, "manual keys stand in the policy file: keep each in a file of its own ({file: NAME}) that only root may read")
	}
	if !ok || len(r.errs)+r.more > before {
		return nil, action
	}
	if len(action.Methods) == 0 {
		r.fail(n, methodHint, "manual has no method")
		return nil, action
	}
	r.checkManual(n, seen, keys, action.Methods[0])
	return keys, action
}

func (r *reader) manualKeyFile(n *node, what string) policy.Secret {
	var s policy.Secret
	found := false
	if r.each(n, what, keyFileKeys, func(_ string, _, v *node) { found, s = true, r.keyFile(v, what) }) && !found {
		r.fail(n, "write {file: NAME}", "%s names no file", what)
	}
	return s
}

// checkManual checks that the keys are those of the method, no more and no fewer.
func (r *reader) checkManual(n *node, seen map[string]*node, k *policy.ManualKeys, m policy.Method) {
	both := m.ESP != nil && m.AH != nil
	want := map[string]int{"spi_in": -1, "spi_out": -1} // key lengths in bytes; -1 for SPIs
	if both {
		want["ah_spi_in"], want["ah_spi_out"] = -1, -1
	}
	counter := ""
	if m.ESP != nil {
		info, _ := m.ESP.Encr.Info()
		if n := m.ESP.Encr.KeyMatLen(m.ESP.KeyBits); n > 0 {
			want["encryption_key_in"], want["encryption_key_out"] = n, n
		}
		if info.Counter {
			counter = info.Name
		}
		if m.ESP.Integ != suite.IntegNone {
			want["integrity_key_in"], want["integrity_key_out"] = m.ESP.Integ.KeyMatLen(), m.ESP.Integ.KeyMatLen()
		}
	}
	if m.AH != nil {
		if info, _ := m.AH.Integ.Info(); info.Counter {
			counter = info.Name
		}
		want["ah_key_in"], want["ah_key_out"] = m.AH.Integ.KeyMatLen(), m.AH.Integ.KeyMatLen()
	}
	have := map[string]policy.Secret{
		"encryption_key_in": k.EncrIn, "encryption_key_out": k.EncrOut, "integrity_key_in": k.IntegIn,
		"integrity_key_out": k.IntegOut, "ah_key_in": k.AHIn, "ah_key_out": k.AHOut,
	}
	for _, key := range manualKeys[1:] {
		length, wanted := want[key]
		at := seen[key]
		switch {
		case wanted && at == nil:
			r.fail(n, keyHint(length), "%v needs %s", m, key)
		case !wanted && at != nil:
			r.fail(at, "delete it", "%v has no use for %s", m, key)
		case wanted && length > 0 && have[key].Len() != length:
			r.fail(at, keyHint(length), "%v needs a %s of %d bytes (key and salt together); this one has %d", m, key, length, have[key].Len())
		}
	}
	r.checkSPIs(n, k, both)
	switch {
	case counter == "":
	case k.TestOnly:
		r.warn(n, "test_only: %s with manual keys repeats its nonces after every restart, which gives the traffic away: never use this rule for real traffic", counter)
	default:
		r.fail(n, "use aes-cbc with hmac-sha256-128, or negotiate; a test may say test_only: true in its rule",
			"%s must not be used with manual keys: a restart would repeat a nonce under the same key", counter)
	}
	for _, pair := range [][2]policy.Secret{{k.EncrIn, k.EncrOut}, {k.IntegIn, k.IntegOut}, {k.AHIn, k.AHOut}} {
		if pair[0].Len() > 0 && pair[0].Equal(pair[1]) {
			r.warn(n, "both directions have the same key: packets can be reflected to their sender; use two keys")
			break
		}
	}
}

func keyHint(length int) string {
	if length < 0 {
		return "an SPI is a number from 256 to 4294967295, in decimal or with 0x"
	}
	return fmt.Sprintf("write 0x and %d hexadecimal digits: echo 0x$(head -c %d /dev/urandom | od -An -vtx1 | tr -d ' \\n')", 2*length, length)
}

// checkSPIs refuses an ESP and an AH SA of one direction that would be one.
func (r *reader) checkSPIs(n *node, k *policy.ManualKeys, both bool) {
	if both && k.SPIIn == k.AHSPIIn {
		r.fail(n, "give AH another SPI", "spi_in and ah_spi_in are the same: an SPI names one inbound SA")
	}
}
