package ike

import (
	"fmt"
	"io"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/ikev1"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Config is what an Engine needs. Function fields are pure sources.
type Config struct {
	Rand   io.Reader
	Policy *policy.Compiled
	// NewSPI reserves an inbound SPI for a child of a queue, -1: of none.
	NewSPI func(suite.Protocol, int) (uint32, error)
	// Port and NATPort are this host's IKE ports; 0: 500 and 4500. If Port is not 500 the marker is used from the first message
	// and nothing floats; then NATPort equals Port.
	Port, NATPort uint16
	// HalfOpenMax and HalfOpenPerPrefix cap half-open responders in total and for each source prefix (/24, /48); 0: 1024 and 64.
	HalfOpenMax, HalfOpenPerPrefix int
	// Queues is how many queues this host works in: that many children are negotiated for a tunnel filter if the peer works in several too. 0 means 1.
	Queues int
}

// Engine speaks IKE without sockets, clock or goroutines (sans-IO). Not safe for concurrent use.
type Engine struct {
	v1     *ikev1.Machine
	events []isakmp.Event // of the engine itself
	policy *policy.Compiled
	panics uint64
	v2     uint64
}

// Stats counts what happened since the start.
type Stats struct {
	ikev1.Stats
	// Version2 counts datagrams of other versions of IKE.
	Version2 uint64
	// Panics counts faults of this program that the recover boundary caught. It is always 0.
	Panics uint64
}

// New makes an Engine.
func New(c Config) (*Engine, error) {
	m, err := ikev1.New(ikev1.Config(c))
	if err != nil {
		return nil, err
	}
	return &Engine{v1: m, policy: c.Policy}, nil
}

// Acquire asks for an SA for the outbound filter f; key is the packet that wants it (transport mode narrows to its two addresses).
// local and remote are IKE's own addresses: the tunnel endpoints, or the packet's addresses. Repeated calls while a negotiation for the same
// traffic is under way, or an SA for it is there, change nothing.
func (e *Engine) Acquire(now time.Time, f *policy.QuickModeFilter, key packet.Key, local, remote netip.Addr) {
	sel := f.Filter
	if f.Rule.Tunnel == nil {
		sel.Src, sel.Dst = isakmp.Range{From: key.Src, To: key.Src}, isakmp.Range{From: key.Dst, To: key.Dst}
	}
	e.v1.Acquire(now, f, sel, local.Unmap().WithZone(""), remote.Unmap().WithZone(""))
}

// Receive takes one datagram (marker removed). Its memory is not kept.
func (e *Engine) Receive(now time.Time, d isakmp.Datagram) {
	defer e.boundary(func() { e.v1.Kill(d.Data) })
	if len(d.Data) >= isakmp.HeaderLen && d.Data[17]>>4 > 1 {
		e.otherVersion(d)
		return
	}
	e.v1.Receive(now, d)
}

// boundary catches a fault, counts it and lets kill end what caused it.
func (e *Engine) boundary(kill func()) {
	r := recover()
	if r == nil {
		return
	}
	e.panics++
	e.events = append(e.events, isakmp.Log{Level: 8, Message: "a fault in the IKE engine ended one exchange; please report it",
		Attrs: []any{"fault", fmt.Sprint(r), "stack", string(debug.Stack())}})
	defer func() { _ = recover() }() // what the fault left behind may make its removal fail too
	kill()
}

const (
	v2SAInit           = 34
	lenVersionNotify   = 40
	exchangeTypeOffset = 18
)

// otherVersion answers the first message of another version, if some filter covers its sender: one notification, no larger than the
// request, and nothing is kept (RFC 7296 §2.5, RFC 2408 §5.2).
func (e *Engine) otherVersion(d isakmp.Datagram) {
	e.v2++
	h, err := isakmp.ParseHeader(d.Data)
	if err == nil {
		e.v1.Replied(d, h)
	}
	if err != nil || h.Length < lenVersionNotify || h.Flags&isakmp.FlagV2Response != 0 || h.Exchange != v2SAInit ||
		h.InitiatorCookie == (isakmp.Cookie{}) || h.ResponderCookie != (isakmp.Cookie{}) || h.MessageID != 0 {
		return
	}
	if e.policy.FindMainMode(d.Local.Addr(), d.Remote.Addr()) == nil {
		return
	}
	n := isakmp.Notify{DOI: isakmp.DOIIPsec, Protocol: isakmp.ProtoISAKMP, Type: isakmp.InvalidMajorVersion}
	body, err := isakmp.AppendPayloads(nil, []isakmp.Payload{{Type: isakmp.PayloadNotify, Body: n.Append(nil)}})
	if err != nil {
		return
	}
	out := isakmp.Header{InitiatorCookie: h.InitiatorCookie, NextPayload: isakmp.PayloadNotify, Version: isakmp.Version1,
		Exchange: isakmp.Informational, Length: isakmp.HeaderLen + len(body)}.Append(nil)
	e.events = append(e.events, isakmp.Transmit{Datagram: isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: append(out, body...)}})
}

// Expiring tells that a child has reached its soft limit in kilobytes or sequence numbers; Expired that it hit the hard limit.
func (e *Engine) Expiring(now time.Time, child uint64) { e.v1.Expiring(now, child) }
func (e *Engine) Expired(now time.Time, child uint64, reason string) {
	e.v1.Expired(now, child, reason)
}

// Traffic tells that authenticated traffic came from the peer (in) or left to it (out) since the last call: feeds DPD and idle times.
func (e *Engine) Traffic(now time.Time, child uint64, in, out bool) {
	e.v1.Traffic(now, child, in, out)
}

// Answer takes the verdict to an isakmp.Ask. One that nobody waits for any more has no effect.
func (e *Engine) Answer(now time.Time, id uint64, v isakmp.Verdict) {
	defer e.boundary(func() {})
	e.v1.Answer(now, id, v)
}

// AnswerLogin takes the answer to an isakmp.AskLogin. One that nobody waits for any more has no effect.
func (e *Engine) AnswerLogin(now time.Time, id uint64, ok bool) {
	defer e.boundary(func() {})
	e.v1.AnswerLogin(now, id, ok)
}

// UnknownSPI tells of an ESP or AH packet whose SPI no inbound SA has, from the peer at remote (port 0 if it did not come in UDP). It draws at most one authenticated
// deletion a second, so that a peer that has lost ours stops sending into the void.
func (e *Engine) UnknownSPI(now time.Time, local netip.Addr, remote netip.AddrPort, protocol suite.Protocol, spi uint32) {
	e.v1.UnknownSPI(now, local.Unmap(), netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port()), protocol, spi)
}

// SetPolicy applies a new snapshot; SAs whose filter and main-mode settings are still there stay.
func (e *Engine) SetPolicy(now time.Time, c *policy.Compiled) {
	e.policy = c
	e.v1.SetPolicy(now, c)
}

// Rekey and Delete are the administrator's: a child SA by ID, or a main-mode SA by ID.
func (e *Engine) Rekey(now time.Time, id uint64) error  { return e.v1.Rekey(now, id) }
func (e *Engine) Delete(now time.Time, id uint64) error { return e.v1.Delete(now, id) }

// Close deletes everything, telling the peers.
func (e *Engine) Close(now time.Time) { e.v1.Close(now) }

// Advance runs timers due at now. Deadline is when it next has something to do, the zero time if never.
func (e *Engine) Advance(now time.Time) {
	for again := true; again; {
		again = e.advance(now)
	}
}

// advance reports whether a fault cut it short.
func (e *Engine) advance(now time.Time) (fault bool) {
	defer e.boundary(func() { fault = true })
	e.v1.Advance(now)
	return false
}

// Deadline is when Advance next has something to do, the zero time if never.
func (e *Engine) Deadline() time.Time { return e.v1.Deadline() }

// Next returns the next effect, in order.
func (e *Engine) Next() (isakmp.Event, bool) {
	if len(e.events) > 0 {
		ev := e.events[0]
		e.events = e.events[1:]
		return ev, true
	}
	return e.v1.Next()
}

// Stats returns the counters.
func (e *Engine) Stats() Stats { return Stats{Stats: e.v1.Stats(), Version2: e.v2, Panics: e.panics} }

// Peers lists the main-mode SAs and the peers that have none but a failure to tell of. Children lists the child SAs, oldest first.
func (e *Engine) Peers(now time.Time) []isakmp.PeerInfo     { return e.v1.Peers(now) }
func (e *Engine) Children(now time.Time) []isakmp.ChildInfo { return e.v1.Children(now) }
