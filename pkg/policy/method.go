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
	// MaxKilobytes is the limit in kilobytes of algorithms that suite gives no bound for: the largest that can be said, 4 TiB.
	// A negotiation need not offer it.
	MaxKilobytes = math.MaxUint32
)

// FloorSeconds and FloorKilobytes are the shortest lifetimes to which a peer can bring the SAs of either phase; a rule of this host can have shorter ones.
const (
	FloorSeconds   = 60
	FloorKilobytes = 20480
)

// DefaultMainModeLifetime is the lifetime of a main-mode SA whose policy names none.
const DefaultMainModeLifetime = 8 * time.Hour

// Defaults of PeerOptions.
const (
	DefaultDPDInterval  = 15 * time.Second
	DefaultDPDTimeout   = 30 * time.Second
	DefaultIdleTimeout  = 300 * time.Second
	DefaultReplayWindow = 1024
	MinReplayWindow     = 32
	MaxReplayWindow     = 65536
	MinFragmentSize     = 256
	MaxFragmentSize     = 65535
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

// EffectiveLifetime returns the lifetime with the default in the place of each limit that is not set: an hour, and the volume that
// is safe under one key of the cipher (100,000 KB for blocks of 64 bits).
func (m Method) EffectiveLifetime() Lifetime {
	l := m.Lifetime
	if l.Seconds == 0 {
		l.Seconds = DefaultSeconds
	}
	if l.Kilobytes == 0 {
		l.Kilobytes = MaxKilobytes
		if m.ESP != nil {
			if info, ok := m.ESP.Encr.Info(); ok && info.SafeKilobytes != 0 {
				l.Kilobytes = uint32(min(info.SafeKilobytes, MaxKilobytes))
			}
		}
	}
	return l
}

// String names the method as the policy file does, for example "esp aes-gcm-16-128" or "ah hmac-sha256-128 + esp null".
func (m Method) String() string {
	var parts []string
	if m.AH != nil {
		parts = append(parts, "ah "+m.AH.Integ.String())
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
	s := e.Encr.Name(e.KeyBits)
	if e.Integ != suite.IntegNone {
		s += " " + e.Integ.String()
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

// String names the method as the policy file does, for example "aes-cbc-256 sha256 curve25519".
func (m MainModeMethod) String() string {
	return m.Encr.Name(m.KeyBits) + " " + m.Hash.String() + " " + m.Group.String()
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
