package dataplane

import (
	"sync/atomic"

	"github.com/goipsec/goipsec/pkg/tun"
)

// A plane has a worker for each queue of the TUN device. A tunnel filter may have an SA for each of them (the idea of RFC 9611): then workers share nothing
// that they write, and the packets of an SA leave in the order of their numbers. Workers that share an SA take turns, a batch each.

// pause waits until no worker is within a batch, and lets none begin another until resume.
func (p *Plane) pause() {
	for _, o := range p.workers {
		o.sending.Lock()
	}
}

func (p *Plane) resume() {
	for _, o := range p.workers {
		o.sending.Unlock()
	}
}

// share takes the SAs that several workers may use for the rest of the batch. A worker that sealed with one, and sent when another had sealed and sent more
// with it, would send packets that have left the peer's replay window.
func (o *outbound) share() {
	if !o.sharing {
		o.unlock() // whoever waits has nothing that others could wait for
		o.p.sharing.Lock()
		o.sharing = true
	}
}

// finish sends what is left of a batch.
func (o *outbound) finish() {
	o.flush()
	if o.sharing {
		o.sharing = false
		o.p.sharing.Unlock()
	}
}

// QueueCount counts what one queue moved since the Plane was made.
type QueueCount struct {
	FromTUN  atomic.Uint64 // packets read from the device's queue
	FromWire atomic.Uint64 // datagrams read from the sockets of that number
	_        [112]byte     // the next one is another worker's: not in the same cache lines
}

// Queues returns the counters of each queue.
func (p *Plane) Queues() []QueueCount { return p.queues }

// queueOf is what the reader number n of a socket writes to.
func (p *Plane) queueOf(n int) tun.PacketDevice { return tun.QueueOf(p.cfg.TUN, n) }

// tunnelSAs are the bundles of a tunnel filter, by Bundle.Queue. Nil where there is none; never empty.
type tunnelSAs []*Bundle

// of returns that of a worker, or one of another's if it has none.
func (list tunnelSAs) of(worker int) *Bundle {
	if n := len(list); n > 0 && list[worker%n] != nil {
		return list[worker%n]
	}
	for _, b := range list {
		if b != nil {
			return b
		}
	}
	return nil
}

// with returns a copy with b in its place.
func (list tunnelSAs) with(b *Bundle) tunnelSAs {
	next := make(tunnelSAs, max(len(list), int(b.Queue)+1))
	copy(next, list)
	next[b.Queue] = b
	return next
}

// without returns a copy with nothing in the place of a child, nil if that leaves nothing.
func (list tunnelSAs) without(child uint64) tunnelSAs {
	var next tunnelSAs
	for i, b := range list {
		if b != nil && b.Child != child {
			next = append(next, make(tunnelSAs, i+1-len(next))...)
			next[i] = b
		}
	}
	return next
}

// mark says of each whether more than one worker uses it. All workers pause meanwhile.
func (list tunnelSAs) mark(workers int) {
	users := map[*Bundle]int{}
	for n := range workers {
		users[list.of(n)]++
	}
	for _, b := range list {
		if b != nil {
			b.shared = users[b] > 1
		}
	}
}
