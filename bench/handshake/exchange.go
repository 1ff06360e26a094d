package handshake

import (
	"crypto/rand"
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// exchange is what is negotiated.
type exchange struct {
	name  string
	group suite.Group
	pfs   suite.Group
	esp   policy.ESPMethod
	// filters is how many peers have a filter of their own, in the place of one for all.
	filters int
}

func exchanges() []exchange {
	gcm := policy.ESPMethod{Encr: suite.AESGCM16, KeyBits: 128}
	cbc := policy.ESPMethod{Encr: suite.AESCBC, KeyBits: 128, Integ: suite.HMACSHA256_128}
	return []exchange{
		{"curve25519", suite.Curve25519, suite.GroupNone, gcm, 0},
		{"curve25519-pfs", suite.Curve25519, suite.Curve25519, gcm, 0},
		{"curve25519-cbc", suite.Curve25519, suite.GroupNone, cbc, 0},
		{"curve25519-filters", suite.Curve25519, suite.GroupNone, gcm, 10_000},
		{"ecp256", suite.ECP256, suite.GroupNone, gcm, 0},
		{"modp2048", suite.MODP2048, suite.GroupNone, gcm, 0},
	}
}

// Exchanges names what can be measured: the group, and how it differs from ESP with AES-128-GCM without PFS under one filter for all peers.
// Main mode is always with a pre-shared key, AES-128-CBC and SHA-256.
func Exchanges() (names []string) {
	for _, x := range exchanges() {
		names = append(names, x.name)
	}
	return names
}

// String says what is negotiated, in full.
func (x exchange) String() string {
	esp := x.esp.Encr.Name(x.esp.KeyBits)
	if x.esp.Integ != suite.IntegNone {
		esp += " " + x.esp.Integ.String()
	}
	pfs := "no PFS"
	if x.pfs != suite.GroupNone {
		pfs = "PFS " + x.pfs.String()
	}
	if x.filters > 0 {
		return fmt.Sprintf("%v, %s, %s, %d filters", x.group, esp, pfs, x.filters)
	}
	return fmt.Sprintf("%v, %s, %s", x.group, esp, pfs)
}

// The peers of one responder have all the addresses of a network: a negotiation each.
var (
	peers     = netip.MustParsePrefix("127.64.0.0/10")
	responder = netip.MustParseAddr("127.0.0.1")
)

// peer is the address of the n-th peer. Neighbours in time are no neighbours in the network, as with peers from everywhere.
func peer(n int) netip.Addr {
	n = int(uint32(n)*2654435761>>10) & (1<<22 - 1) // odd, so that all 2^22 come before one comes again
	return netip.AddrFrom4([4]byte{127, 64 | byte(n>>16), byte(n >> 8), byte(n)})
}

// capacity bounds the SAs of one end.
const capacity = 1 << 18

// spis is a source of SPIs as an endpoint has it.
func spis() func(suite.Protocol, int) (uint32, error) {
	db := sa.NewDB(rand.Reader, capacity)
	return func(suite.Protocol, int) (uint32, error) { return db.Reserve() }
}

// traffic is what a rule is for, seen from the initiator or the responder.
func (x exchange) traffic(initiator bool) (list []policy.GenericFilter) {
	add := func(many policy.AddrSpec) {
		one := policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(responder)}
		f := policy.GenericFilter{Src: many, Dst: one, Mirrored: true}
		if !initiator {
			f.Src, f.Dst = one, many
		}
		list = append(list, f)
	}
	if x.filters == 0 {
		add(policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(peers)})
	}
	for n := range x.filters {
		add(policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(peer(n))})
	}
	return list
}

// newEnd makes the engine of one side. port is its own on the wire and far the other's; 0 is 500 for both.
func newEnd(x exchange, initiator bool, newSPI func(suite.Protocol, int) (uint32, error), port, far uint16) (*end, error) {
	rule := &policy.Rule{Name: "bench", Filters: x.traffic(initiator), Peer: policy.PeerOptions{Port: far},
		Action: policy.FilterAction{Name: "protect", Kind: policy.Negotiate, PFS: x.pfs, Methods: []policy.Method{{ESP: &x.esp}}},
		Auth:   []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("throw-away, for measurements only"))}}}
	key := policy.KeyExchange{Methods: []policy.MainModeMethod{{Encr: suite.AESCBC, KeyBits: 128, Hash: suite.SHA256, Group: x.group}}}
	// The host's own addresses do not matter: nothing here says "me".
	c, err := policy.Compile(&policy.Policy{Name: "bench", Rules: []*policy.Rule{rule}, KeyExchange: key}, []netip.Addr{netip.MustParseAddr("192.0.2.1")})
	if err != nil {
		return nil, err
	}
	e, err := ike.New(ike.Config{Rand: rand.Reader, Policy: c, NewSPI: newSPI, Port: port, NATPort: port})
	if err != nil {
		return nil, err
	}
	own := map[netip.Addr]*policy.QuickModeFilter{} // by the first address of their peers
	for _, f := range c.Outbound {
		if f.Filter.Dst.Contains(responder) {
			own[f.Filter.Src.From] = f
		}
	}
	return &end{engine: e, filter: func(peer netip.Addr) *policy.QuickModeFilter {
		if x.filters == 0 {
			peer = peers.Addr()
		}
		return own[peer]
	}}, nil
}

// arithmetic does what a negotiation costs in the group alone: a key pair and a shared secret at both ends, twice with PFS.
func (x exchange) arithmetic() error {
	for _, g := range []suite.Group{x.group, x.pfs} {
		if g == suite.GroupNone {
			continue
		}
		a, err := suite.NewKeyExchange(g, rand.Reader)
		if err != nil {
			return err
		}
		b, err := suite.NewKeyExchange(g, rand.Reader)
		if err != nil {
			return err
		}
		za, err := a.Shared(b.Public())
		if err != nil {
			return err
		}
		zb, err := b.Shared(a.Public())
		if err != nil {
			return err
		}
		if string(za) != string(zb) {
			return fmt.Errorf("handshake: the two ends of %v have different secrets", g)
		}
	}
	return nil
}
