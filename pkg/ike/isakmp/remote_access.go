package isakmp

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/policy"
)

// AskLogin hands over a name and a password that a peer has shown (XAUTH). The answer goes to Engine.AnswerLogin under the same ID; the exchange waits, with a
// deadline of its own.
type AskLogin struct {
	ID       uint64
	Remote   netip.AddrPort
	Rule     *policy.Rule // one of its authentication methods holds the users
	User     string       // as it came: escape it before it is shown
	Password policy.Secret
}

// Configured tells that a gateway has assigned an inner address to this host (mode config). The owner puts it on the device, expands the policy with it, and asks
// for the children of the rule.
type Configured struct {
	PeerID  uint64
	Rule    string
	Remote  netip.AddrPort
	Address netip.Addr
	DNS     []netip.Addr // name servers inside, as the gateway told
}

func (AskLogin) event()   {}
func (Configured) event() {}
