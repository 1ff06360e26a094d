package endpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/tun"
)

// Options are what an Endpoint is made from.
type Options struct {
	// Policy is the assigned policy, names resolved.
	Policy *policy.Policy
	// Load reads the policy file again for Reload and Assign. Nil: these are refused.
	Load func() (*PolicyFile, error)
	// Instance tells several endpoints on one machine apart: it names their routes and guard rules. Letters, digits and '-', at most 32.
	Instance string
	// ConfigPath and Version are shown by Status only.
	ConfigPath, Version string
	// Listen are this host's addresses for IKE and ESP; none: every address of both families.
	Listen []netip.Addr
	// Port and NATPort are the UDP ports of IKE, 0: 500 and 4500. With another Port than 500 the non-ESP marker is used from the first
	// message and NATPort is not used.
	Port, NATPort uint16
	// TUNName is the device's name; "": goipsec0, or the next that is free.
	TUNName string
	// MTU of the TUN device in bytes; 0: computed from the outer path and the policy's methods.
	MTU int
	// NoRing does without io_uring, and NoOffload without superpackets, on the device and on UDP sockets.
	NoRing, NoOffload bool
	// Queues is how many queues the device and the sockets of ESP have, each with a worker of its own; 0: 1. More than one is Linux only.
	Queues int
	// DirectESP takes raw ESP from the network interfaces and gives it to them where that is possible, past the host's own network stack: its firewall, connection tracking and NAT
	// do not see it. IPv4 on Linux only.
	DirectESP bool
	// NoGuard goes on without the host's firewall.
	NoGuard bool
	// KeylogDir is where key tables for Wireshark are written; "": nowhere.
	KeylogDir string
	// Log takes what happens; nil: nothing is logged.
	Log *slog.Logger
	// Parts, if set, takes the place of the host: nothing outside the process is touched.
	Parts *Parts
	// Files is the root of the files in which the system says what live keywords stand for. Nil: the system's own.
	Files fs.FS
	// HoldTime is how long packets wait for a negotiation; 0: 10 s.
	HoldTime time.Duration

	clock func() time.Time // nil, but in tests: newClock
	wall  func() time.Time // the date, for certificates; nil, but in tests: time.Now
}

// Parts is an endpoint's surroundings within a process: a device, sockets and the addresses of *me*.
type Parts struct {
	Device    tun.Device
	UDP       []dataplane.Socket
	Addresses []netip.Addr
	// PathMTU is that of the outer path, in bytes; 0: 1500.
	PathMTU int
}

const (
	ikePort = 500
	natPort = 4500
	// maxFailures is how many failures Status remembers.
	maxFailures = 32
)

// setDefaults gives the settings that may be left out what their zero means.
func (o *Options) setDefaults() {
	if o.Port == 0 {
		o.Port = ikePort
	}
	if o.NATPort == 0 {
		o.NATPort = natPort
	}
	if o.Port != ikePort {
		o.NATPort = o.Port
	}
	o.Queues = max(o.Queues, 1)
	if o.Instance == "" {
		o.Instance = "goipsec"
	}
}

func (o *Options) check() error {
	if o.Policy == nil {
		return errors.New("endpoint: no policy is assigned")
	}
	if o.Queues < 0 || o.Queues > tun.MaxQueues {
		return fmt.Errorf("endpoint: %d is no number of queues; choose one from 1 to %d, at most that of the processors", o.Queues, tun.MaxQueues)
	}
	o.setDefaults()
	if len(o.Instance) > 32 {
		return errors.New("endpoint: the name of the instance is longer than 32 characters")
	}
	for _, c := range o.Instance {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return errors.New("endpoint: the name of the instance may hold letters, digits and '-' only")
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.clock == nil {
		o.clock = newClock()
	}
	if o.wall == nil {
		o.wall = time.Now
	}
	if o.HoldTime == 0 {
		o.HoldTime = 10 * time.Second
	}
	return nil
}
