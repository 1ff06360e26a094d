package endpoint

import (
	"errors"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
)

// ErrNotFound is wrapped by the errors of Connect, Rekey and Delete that were given a peer, rule or SA that there is not.
var ErrNotFound = errors.New("no such peer, rule or SA")

// ErrPolicyFile is wrapped by the error of a reload whose policy file is bad; the old policy stays.
var ErrPolicyFile = errors.New("the policy file has errors; the policy that was applied stays")

// SchemaVersion is the version of the JSON form of Status and Explanation. It grows when a field changes its meaning or goes away;
// new fields do not change it.
const SchemaVersion = 1

// ErrInUse is wrapped by the error of New where a port is held by another process.
var ErrInUse = netio.ErrInUse

// Status is what an endpoint is doing at one moment: the answer of `goipsec status`. It holds no keys and no secrets, and every string
// in it that a peer chose is already escaped and cut. The value belongs to its receiver: the endpoint keeps no reference to it.
type Status struct {
	SchemaVersion int       `json:"schema_version"`
	Instance      string    `json:"instance"` // the instance's name, from its socket path
	Version       string    `json:"version"`  // of the goipsec build
	PID           int       `json:"pid"`
	Started       time.Time `json:"started"`
	Now           time.Time `json:"now"` // when the status was taken

	Policy      PolicyStatus    `json:"policy"`
	TUN         TUNStatus       `json:"tun"`
	Listen      []Listener      `json:"listen"`
	Direct      *DirectStatus   `json:"direct_esp"`      // raw ESP past the host's network stack; null without --direct-esp
	Addresses   []netip.Addr    `json:"addresses"`       // what *me* stands for
	Peers       []Peer          `json:"peers"`           // main-mode SAs
	Children    []Child         `json:"children"`        // quick-mode SAs, manual ones included
	Negotiating []Negotiation   `json:"negotiating"`     // under way
	Dynamic     []DynamicFilter `json:"dynamic_filters"` // filters that the default response rule made
	Soft        []SoftSA        `json:"soft"`            // soft SAs: what flows in clear because the peer gave no reply
	Failures    []Failure       `json:"failures"`        // the last ones, newest first
	Traffic     Traffic         `json:"traffic"`         // conservation counters of the data plane
	Queues      []QueueTraffic  `json:"queues"`          // how it was spread
	Drops       Drops           `json:"drops"`           // packets by typed reason
	GuardDrops  Drops           `json:"guard_drops"`     // clear packets that the guard refused since the start: "inbound", "outbound", "unreadable"; null without a guard
	IKE         IKECounters     `json:"ike"`             // what the key exchange refused
	Process     Process         `json:"process"`         // what the program takes of the host
	Negotiated  Negotiations    `json:"negotiated"`      // by result
	Counts      SACounts        `json:"counts"`          // of SAs, now
	Statistics  Statistics      `json:"statistics"`      // under the names of the IP Security Monitor
	Warnings    []string        `json:"warnings"`        // what an administrator should know, for people
	Guard       string          `json:"guard"`           // the firewall that it is made of ("nftables", "pf", "wfp"), or "off"
	KeyLog      string          `json:"keylog"`          // directory of the key log, "" when off
	LastReload  string          `json:"last_reload"`     // "", or how the last reload ended
	ConfigPath  string          `json:"config_path"`     // the policy file

	// Live is what each live keyword that the system tells stands for, if the policy has any; Connections are the host's addresses by connection type.
	Live        map[string][]netip.Addr `json:"live,omitempty"`
	Connections map[string][]netip.Addr `json:"connections,omitempty"`
}

// Drops counts packets by the typed reason that dropped them; a reason with no packets may be absent.
type Drops map[string]uint64

// PolicyStatus describes the policy that is applied.
type PolicyStatus struct {
	Name            string    `json:"name"`
	Description     string    `json:"description,omitempty"`
	Rules           int       `json:"rules"`
	MainModeFilters int       `json:"main_mode_filters"`
	OutboundFilters int       `json:"outbound_filters"`
	InboundFilters  int       `json:"inbound_filters"`
	Applied         time.Time `json:"applied"`
	// Unassigned is set while no policy is assigned: nothing is protected or blocked. ByCommand is set while a command's choice holds in the place of the file's.
	Unassigned bool `json:"unassigned"`
	ByCommand  bool `json:"by_command"`
}

// TUNStatus describes the device that host traffic comes through.
type TUNStatus struct {
	Name   string         `json:"name"`
	MTU    int            `json:"mtu"` // bytes
	IO     string         `json:"io"`  // how packets are moved, for people: "io_uring, TSO, USO"; "" where the system has one way only
	Routes []netip.Prefix `json:"routes"`
}

// DirectStatus counts the datagrams of raw ESP that went past the host's network stack.
type DirectStatus struct {
	Received uint64 `json:"received"`
	Lost     uint64 `json:"lost"` // came, and found no room because the program was behind
	Sent     uint64 `json:"sent"`
	Refusal  string `json:"refusal,omitempty"` // why the interface that was tried last could not be had, so that raw sockets send
}

// Listener is one socket. Kind is "udp", "esp" or "ah"; the port of the raw kinds is 0.
type Listener struct {
	Kind    string         `json:"kind"`
	Address netip.AddrPort `json:"address"`
}

// Peer is one main-mode SA.
type Peer struct {
	ID              uint64         `json:"id"`
	Rule            string         `json:"rule"`
	Local           netip.AddrPort `json:"local"`
	Remote          netip.AddrPort `json:"remote"`
	Initiator       bool           `json:"initiator"` // this host started it
	InitiatorCookie string         `json:"initiator_cookie"`
	ResponderCookie string         `json:"responder_cookie"` // 16 hexadecimal digits
	Encr            string         `json:"encr"`
	KeyBits         int            `json:"key_bits"`
	Hash            string         `json:"hash"`
	Group           string         `json:"group"`
	Auth            string         `json:"auth"`
	RemoteID        string         `json:"remote_id"`
	User            string         `json:"user,omitempty"`  // who has logged in (XAUTH)
	Inner           string         `json:"inner,omitempty"` // the address that mode config gave
	Aggressive      bool           `json:"aggressive,omitempty"`
	State           string         `json:"state"` // "established", "rekeying", "deleting"
	AgeSeconds      uint64         `json:"age_seconds"`
	SecondsLeft     uint64         `json:"seconds_left"`
	NATLocal        bool           `json:"nat_local"`
	NATRemote       bool           `json:"nat_remote"`
	DPD             bool           `json:"dpd"` // both ends speak RFC 3706
	Weak            string         `json:"weak,omitempty"`
	IdleSeconds     uint64         `json:"idle_seconds"`
}

// Child is one pair of quick-mode SAs, or of manual ones (then PeerID is 0 and Manual is set).
type Child struct {
	ID          uint64         `json:"id"`
	PeerID      uint64         `json:"peer_id"`
	Rule        string         `json:"rule"`
	FilterID    string         `json:"filter_id"` // of the quick-mode filter that decided
	Filter      string         `json:"filter"`    // the same, for people
	Local       netip.AddrPort `json:"local"`     // outer; the port is 0 without UDP encapsulation
	Remote      netip.AddrPort `json:"remote"`
	Mode        string         `json:"mode"`          // "transport" or "tunnel"
	Encap       string         `json:"encapsulation"` // "ip" or "udp"
	Protocols   []ChildKeys    `json:"protocols"`
	Selector    Selector       `json:"selector"` // as negotiated, Src the local side
	ESN         bool           `json:"esn"`
	Initiator   bool           `json:"initiator"`
	Manual      bool           `json:"manual"`
	Queue       int            `json:"queue"` // that it is for, where both ends work in several; 0 for all others
	State       string         `json:"state"` // "installed", "inbound", "rekeying", "replaced", "deleting"
	AgeSeconds  uint64         `json:"age_seconds"`
	IdleSeconds uint64         `json:"idle_seconds"`
	// SecondsLeft and KilobytesLeft (of 1024 bytes) are nil where there is no such limit.
	SecondsLeft   *uint64 `json:"seconds_left"`
	KilobytesLeft *uint64 `json:"kilobytes_left"`
	BytesIn       uint64  `json:"bytes_in"`
	BytesOut      uint64  `json:"bytes_out"`
	PacketsIn     uint64  `json:"packets_in"`
	PacketsOut    uint64  `json:"packets_out"`
	MTU           int     `json:"mtu,omitempty"` // largest inner packet, bytes; 0: not known
}

// ChildKeys is one protocol of a child, without its keys. SPIs are numbers; people read them as 8 hexadecimal digits.
type ChildKeys struct {
	Protocol string `json:"protocol"` // "esp" or "ah"
	SPIIn    uint32 `json:"spi_in"`
	SPIOut   uint32 `json:"spi_out"`
	Encr     string `json:"encr,omitempty"`
	KeyBits  int    `json:"key_bits,omitempty"`
	Integ    string `json:"integ,omitempty"`
	Weak     string `json:"weak,omitempty"`
}

// Selector is the traffic of one child. Ranges are inclusive; a single address has From equal to To. Protocol 0 is any.
type Selector struct {
	LocalFrom   netip.Addr `json:"local_from"`
	LocalTo     netip.Addr `json:"local_to"`
	RemoteFrom  netip.Addr `json:"remote_from"`
	RemoteTo    netip.Addr `json:"remote_to"`
	Protocol    uint8      `json:"protocol"`
	LocalPorts  *PortRange `json:"local_ports,omitempty"` // nil: any
	RemotePorts *PortRange `json:"remote_ports,omitempty"`
}

// PortRange is an inclusive range of ports.
type PortRange struct {
	From uint16 `json:"from"`
	To   uint16 `json:"to"`
}

// DynamicFilter is a filter that the default response rule made because a peer asked to protect that traffic.
type DynamicFilter struct {
	FilterID   string   `json:"filter_id"`
	Filter     string   `json:"filter"`
	Selector   Selector `json:"selector"`
	AgeSeconds uint64   `json:"age_seconds"`
	SAs        int      `json:"sas"` // pairs of SAs that it has
	// SecondsLeft is set while it has none: then it goes.
	SecondsLeft *uint64 `json:"seconds_left"`
}

// SoftSA is traffic that flows in clear because its rule falls back to clear and the peer gave no reply to IKE. Its selector is that of one pair of hosts.
type SoftSA struct {
	Rule        string   `json:"rule"`
	FilterID    string   `json:"filter_id"`
	Filter      string   `json:"filter"`
	Selector    Selector `json:"selector"`
	AgeSeconds  uint64   `json:"age_seconds"`
	SecondsLeft uint64   `json:"seconds_left"`
	PacketsOut  uint64   `json:"packets_out"`
	BytesOut    uint64   `json:"bytes_out"`
}

// Negotiation is an exchange under way.
type Negotiation struct {
	Rule           string         `json:"rule"`
	Filter         string         `json:"filter"`
	Local          netip.AddrPort `json:"local"`
	Remote         netip.AddrPort `json:"remote"`
	AgeSeconds     uint64         `json:"age_seconds"`
	WaitingPackets int            `json:"waiting_packets"`
}

// Failure is a negotiation that failed, told to a person.
type Failure struct {
	Time   time.Time      `json:"time"`
	Rule   string         `json:"rule,omitempty"`
	Filter string         `json:"filter,omitempty"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	What   string         `json:"what"`             // what happened
	Why    string         `json:"why,omitempty"`    // the likely cause
	Next   string         `json:"next,omitempty"`   // what to do
	Detail string         `json:"detail,omitempty"` // proposals side by side, several lines
	Count  uint64         `json:"count"`            // how often, for equal failures in a row
	// Stage is how far the negotiation had come: "main-mode", "authentication" or "quick-mode"; "" if it had not begun or was over.
	Stage string `json:"stage,omitempty"`
	// Answered is set if the peer had sent any reply at all.
	Answered bool `json:"answered"`
	// Identities are those that the texts name.
	Identities []string `json:"identities,omitempty"`
}

// Traffic holds the data plane's counters, in packets unless named otherwise. Every packet that came in by the TUN is sealed, permitted,
// sent under a soft SA, waiting, or stands in exactly one drop counter; every one that came in by a socket is opened and delivered, or stands in one.
// Exactly, once nothing moves: from_tun + whole + split = sealed + permitted + soft + waiting + fragments + the drops on the way out but for
// "reassembly", which are part of fragments; received = opened + the drops on the way in; opened = delivered + "tun-write".
type Traffic struct {
	FromTUN        uint64 `json:"from_tun"`
	Sealed         uint64 `json:"sealed"`
	Soft           uint64 `json:"soft"`      // sent in clear under soft SAs
	Permitted      uint64 `json:"permitted"` // sent in clear because the policy says so
	Sent           uint64 `json:"sent"`      // datagrams handed to the sockets
	Received       uint64 `json:"received"`  // ESP and AH packets that the sockets gave
	Opened         uint64 `json:"opened"`
	Delivered      uint64 `json:"delivered"` // written to the TUN
	Waiting        uint64 `json:"waiting"`   // held for a negotiation, now
	SealedBytes    uint64 `json:"sealed_bytes"`
	OpenedBytes    uint64 `json:"opened_bytes"`
	Fragments      uint64 `json:"fragments"` // from the TUN, taken to be joined: those that wait, those joined, and the drops for "reassembly"
	Joined         uint64 `json:"joined"`    // of them, those that became part of a whole datagram
	Whole          uint64 `json:"whole"`     // datagrams that they became
	Split          uint64 `json:"split"`     // packets that fragmentation before sealing made, beyond the one that there was
	Keepalives     uint64 `json:"keepalives"`
	IKEDatagramsIn uint64 `json:"ike_datagrams_in"`
}

// QueueTraffic is what went through one queue of the data plane, in packets.
type QueueTraffic struct {
	FromTUN  uint64 `json:"from_tun"`
	FromWire uint64 `json:"from_wire"` // datagrams of all kinds; what has no queue counts for the first
}

// Process is what the running program takes of the host's memory, and how much goes on in it.
type Process struct {
	HeapBytes   uint64 `json:"heap_bytes"`  // in use after the last collection of garbage
	Collections uint64 `json:"collections"` // of garbage, since the start
	Goroutines  uint64 `json:"goroutines"`  // now
}

// IKECounters tells what the key exchange refused or survived, in datagrams.
type IKECounters struct {
	HalfOpen uint64            `json:"half_open"` // now
	Refused  map[string]uint64 `json:"refused"`   // by reason
	Panics   uint64            `json:"panics"`    // caught at the recover boundaries: each is a fault of ours
}

// Question asks what happens to one datagram: `goipsec policy explain`. Proto is meaningless unless ProtoGiven is set, and so are
// the ports; for ICMP and ICMPv6 SrcPort is the type and DstPort the code.
type Question struct {
	Src        netip.Addr `json:"src"`
	Dst        netip.Addr `json:"dst"`
	Proto      uint8      `json:"proto"`
	ProtoGiven bool       `json:"proto_given"`
	SrcPort    uint16     `json:"src_port"`
	DstPort    uint16     `json:"dst_port"`
	PortsGiven bool       `json:"ports_given"`
}

// Explanation is the answer of a running endpoint to a Question, by the policy it applies now.
type Explanation struct {
	SchemaVersion int    `json:"schema_version"`
	Policy        string `json:"policy"`
	Direction     string `json:"direction"` // "outbound" or "inbound"
	FilterID      string `json:"filter_id"` // "" if no filter matches
	Filter        string `json:"filter"`
	Rule          string `json:"rule"`
	Dynamic       bool   `json:"dynamic"` // the filter is one that the default response rule made
	Action        string `json:"action"`  // "block", "permit", "negotiate", "exempt" (no filter is asked), or "none"
	// Carriers are the IDs of the children that would carry the datagram (outbound) or must have brought it (inbound).
	Carriers []uint64 `json:"carriers"`
}
