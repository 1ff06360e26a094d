package isakmp

import (
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Datagram is one IKE message, without the non-ESP marker. Whether a marker is on the wire follows from the local socket:
// none on port 500, always on any other (RFC 3948 §2.2).
type Datagram struct {
	Local, Remote netip.AddrPort
	Data          []byte
}

// Event is an effect that the engine asks its owner to bring about. The set is closed.
type Event interface{ event() }

// Transmit asks for a datagram to be sent.
type Transmit struct{ Datagram }

// ChildUp hands over a negotiated child SA. If Replaces is set, the new outbound SA takes over from that child at once
// (the inbound one was accepted before the peer could use it).
type ChildUp struct{ Child *ChildSA }

// InboundReady tells that the inbound half of a child must be accepted from now on, before ChildUp (the responder of quick mode
// sends message 2 and the initiator may use the SA as soon as its message 3 has left). Its Child is the same as that of the later ChildUp.
type InboundReady struct{ Child *ChildSA }

// ChildDown tells that a child SA is gone: remove both of its SAs, and take their SPIs as free. It may come without a ChildUp before it:
// for a child that was InboundReady and whose negotiation failed, or that lost to another one negotiated at the same moment.
type ChildDown struct {
	ID     uint64
	Reason string
}

// PeerUp and PeerDown tell that a main-mode SA (or IKE SA) was established or is gone.
type PeerUp struct{ Peer PeerInfo }
type PeerDown struct {
	ID     uint64
	Reason string
}

// SPIReleased gives back SPIs that NewSPI handed out and that no InboundReady or ChildUp used.
type SPIReleased struct{ SPIs []uint32 }

// Failed tells that a negotiation failed. Filter is that of the Acquire that wanted it, or "".
type Failed struct {
	Filter        string
	Local, Remote netip.AddrPort
	Failure       Failure
}

// Unanswered tells that a peer has given no reply at all within the time after which a filter falls back to clear. Local and Remote are IKE's own addresses.
// The negotiation goes on, and may tell of it again.
type Unanswered struct {
	Filter        string
	Selector      Selector
	Local, Remote netip.Addr
}

// Log is an event for the administrator's log. Strings from the peer are already escaped and cut.
type Log struct {
	Level   int // as log/slog
	Message string
	Attrs   []any // key, value, …
}

// Moved tells that a peer is now reached at other addresses (NAT float or rebinding, authenticated).
type Moved struct {
	PeerID        uint64
	Local, Remote netip.AddrPort
}

// Keepalive asks for one octet 0xff, without a marker, so that a NAT before this host keeps its mapping (RFC 3948 §4). It comes every
// 20 seconds while there is an SA with the peer.
type Keepalive struct{ Local, Remote netip.AddrPort }

// Ask hands over a question whose answer takes time or the world outside: is this peer who it says it is? The exchange waits, with a deadline of its
// own, until Engine.Answer brings the verdict under the same ID. A question that is never answered ends the exchange.
type Ask struct {
	ID            uint64
	Local, Remote netip.AddrPort
	// Rule is the one that main mode runs under; its certificate methods say whom to trust.
	Rule *policy.Rule
	// Method is the authentication method, as in phase 1 transforms.
	Method uint16
	// Certificates are what the peer sent, in DER, its own first. The peer has proved to hold that one's private key.
	Certificates [][]byte
	Identity     Identification
}

// Verdict answers an Ask. A nil Refusal means that the peer may go on.
type Verdict struct {
	Refusal *Refusal
}

// Refusal is an error that the peer is told of by a notification, and the administrator by an explanation.
type Refusal struct {
	Notify  NotifyType
	Failure Failure
}

func (r *Refusal) Error() string { return r.Failure.What }

func (Transmit) event()     {}
func (Ask) event()          {}
func (ChildUp) event()      {}
func (InboundReady) event() {}
func (ChildDown) event()    {}
func (PeerUp) event()       {}
func (PeerDown) event()     {}
func (SPIReleased) event()  {}
func (Failed) event()       {}
func (Unanswered) event()   {}
func (Log) event()          {}
func (Moved) event()        {}
func (Keepalive) event()    {}

// Failure explains a failed negotiation to a person.
type Failure struct {
	What string // what happened
	Why  string // the likely cause
	Next string // what to do
	// Detail is the side-by-side table of proposals, if that was the matter.
	Detail string
	// Answered is set if the peer sent any reply at all.
	Answered bool
	// Stage is how far the negotiation had come; "" where it had not begun or was over.
	Stage Stage
	// Identities are those that the texts name, so that they can be found there and replaced.
	Identities []string
}

// Stage is a part of a negotiation.
type Stage string

// The stages in their order: agreeing on the methods and keys of main mode, proving who one is, agreeing on an SA pair.
const (
	StageMainMode       Stage = "main-mode"
	StageAuthentication Stage = "authentication"
	StageQuickMode      Stage = "quick-mode"
)

// Selector is the traffic of one SA pair, seen from this host: Src is the local side.
type Selector = classifier.Filter

// ProtocolKeys is one protocol (ESP or AH) of a child SA, both directions.
type ProtocolKeys struct {
	Protocol          suite.Protocol
	SPIIn, SPIOut     uint32
	Encr              suite.Encr
	KeyBits           int
	Integ             suite.Integ
	EncrIn, EncrOut   []byte // key and salt
	IntegIn, IntegOut []byte
}

// ChildSA is one negotiated pair of SAs (a pair a protocol, for AH with ESP).
type ChildSA struct {
	ID, PeerID, Replaces uint64
	Filter               string // ID of the quick-mode filter (outbound list) that decided
	Rule                 string
	// Dynamic is set if the filter is not one of the policy: the default response rule made it for this child's selector.
	Dynamic bool
	// Local and Remote are the outer addresses; the ports are those of UDP encapsulation, 0 without it.
	Local, Remote netip.AddrPort
	Mode          suite.Mode
	// Protocols in the order they are applied to an outbound packet: ESP, then AH.
	Protocols []ProtocolKeys
	Selector  Selector
	// Queue is the number of the queue that the child is for: two ends that work in several queues have a child for each. 0 for all others.
	Queue int
	ESN   bool
	// Lifetimes as agreed; zero means none agreed. Rekeying begins earlier, at a jittered point the owner of the engine is not told.
	Seconds, Kilobytes uint32
	Initiator          bool
	// NATLocal and NATRemote tell which ends are behind a NAT; OriginalLocal and OriginalRemote come from NAT-OA (transport mode checksum fixing).
	NATLocal, NATRemote           bool
	OriginalLocal, OriginalRemote netip.Addr
	// MainMode inputs for a key log are in PeerInfo.
}

// PeerInfo describes a main-mode SA.
type PeerInfo struct {
	ID                               uint64
	Local, Remote                    netip.AddrPort
	InitiatorCookie, ResponderCookie [8]byte
	Initiator                        bool
	Encr                             suite.Encr
	KeyBits                          int
	Hash                             suite.Hash
	Group                            suite.Group
	Auth                             string
	RemoteID                         string
	// User is who has logged in (XAUTH), escaped, or this host's own name at the peer; Inner the address that mode config gave the one or the other.
	User                string
	Inner               netip.Addr
	Aggressive          bool
	Rule                string
	Established         time.Time
	Lifetime            time.Duration
	NATLocal, NATRemote bool
	DPD                 bool
	// EncryptionKey is the phase 1 key, for the key log only.
	EncryptionKey []byte

	// For status: State is "negotiating", "established", "retiring", or "down" for a peer that has no main-mode SA.
	State      string
	Remaining  time.Duration
	QuickModes uint32 // begun under this SA
	// Children and Waiting are those of the peer: child SAs, and negotiations that are wanted or under way.
	Children, Waiting int
	LastFailure       *Failure
	LastFailureAt     time.Time
}

// ChildInfo describes a child SA, for status.
type ChildInfo struct {
	Child *ChildSA
	// State is "inbound ready" (waiting for the peer's confirmation), "up" or "retiring" (accepted for a while after its successor).
	State                      string
	Since                      time.Time
	Age, Remaining, UntilRekey time.Duration
	Renewing                   bool
}
