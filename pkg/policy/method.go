package policy

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

// The limits of a quick-mode SA whose policy names none.
const (
	// DefaultSeconds is the lifetime in seconds.
	DefaultSeconds = 3600
	// DefaultKilobytes64 is the lifetime in kilobytes of ciphers with 64-bit blocks: 100,000 KB keeps the blocks under one key
	// near 2^23.6, far from the 2^32 at which collisions are expected.
	DefaultKilobytes64 = 100_000
	// MaxKilobytes is the lifetime in kilobytes of all others, the largest that can be said: 4 TiB, 2^38 blocks of 128 bits under
	// one key, where the advantage of telling the cipher from a random permutation is about 2^-53. A negotiation need not
	// offer it.
	MaxKilobytes = math.MaxUint32
)

// DefaultMainModeLifetime is the lifetime of a main-mode SA whose policy names none.
const DefaultMainModeLifetime = 8 * time.Hour

// Defaults of PeerOptions.
const (
	DefaultIdleTimeout  = 300 * time.Second
	DefaultReplayWindow = 1024
	MinReplayWindow     = 32
	MaxReplayWindow     = 65536
)

// DefaultMethods returns the security methods of a filter action that names none, preferred first.
func DefaultMethods() []Method {
	esp := func(e suite.Encr, bits int, i suite.Integ) Method {
		return Method{ESP: &ESPMethod{Encr: e, KeyBits: bits, Integ: i}}
	}
	return []Method{
		esp(suite.AESGCM16, 128, suite.IntegNone),
		esp(suite.AESGCM16, 256, suite.IntegNone),
		esp(suite.AESCBC, 256, suite.HMACSHA256_128),
		esp(suite.AESCBC, 128, suite.HMACSHA256_128),
	}
}

// DefaultKeyExchange returns the main-mode settings of a policy that names none.
func DefaultKeyExchange() KeyExchange {
	var k KeyExchange
	for _, g := range []suite.Group{suite.Curve25519, suite.ECP256, suite.MODP2048} {
		for _, bits := range []int{256, 128} {
			k.Methods = append(k.Methods, MainModeMethod{Encr: suite.AESCBC, KeyBits: bits, Hash: suite.SHA256, Group: g})
		}
	}
	return k
}

// EffectiveLifetime returns the lifetime with the default in the place of each limit that is not set.
func (m Method) EffectiveLifetime() Lifetime {
	l := m.Lifetime
	if l.Seconds == 0 {
		l.Seconds = DefaultSeconds
	}
	if l.Kilobytes == 0 {
		l.Kilobytes = MaxKilobytes
		if m.ESP != nil && (m.ESP.Encr == suite.DES || m.ESP.Encr == suite.TripleDES) {
			l.Kilobytes = DefaultKilobytes64
		}
	}
	return l
}

// String names the method as the policy file does, for example "esp aes-gcm-16 128" or "ah hmac-sha2-256-128 + esp null".
func (m Method) String() string {
	var parts []string
	if m.AH != nil {
		parts = append(parts, "ah "+integName(m.AH.Integ))
	}
	if m.ESP != nil {
		parts = append(parts, "esp "+m.ESP.String())
	}
	s := strings.Join(parts, " + ")
	if m.ESN {
		s += " esn"
	}
	return s
}

// String names the algorithms.
func (e *ESPMethod) String() string {
	s := encrName(e.Encr)
	if e.KeyBits != 0 {
		s += fmt.Sprintf(" %d", e.KeyBits)
	}
	if e.Integ != suite.IntegNone {
		s += " " + integName(e.Integ)
	}
	return s
}

// Weak says of each weak algorithm of the method why it is weak; empty if there is none.
func (m Method) Weak() []string {
	var why []string
	add := func(name, weak string) {
		if weak != "" {
			why = append(why, name+": "+weak)
		}
	}
	if m.AH != nil {
		if i, ok := m.AH.Integ.Info(); ok {
			add(i.Name, i.Weak)
		}
	}
	if m.ESP != nil {
		if e, ok := m.ESP.Encr.Info(); ok {
			add(e.Name, e.Weak)
		}
		if i, ok := m.ESP.Integ.Info(); ok && m.ESP.Integ != suite.IntegNone {
			add(i.Name, i.Weak)
		}
	}
	return why
}

// String names the method as the policy file does, for example "aes-cbc 256 sha256 curve25519".
func (m MainModeMethod) String() string {
	s := encrName(m.Encr)
	if m.KeyBits != 0 {
		s += fmt.Sprintf(" %d", m.KeyBits)
	}
	hash, _, _ := m.Hash.Info()
	group, _, _ := m.Group.Info()
	return s + " " + hash + " " + group
}

// Weak says of each weak algorithm of the method why it is weak; empty if there is none.
func (m MainModeMethod) Weak() []string {
	var why []string
	add := func(name, weak string) {
		if weak != "" {
			why = append(why, name+": "+weak)
		}
	}
	if e, ok := m.Encr.Info(); ok {
		add(e.Name, e.Weak)
	}
	name, weak, _ := m.Hash.Info()
	add(name, weak)
	name, weak, _ = m.Group.Info()
	add(name, weak)
	return why
}

// String names the action.
func (k ActionKind) String() string {
	switch k {
	case Block:
		return "block"
	case Negotiate:
		return "negotiate"
	case Permit:
		return "permit"
	}
	return fmt.Sprintf("action %d", uint8(k))
}

// String names the authentication method as the policy file does.
func (k AuthKind) String() string {
	switch k {
	case PSK:
		return "psk"
	case Certificate:
		return "certificate"
	case Kerberos:
		return "kerberos"
	}
	return fmt.Sprintf("authentication %d", uint8(k))
}

// String returns file:line:column, as far as they are known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func encrName(e suite.Encr) string {
	if i, ok := e.Info(); ok {
		return i.Name
	}
	return fmt.Sprintf("encryption %d", e)
}

func integName(i suite.Integ) string {
	if info, ok := i.Info(); ok {
		return info.Name
	}
	return fmt.Sprintf("integrity %d", i)
}
