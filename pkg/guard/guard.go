package guard

import (
	"errors"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// Verdict is what happens to a clear packet.
type Verdict uint8

const (
	// Accept lets it pass: the policy permits it.
	Accept Verdict = iota
	// Drop drops it: the policy blocks it or wants it protected.
	Drop
)

// Rule is one filter and what becomes of the clear packets that it matches.
type Rule struct {
	Filter  classifier.Filter
	Verdict Verdict
}

// Config is what the guard of one instance enforces.
type Config struct {
	// Instance names the instance.
	Instance string
	// Device is the name of the TUN.
	Device string
	// Mark and MarkMask tell the endpoint's own packets on their way out; both zero leave no exemption.
	Mark, MarkMask uint32
	// Me are the addresses, none of them real, that as one side of a filter stand for every address that the host has when a packet passes, but for loopback,
	// link-local and multicast ones and those of NotMe. At most one of each family; none: filters name real addresses only.
	Me []netip.Addr
	// NotMe are addresses of the host that Me does not stand for: those on the TUN.
	NotMe []netip.Addr
	// Ports are the UDP ports on which IKE and UDP-encapsulated ESP arrive; empty means 500 and 4500.
	Ports []uint16
	// Inbound are the rules for packets as they arrive (source: the peer), Outbound those for packets as they leave or are forwarded;
	// each heaviest first.
	Inbound, Outbound []Rule
	// Exempt passes in both directions whatever the rules say.
	Exempt []classifier.Filter
	// ExemptBroadcast adds to that what goes to the broadcast address of one of the host's subnets.
	ExemptBroadcast bool
}

// System is the firewall that guards are made of on this system: "nftables", "pf", "wfp", or "".
const System = system

// ErrUnavailable says that the host has no firewall that we can ask.
var ErrUnavailable = errors.New("the host's firewall cannot be asked to refuse clear traffic that the policy protects or blocks; " +
	"--no-guard goes on without it, and then inbound clear packets are accepted")

// ErrNone is wrapped where an instance is asked for that has no guard in force; the instance's name follows.
var ErrNone = errors.New("there is no guard in force for instance")

// Install puts the rules in force, or replaces those of the same instance, in one step. The error wraps ErrUnavailable where there
// is no nftables or no right to use it.
func Install(cfg Config) error { return install(cfg) }

// Clear removes the guard of an instance; it is no error if there is none. It reports whether there was one.
func Clear(instance string) (removed bool, err error) { return clearTable(instance) }

// List returns the names of the instances that have a guard in force.
func List() ([]string, error) { return list() }

// Show reads the guard of an instance from the host's firewall. The error wraps ErrNone if there is none.
func Show(instance string) (*Listing, error) { return show(instance) }

// CountDropped reads how many packets the guard of an instance has dropped since it was put in force. Its cost does not grow with the number of rules,
// unless they are of very many kinds.
func CountDropped(instance string) (Dropped, error) { return dropped(instance) }
