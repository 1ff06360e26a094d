package suite

import (
	"errors"
	"fmt"
	"io"
)

// ErrPeerValue is wrapped by every error that Shared returns about the peer's public value.
var ErrPeerValue = errors.New("the peer's Diffie-Hellman value is refused")

// KeyExchange is one side of a Diffie-Hellman exchange.
type KeyExchange interface {
	// Public returns the value for the KE payload.
	Public() []byte
	// Shared checks the peer's public value (length first, then RFC 6989) and returns the shared secret
	// in the form that the IKE KDF uses (ECP: x only, RFC 5903; MODP: padded to the group's length).
	// The error wraps ErrPeerValue.
	Shared(peer []byte) ([]byte, error)
}

// groupRow describes one group.
type groupRow struct {
	id         Group
	name, weak string
	method     exchange
}

// groups is the list of key exchange groups, the best first.
var groups = []groupRow{
	{Curve25519, "curve25519", "", x25519{}},
	{ECP256, "ecp256", "", ecp256},
	{ECP384, "ecp384", "", ecp384},
	{ECP521, "ecp521", "", ecp521},
	{MODP4096, "modp4096", "", modp4096},
	{MODP3072, "modp3072", "", modp3072},
	{MODP2048, "modp2048", "", modp2048},
	{MODP1536, "modp1536", "1536-bit groups are below today's margin (RFC 8247 §2.4)", modp1536},
	{MODP1024, "modp1024", "1024-bit groups can be broken by a state, once for all who use them (Logjam)", modp1024},
	{MODP768, "modp768", "768-bit groups have been broken in public", modp768},
}

// exchange is a way to make key pairs in one group.
type exchange interface {
	publicLen() int
	generate(rand io.Reader) (KeyExchange, error)
	keyPair(secret []byte) (KeyExchange, error) // for known answers
}

// Groups lists the groups that work here, the best first.
func Groups() []Group {
	var list []Group
	for _, row := range groups {
		if works(row.id) == nil {
			list = append(list, row.id)
		}
	}
	return list
}

// Info returns the group's name and why it is weak; ok is false for one that is not known or that failed its self-test.
func (g Group) Info() (name, weak string, ok bool) {
	row := g.row()
	return row.name, row.weak, row.name != "" && works(g) == nil
}

// String returns the name that ParseGroup reads.
func (g Group) String() string {
	if g == GroupNone {
		return none
	}
	if row := g.row(); row.name != "" {
		return row.name
	}
	return fmt.Sprintf("group %d", uint16(g))
}

// PublicLen is the length in bytes of the group's public values on the wire, 0 for a group that is not known.
func (g Group) PublicLen() int {
	if method := g.row().method; method != nil {
		return method.publicLen()
	}
	return 0
}

// NewKeyExchange makes a fresh key pair in group g. It fails for a group that is not known or that failed its self-test, and
// where rand fails: no key is ever made from bytes that rand did not give (RFC 4086).
func NewKeyExchange(g Group, rand io.Reader) (KeyExchange, error) {
	method := g.row().method
	if method == nil {
		return nil, fmt.Errorf("no key exchange in %v: the group is not known", g)
	}
	if err := works(g); err != nil {
		return nil, err
	}
	if rand == nil {
		return nil, errors.New("no key exchange without a source of randomness")
	}
	return method.generate(rand)
}

// row returns the group's description, with no name for one that is not known.
func (g Group) row() groupRow {
	for i := range groups {
		if groups[i].id == g {
			return groups[i]
		}
	}
	return groupRow{}
}

// readRandom fills buf or says that the source of randomness failed.
func readRandom(rand io.Reader, buf []byte) error {
	if _, err := io.ReadFull(rand, buf); err != nil {
		return fmt.Errorf("no Diffie-Hellman key: the source of randomness failed: %w", err)
	}
	return nil
}

// checkLen compares the length of the peer's value with the group's before anything else looks at it.
func checkLen(peer []byte, want int) error {
	if len(peer) != want {
		return fmt.Errorf("%w: it has %d bytes where the group has %d", ErrPeerValue, len(peer), want)
	}
	return nil
}
