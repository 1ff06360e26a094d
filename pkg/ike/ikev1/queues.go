package ikev1

import (
	"encoding/binary"

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

// widen asks for the children of the other queues, once this host has negotiated one for a tunnel: for all that are missing if it is the first or was renewed, else for
// those of higher numbers. A peer that deletes each at once would be asked without end otherwise.
func (m *Machine) widen(s *mainMode, c *child, renewed bool) {
	if !s.queues || c.sa.Mode != suite.Tunnel {
		return
	}
	for queue := range min(m.cfg.Queues, maxQueues) {
		if len(c.peer.wants) >= maxWants {
			return
		}
		if (renewed || queue > c.queue) && !c.peer.hasOrWants(c, queue) {
			c.peer.wants = append(c.peer.wants, &want{filter: c.filter, selector: c.sa.Selector, queue: queue})
		}
	}
}

// hasOrWants reports whether there is a child of a queue for the traffic of c, or one is wanted.
func (p *peer) hasOrWants(c *child, queue int) bool {
	for _, o := range p.children {
		if o.queue == queue && o.usable() && o.sa.Selector == c.sa.Selector && o.sa.Mode == c.sa.Mode {
			return true
		}
	}
	for _, w := range p.wants {
		if w.queue == queue && w.selector == c.sa.Selector && w.filter.ID == c.filter.ID {
			return true
		}
	}
	return false
}
