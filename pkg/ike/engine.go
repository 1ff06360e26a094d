package ike

import (
	"io"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Config is what an Engine needs. Function fields are pure sources.
type Config struct {
	Rand   io.Reader
	Policy *policy.Compiled
	// NewSPI reserves an inbound SPI.
	NewSPI func(suite.Protocol) (uint32, error)
	// Port and NATPort are this host's IKE ports: 500 and 4500. If Port is not 500 the marker is used from the first message
	// and nothing floats; then NATPort equals Port.
	Port, NATPort uint16
	// HalfOpenMax and HalfOpenPerPrefix cap half-open responders; 0: defaults.
	HalfOpenMax, HalfOpenPerPrefix int
}

// Engine speaks IKE without sockets, clock or goroutines (sans-IO). Not safe for concurrent use.
type Engine struct{}

func New(c Config) (*Engine, error) { panic("being written") }

// Acquire asks for an SA for the outbound filter; key is the packet that wants it (transport mode narrows to its two addresses).
// Repeated calls while a negotiation for the same traffic is under way change nothing.
func (e *Engine) Acquire(now time.Time, f *policy.QuickModeFilter, key packet.Key, local, remote netip.Addr) {
}

// Receive takes one datagram (marker removed).
func (e *Engine) Receive(now time.Time, d isakmp.Datagram) {}

// Expiring tells that a child has reached its soft limit in kilobytes or sequence numbers; Expired that it hit the hard limit.
func (e *Engine) Expiring(now time.Time, child uint64)               {}
func (e *Engine) Expired(now time.Time, child uint64, reason string) {}

// Traffic tells that authenticated traffic came from the peer (in) or left to it (out) since the last call: feeds DPD and idle times.
func (e *Engine) Traffic(now time.Time, child uint64, in, out bool) {}

// SetPolicy applies a new snapshot; SAs whose filter and main-mode settings are still there stay.
func (e *Engine) SetPolicy(now time.Time, c *policy.Compiled) {}

// Rekey and Delete are the administrator's: a child SA by ID, or a main-mode SA by ID.
func (e *Engine) Rekey(now time.Time, id uint64) error  { return nil }
func (e *Engine) Delete(now time.Time, id uint64) error { return nil }

// Close deletes everything, telling the peers.
func (e *Engine) Close(now time.Time) {}

// Advance runs timers due at now. Deadline is when it next has something to do, the zero time if never.
func (e *Engine) Advance(now time.Time) {}
func (e *Engine) Deadline() time.Time   { return time.Time{} }

// Next returns the next effect, in order.
func (e *Engine) Next() (isakmp.Event, bool) { return nil, false }
