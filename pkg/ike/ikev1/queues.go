package ikev1

import (
	"encoding/binary"
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Two ends that work in several queues have a child for each of the initiator's, all with one selector, so that each queue has an SA that no other one writes
// (the idea of RFC 9611, which is for IKEv2). That they do is said by a vendor ID of ours in both directions; a peer that does not say it gets one child. Message 1 of
// the quick mode of every child but the first has a notification with the number of its queue, by which the responder tells it from a renewal.
// Each is renewed and deleted like any other.

// maxQueues bounds the numbers of queues that a peer may name.
const maxQueues = 64

// queueNotify says which queue a child is for, if it is not the first.
func (q *quickMode) queueNotify() []isakmp.Payload {
	if q.queue == 0 {
		return nil
	}
	n := isakmp.Notify{DOI: isakmp.DOIIPsec, Protocol: isakmp.ProtoESP, Type: isakmp.Queue, Data: binary.BigEndian.AppendUint16(nil, uint16(q.queue))}
	return []isakmp.Payload{{Type: isakmp.PayloadNotify, Body: n.Append(nil)}}
}

// takeQueue reads the notification. One of a peer that has not said that it works in queues means nothing, as every notification that is not known.
func (q *quickMode) takeQueue(msg *isakmp.Message) {
	if !q.s.queues || q.mode() != suite.Tunnel {
		return
	}
	for _, body := range msg.All(isakmp.PayloadNotify) {
		n, err := isakmp.ParseNotify(body)
		if err != nil || n.Type != isakmp.Queue || len(n.Data) != 2 {
			continue
		}
		if queue := int(binary.BigEndian.Uint16(n.Data)); queue < maxQueues {
			q.queue = queue
		}
	}
}

// spiQueue is the queue that the packets of the child are to come to. One that is alone for its traffic, as that of an ordinary peer, may come to any (-1): several of
// them are to be spread over all.
func (q *quickMode) spiQueue() int {
	if !q.s.queues || q.mode() != suite.Tunnel {
		return -1
	}
	return q.queue
}

// inQueues reports whether a main mode under the SA's rule says that this host works in several queues. A gateway for any peer has one SA for each inner address.
func (s *mainMode) inQueues() bool {
	t := s.rule.Tunnel
	return s.m.cfg.Queues > 1 && (t == nil || t.Remote.IsValid())
}

// widen asks for the child of the next queue that has none, once this host has negotiated one for a tunnel: the first of all if that was renewed, else the first of a
// higher number, for a peer that deletes each at once would be asked without end otherwise. When it has come up the next is asked for. A peer that refuses further
// children is thus asked for one, and not again before a child of the tunnel is renewed.
func (m *Machine) widen(s *mainMode, c *child, renewed bool) {
	p := c.peer
	if !s.queues || c.sa.Mode != suite.Tunnel || len(p.wants) >= maxWants/2 || len(p.children) >= maxFurther || p.widens(c) {
		return
	}
	for queue := range min(m.cfg.Queues, maxQueues) {
		if (renewed || queue > c.queue) && !p.has(c.sa.Selector, c.sa.Mode, queue) {
			p.wants = append(p.wants, &want{filter: c.filter, selector: c.sa.Selector, queue: queue})
			return
		}
	}
}

// maxFurther is how many children a peer may have before no more are made for queues of a tunnel that has one: the other half of maxChildren, and of maxWants, is for
// tunnels that have none.
const maxFurther = maxChildren / 2

// further reports whether a child is one of several for the same traffic, without which there is another.
func (w *want) further() bool { return w.queue > 0 }

// widens reports whether a child for a queue of the tunnel of c, new or renewed, is wanted and has not come up yet.
func (p *peer) widens(c *child) bool {
	for _, w := range p.wants {
		if w.replaces == 0 && w.selector == c.sa.Selector && w.filter.ID == c.filter.ID {
			return true
		}
	}
	return false
}

// has reports whether there is a child of a queue for some traffic.
func (p *peer) has(sel isakmp.Selector, mode suite.Mode, queue int) bool {
	for _, o := range p.children {
		if o.queue == queue && o.usable() && o.sa.Selector == sel && o.sa.Mode == mode {
			return true
		}
	}
	return false
}

// checkRoom refuses what would be more children than a peer may have here.
func (q *quickMode) checkRoom() error {
	p, limit := q.s.peer, maxChildren
	if q.queue > 0 && !p.has(q.selector, q.mode(), q.queue) {
		limit = maxFurther
	}
	if len(p.children) < limit {
		return nil
	}
	q.full = true
	f := isakmp.Failure{What: fmt.Sprintf("the peer has %d children already", len(p.children)), Why: "it makes new ones without end", Next: "look at the peer's policy and log", Answered: true}
	if limit == maxFurther {
		f.Why, f.Next = fmt.Sprintf("it asks for one for its queue %d beside that of another, and from %d on there is room for the first of a tunnel only", q.queue, limit),
			"nothing has to be done: the tunnel works with fewer queues"
	}
	return &isakmp.Refusal{Notify: isakmp.NoProposalChosen, Failure: f}
}

// refusedFurther says what it means that a peer does not want a further child, although it has taken one of the same rule for the same traffic.
func (q *quickMode) refusedFurther(t isakmp.NotifyType) isakmp.Failure {
	return isakmp.Failure{What: fmt.Sprintf("the peer refused a further child, for queue %d, with %v", q.queue, t),
		Why:  "it says that it works in several queues, but has come to a limit of SAs: the methods and filters fit, for it has taken a child for the same traffic",
		Next: "nothing has to be done: the tunnel works with the children that it has; for the cause look at the peer's log", Answered: true}
}
