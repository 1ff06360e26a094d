package endpoint

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// EventKind is what an Event is about.
type EventKind string

const (
	EventPeerUp        EventKind = "peer-up"
	EventPeerDown      EventKind = "peer-down"
	EventChildUp       EventKind = "child-up"
	EventChildDown     EventKind = "child-down"
	EventRekeyed       EventKind = "rekeyed"
	EventMoved         EventKind = "moved"
	EventFailure       EventKind = "failure"
	EventReload        EventKind = "reload"
	EventReloadRefused EventKind = "reload-refused"
	EventAddresses     EventKind = "addresses"
	EventSoft          EventKind = "fallback"
)

// Event is something that happened, told to a person. It holds no secret, and what a peer chose in it is escaped and cut.
type Event struct {
	// Seq grows with every event; a gap between two means that others were in between and are forgotten.
	Seq    uint64         `json:"seq"`
	Time   time.Time      `json:"time"` // the last time, if it happened more than once in a row
	Kind   EventKind      `json:"kind"`
	Rule   string         `json:"rule,omitempty"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	SA     uint64         `json:"sa,omitempty"`  // ID of the peer or child
	What   string         `json:"what"`          // what happened
	Why    string         `json:"why,omitempty"` // the likely cause
	Next   string         `json:"next,omitempty"`
	Detail string         `json:"detail,omitempty"` // several lines
	Count  uint64         `json:"count"`            // how often in a row
	// Identities and Policy are those that the texts name.
	Identities []string `json:"identities,omitempty"`
	Policy     string   `json:"policy,omitempty"`
}

// maxEvents is how many events are remembered.
const maxEvents = 1024

// history remembers the last events in a ring. It belongs to the endpoint's goroutine.
type history struct {
	ring []Event // the oldest at next, once it is full
	next int
	seq  uint64
}

// note remembers an event. One that says the same as the last is counted there: a peer that keeps failing must not push out everything else.
func (h *history) note(now time.Time, ev Event) {
	ev.Time, ev.Count = now, 1
	h.seq++
	ev.Seq = h.seq
	if last := h.last(); last != nil && last.Kind == ev.Kind && last.What == ev.What && last.Remote == ev.Remote && last.Rule == ev.Rule {
		ev.Count = last.Count + 1
		*last = ev
		return
	}
	if len(h.ring) < maxEvents {
		h.ring = append(h.ring, ev)
		return
	}
	h.ring[h.next] = ev
	h.next = (h.next + 1) % maxEvents
}

func (h *history) last() *Event {
	if len(h.ring) == 0 {
		return nil
	}
	return &h.ring[(h.next+len(h.ring)-1)%len(h.ring)]
}

// newestFirst returns a copy of what is remembered.
func (h *history) newestFirst() []Event {
	list := make([]Event, 0, len(h.ring))
	for i := len(h.ring) - 1; i >= 0; i-- {
		list = append(list, h.ring[(h.next+i)%len(h.ring)])
	}
	return list
}

func (e *Endpoint) notePeerUp(now time.Time, p *isakmp.PeerInfo) {
	ev := Event{Kind: EventPeerUp, Rule: p.Rule, Local: p.Local, Remote: p.Remote, SA: p.ID,
		What: fmt.Sprintf("main-mode SA %d with %s is established, %s", p.ID, orDash(p.RemoteID), role(p.Initiator))}
	if p.RemoteID != "" {
		ev.Identities = []string{p.RemoteID}
	}
	e.history.note(now, ev)
}

func (e *Endpoint) notePeerDown(now time.Time, ev isakmp.PeerDown) {
	e.history.note(now, Event{Kind: EventPeerDown, SA: ev.ID, What: fmt.Sprintf("main-mode SA %d is gone", ev.ID), Why: ev.Reason})
}

func (e *Endpoint) noteChildUp(now time.Time, c *isakmp.ChildSA) {
	ev := Event{Kind: EventChildUp, Rule: c.Rule, Local: c.Local, Remote: c.Remote, SA: c.ID,
		What: fmt.Sprintf("quick-mode SA %d is established, %s mode, for %v", c.ID, modeName(c.Mode), reportSelector(&c.Selector))}
	if c.Replaces != 0 {
		e.tally.rekeys++
		ev.Kind, ev.What = EventRekeyed, fmt.Sprintf("quick-mode SA %d takes over from %d, for %v", c.ID, c.Replaces, reportSelector(&c.Selector))
	}
	e.history.note(now, ev)
}

func (e *Endpoint) noteChildDown(now time.Time, c *child, reason string) {
	e.history.note(now, Event{Kind: EventChildDown, Rule: c.info.Rule, Local: c.info.Local, Remote: c.in[0].Remote(), SA: c.info.ID,
		What: fmt.Sprintf("quick-mode SA %d is gone, %v", c.info.ID, reportSelector(&c.info.Selector)), Why: reason})
}

func (e *Endpoint) noteFailure(now time.Time, f *Failure) {
	e.history.note(now, Event{Kind: EventFailure, Rule: f.Rule, Local: f.Local, Remote: f.Remote, What: f.What, Why: f.Why, Next: f.Next, Detail: f.Detail, Identities: f.Identities})
}

// noteReload remembers how a change of policy ended. what says it for the good end.
func (e *Endpoint) noteReload(now time.Time, what string, err error) {
	ev := Event{Kind: EventReload, What: what}
	if e.policy != noPolicy {
		ev.What, ev.Policy = fmt.Sprintf("%s: policy %q is in force", what, e.policy.Name), e.policy.Name
	}
	if err != nil {
		ev = Event{Kind: EventReloadRefused, What: "the policy was not changed", Why: err.Error(), Next: "correct the file and reload; goipsec policy check names every error"}
	}
	e.history.note(now, ev)
}
