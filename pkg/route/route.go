package route

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
)

// Protocol is the number in the protocol field of every route and rule of ours ("ip route show table all proto 111").
const Protocol = 0x6f

// MarkBase and MarkMask are what the marks of all instances have in common.
const (
	MarkBase = 0x6f490000
	MarkMask = 0xffff0000
)

// Metrics of the routes into the TUN and of the black holes beside them.
const (
	captureMetric   = 100
	blackHoleMetric = 1 << 30
)

// priorityBase is the preference of our rules: before "main" (32766), after everything that an administrator puts first on purpose.
const priorityBase = 5600

// DefaultStateDir is where the state files of instances are.
const DefaultStateDir = "/run/goipsec"

// ErrUnavailable says that this system has no routes for us.
var ErrUnavailable = errors.New("leading the host's traffic into a tunnel is Linux only so far; goipsec demo works everywhere")

// ErrNoRoute says that the host knows no way to an address.
var ErrNoRoute = errors.New("there is no route")

// ErrStrictRPFilter is wrapped by the error of Setup where strict reverse-path filtering has to be loosened by hand.
var ErrStrictRPFilter = errors.New("strict reverse-path filtering would drop the peers' packets")

// ErrKernelIPsec is wrapped by the error of KernelIPsec.
var ErrKernelIPsec = errors.New("the kernel's own IPsec is in use")

// Identity is what one instance owns in the kernel.
type Identity struct {
	// Table is the number of the routing table, Mark the firewall mark of the instance's sockets, Priority that of its rules
	// (the rules for networks behind a gateway stand one before it).
	Table, Mark uint32
	Priority    int
}

// Derive returns the identity of the instance called name. Different names give different ones,
// but for one pair in 32,768.
func Derive(name string) Identity {
	h := fnv.New32a()
	h.Write([]byte(name))
	sum := h.Sum32()
	id := (sum>>16^sum)&0xffff | 1 // never 0, so that the mark is never the bare base
	return Identity{Table: MarkBase | id, Mark: MarkBase | id, Priority: priorityBase + 2*int(id%200) + 1}
}

// Config is what Open needs.
type Config struct {
	// Instance names the instance; one machine can have several. It must be a plain name: letters, digits, '-', '_', '.'.
	Instance string
	// Device is the name of the TUN device, and MTU its MTU in octets (0 leaves it as it is).
	Device string
	MTU    int
	// Segments is how many datagrams a superpacket that the kernel hands to the device may stand for; 0 leaves it as it is.
	Segments int
	// RefuseStrict makes Setup fail with the command to type where rp_filter is strict, instead of loosening it.
	RefuseStrict bool
	// StateDir is where the state file is kept; empty means DefaultStateDir.
	StateDir string
}

func (c *Config) stateDir() string {
	if c.StateDir == "" {
		return DefaultStateDir
	}
	return c.StateDir
}

// Capture is one prefix whose traffic is led into the TUN.
type Capture struct {
	// Prefix is where captured packets are going to. Host bits are ignored.
	Prefix netip.Prefix
	// Source is the host's own address that it should use towards Prefix; the zero value leaves the choice to the system.
	Source netip.Addr
}

// Plan is all that table T should hold.
type Plan struct {
	Captures []Capture
	// Exempt are prefixes that go by the host's other tables although a capture covers them.
	Exempt []netip.Prefix
	// Behind are the networks behind this gateway (the local ends of its tunnels): decrypted packets for them leave by the main table.
	Behind []netip.Prefix
	// Addresses are put on the TUN device (a road warrior's inner address).
	Addresses []netip.Prefix
}

// Change says that the host's addresses or links are not what they were.
type Change struct {
	// Addresses is set if an address came or went, Links if an interface did, went up or down or got another name, Routes if a route
	// of somebody else's did.
	Addresses, Links, Routes bool
}

// checkInstance refuses names that could not be part of a file name or a table name.
func checkInstance(name string) error {
	if name == "" || len(name) > 64 || name == "." || name == ".." {
		return fmt.Errorf("%q cannot be the name of an instance: it has to have 1 to 64 characters", name)
	}
	for _, c := range []byte(name) {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
		if !ok {
			return fmt.Errorf("%q cannot be the name of an instance: letters, digits, '-', '_' and '.' only", name)
		}
	}
	return nil
}

// CaptureOf returns the capture of p with the source among own that suits: when behind holds a network of this host's and own an
// address in it, that address (RFC 4301 §4.4.1.1 lets the tunnel's selectors pass only such a source); else none.
func CaptureOf(p netip.Prefix, behind []netip.Prefix, own []netip.Addr) Capture {
	c := Capture{Prefix: p.Masked()}
	for _, net := range behind {
		if net.Addr().Is4() != p.Addr().Is4() {
			continue
		}
		for _, a := range own {
			if net.Contains(a) {
				c.Source = a
				return c
			}
		}
	}
	return c
}
