package policy

import (
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Policy is one policy as an administrator wrote it: generic filters, not yet expanded. The order of rules never matters.
type Policy struct {
	Name        string
	Description string
	Rules       []*Rule
	KeyExchange KeyExchange
	// Certificates is what the policy asks of certificates of peers. The zero value has all defaults.
	Certificates pki.Rules
	// WINS are the name servers that the live keyword wins stands for: no system tells them.
	WINS []netip.Addr
	// DefaultResponse is the default response rule: how this host answers a peer that no filter is about. It has no filters of its own; nil: such
	// peers get no answer.
	DefaultResponse *Rule
	// Exemptions is what passes whatever the filters say; the zero value is the strictest level.
	Exemptions Exemptions
}

// DefaultResponseName is the name of the default response rule in messages and in status.
const DefaultResponseName = "default-response"

// EveryRule goes through the rules, and then the default response rule, if there is one.
func (p *Policy) EveryRule(yield func(*Rule) bool) {
	for _, r := range p.Rules {
		if !yield(r) {
			return
		}
	}
	if p.DefaultResponse != nil {
		yield(p.DefaultResponse)
	}
}

// Rule joins a filter list, a filter action, authentication methods and tunnel endpoints.
type Rule struct {
	Name    string
	Filters []GenericFilter
	Action  FilterAction
	Auth    []AuthMethod // in order of preference; empty for permit, block and manual keys
	Tunnel  *Tunnel      // nil: transport mode
	// Aggressive: IKE begins in aggressive mode, and is answered in no other. Whoever asks a responder gets a hash of its key to guess by.
	Aggressive bool
	Manual     *ManualKeys // nil: IKE
	Peer       PeerOptions
	// Connection limits the rule to traffic through interfaces of one type; the zero value does not.
	Connection Connection
	Source     Position // where the rule stands in its file
}

// Position is a place in a policy file; the zero value is unknown.
type Position struct {
	File         string
	Line, Column int
}

// ActionKind is what a filter action does.
type ActionKind uint8

const (
	Block ActionKind = iota + 1 // also the order on equal weight: block, negotiate, permit
	Negotiate
	Permit
)

// FilterAction is a filter action with its ordered security methods.
type FilterAction struct {
	Name    string
	Kind    ActionKind
	Methods []Method
	PFS     suite.Group // session-key PFS group; GroupNone: off
	// InboundPassthrough accepts clear packets that arrive and match; the answer matches the outbound filter and is protected.
	InboundPassthrough bool
	// Fallback, if set, lets traffic flow in clear where the peer gives no reply at all. Transport mode only.
	Fallback *Fallback
}

// Method is one security method: AH, ESP, or both (ESP inside AH) on one packet.
type Method struct {
	ESP      *ESPMethod
	AH       *AHMethod
	Lifetime Lifetime
	ESN      bool
}

type ESPMethod struct {
	Encr    suite.Encr
	KeyBits int // 0 where the algorithm fixes it
	Integ   suite.Integ
}

type AHMethod struct{ Integ suite.Integ }

// Lifetime limits a quick-mode SA. Zero values mean the default of the method.
type Lifetime struct {
	Seconds   uint32
	Kilobytes uint32 // of 1024 bytes
}

// KeyExchange holds a policy's main-mode settings.
type KeyExchange struct {
	Methods    []MainModeMethod
	Lifetime   time.Duration // 0: 8 hours
	QuickModes uint32        // quick modes per main mode; 0: no limit
}

// MainModeMethod is one main-mode proposal.
type MainModeMethod struct {
	Encr    suite.Encr
	KeyBits int
	Hash    suite.Hash
	Group   suite.Group
}

// AuthKind is an authentication method.
type AuthKind uint8

const (
	PSK AuthKind = iota + 1
	Certificate
	Kerberos
)

// AuthMethod is one authentication method. PSK is never printed.
type AuthMethod struct {
	Kind AuthKind
	PSK  Secret
	Cert *CertAuth // Certificate only
	// LocalID and RemoteID are optional identities. Empty: the address; with certificates LocalID is what the certificate says, and RemoteID whoever has one.
	LocalID, RemoteID string
	XAuth             *XAuth // nil: none
}

// Tunnel names the two ends of a tunnel as this host sees them.
type Tunnel struct {
	// Local and Remote are the outer addresses. An invalid Local means the address that the route to Remote uses. An invalid
	// Remote (in a compiled policy) means any peer: this host only answers.
	Local, Remote netip.Addr
	// Endpoint is the one end that a one-directional tunnel rule names: the peer's address in the rule for outbound traffic, this
	// host's own in the rule for inbound traffic. Compile joins such rules in pairs; the rules of a Compiled always have it unset.
	Endpoint netip.Addr
	// Inner is the address that this host has inside the tunnel; it is put on the TUN device, and me stands for it in this
	// rule's filters. Invalid: none.
	Inner netip.Prefix
	// AskAddress: the peer is asked for Inner (mode config). Until it has assigned one Inner is invalid, and me stands for the host's own addresses: what they
	// would send waits, and is not let out in clear.
	AskAddress bool
	// Pool is what this host assigns inner addresses of to peers that ask; each may only use its own. DNS are the name servers it tells them. Invalid: none.
	Pool netip.Prefix
	DNS  []netip.Addr
	// Push: this host tells peers their addresses and does not wait to be asked.
	Push bool
}

// PeerOptions are transport details of a rule. The zero value has all defaults.
type PeerOptions struct {
	ForceUDP bool   // encapsulation: udp
	Port     uint16 // the peer's IKE port, 0: 500 (4500 after NAT detection)
	// DPDInterval is the time without traffic from the peer after which it is asked for a sign of life, DPDTimeout the time without
	// an answer after which it is taken for dead. 0: the default; a negative interval: never ask. See DPD.
	DPDInterval, DPDTimeout time.Duration
	IdleTimeout             time.Duration // idle quick-mode SAs; 0: 300 s; negative: never. See Idle
	ReplayWindow            int           // packets; 0: 1024. See Window
	CopyDF                  string        // "copy", "set", "clear"; "": copy
	// FragmentSize is the largest IP datagram, in bytes, that a fragment of an IKE message goes in; 0: chosen by the path's family;
	// negative: neither sent nor taken. See Fragments.
	FragmentSize int
}

// DPD returns the times of dead peer detection, both 0 if it is off.
func (o PeerOptions) DPD() (interval, timeout time.Duration) {
	if o.DPDInterval < 0 {
		return 0, 0
	}
	interval, timeout = o.DPDInterval, o.DPDTimeout
	if interval == 0 {
		interval = DefaultDPDInterval
	}
	if timeout == 0 {
		timeout = DefaultDPDTimeout
	}
	return interval, timeout
}

// Idle returns the time after which an idle quick-mode SA is dropped, 0 for never.
func (o PeerOptions) Idle() time.Duration {
	switch {
	case o.IdleTimeout < 0:
		return 0
	case o.IdleTimeout == 0:
		return DefaultIdleTimeout
	}
	return o.IdleTimeout
}

// Fragments reports whether IKE messages may go in fragments.
func (o PeerOptions) Fragments() bool { return o.FragmentSize >= 0 }

// Window returns the size of the replay window in packets.
func (o PeerOptions) Window() int {
	if o.ReplayWindow == 0 {
		return DefaultReplayWindow
	}
	return o.ReplayWindow
}

// ManualKeys are the SAs of a manually keyed rule.
type ManualKeys struct {
	SPIIn, SPIOut     uint32 // ESP, or AH when there is no ESP
	AHSPIIn, AHSPIOut uint32 // when both
	EncrIn, EncrOut   Secret // key, and salt where the algorithm has one
	IntegIn, IntegOut Secret
	AHIn, AHOut       Secret
	TestOnly          bool
}

// AddrKind is the kind of one side of a generic filter.
type AddrKind uint8

const (
	Any AddrKind = iota + 1
	Me
	Host
	Subnet
	AddrRange
	DNSName
	// The live keywords stand for servers that the system's settings name, and follow them.
	LiveDNS
	LiveWINS
	LiveDHCP
	LiveGateway
)

// Live reports whether k is a live keyword.
func (k AddrKind) Live() bool { return k >= LiveDNS && k <= LiveGateway }

// AddrSpec is one side of a generic filter.
type AddrSpec struct {
	Kind     AddrKind
	Range    classifier.Range // Host, Subnet, AddrRange
	Name     string           // DNSName
	Resolved []netip.Addr     // DNSName: filled by the resolver before expansion
}

// GenericFilter is a filter as written.
type GenericFilter struct {
	Src, Dst           AddrSpec
	Proto              uint8 // 0: any
	SrcPorts, DstPorts classifier.Ports
	Mirrored           bool
	Source             Position
}

// String returns the filter as people write it, without its protocol and ports.
func (g *GenericFilter) String() string {
	arrow := " -> "
	if g.Mirrored {
		arrow = " <-> "
	}
	return g.Src.String() + arrow + g.Dst.String()
}

// String returns the side as people write it.
func (a *AddrSpec) String() string {
	switch a.Kind {
	case Me:
		return "me"
	case Any:
		return "any"
	case DNSName:
		return a.Name
	case LiveDNS, LiveWINS, LiveDHCP, LiveGateway:
		return a.Kind.keyword()
	}
	return a.Range.String()
}
