package dataplane

import (
	"time"
)

const (
	// holdPackets and holdBytes bound what waits for one negotiation; holdPairs the negotiations of one filter.
	holdPackets = 16
	holdBytes   = 64 << 10
	holdPairs   = 1024
	// askAgain is how often a filter without an SA asks for one while packets come.
	askAgain = time.Second
)

// hold is what waits for one negotiation.
type hold struct {
	packets [][]byte
	bytes   int
	since   time.Time
	asked   time.Time
}

// hold keeps a copy of pkt until the pair has an SA, and asks the owner for one. What finds the queue full is dropped; nothing is ever sent
// in clear (D12).
func (o *outbound) hold(e *entry, pair Pair, pkt []byte) {
	pair, _ = e.slot(pair)
	e.holds.mu.Lock()
	h := e.holds.pairs[pair]
	if h == nil {
		if e.holds.closed || len(e.holds.pairs) >= holdPairs {
			e.holds.mu.Unlock()
			o.p.count.add(NoSA)
			return
		}
		if e.holds.pairs == nil {
			e.holds.pairs = map[Pair]*hold{}
		}
		h = &hold{since: o.now}
		e.holds.pairs[pair] = h
	}
	if len(h.packets) < holdPackets && h.bytes+len(pkt) <= holdBytes {
		h.packets = append(h.packets, append([]byte(nil), pkt...))
		h.bytes += len(pkt)
		o.p.count.Held.Add(1)
	} else {
		o.p.count.add(NoSA)
	}
	// A peer that calls from anywhere cannot be called; but its negotiation may be about to end, and its first packet may already be answered.
	ask := !e.anyPeer() && (h.asked.IsZero() || o.now.Sub(h.asked) >= askAgain)
	if ask {
		h.asked = o.now
	}
	e.holds.mu.Unlock()
	if ask {
		o.p.tell(Event{Kind: Acquire, Filter: e.filter, Key: o.header.Key, Pair: Pair{o.header.Key.Src, o.header.Key.Dst}})
	}
}

// releaseHeld sends what waits for a pair's SA, a real one or a soft one, if it is there. The caller holds p.install, and since before the SA was there
// all workers pause: so no packet finds no SA and comes too late to be released, and none that follows overtakes what is.
func (p *Plane) releaseHeld(e *entry, pair Pair) {
	o := &p.release
	o.begin()
	b, s := e.bundle(pair, 0), e.softFor(pair, o.now)
	if b == nil && s == nil {
		return
	}
	for _, pkt := range e.take(pair) {
		p.count.Released.Add(1)
		if o.header.Parse(pkt) != nil {
			p.count.add(Malformed)
			continue
		}
		o.joined = len(pkt) > int(p.mtu.Load())
		if b == nil {
			o.soft(e, s, pkt)
			continue
		}
		o.protect(b, pkt)
	}
	o.finish()
}

// take empties a queue.
func (e *entry) take(pair Pair) [][]byte {
	pair, _ = e.slot(pair)
	e.holds.mu.Lock()
	defer e.holds.mu.Unlock()
	h := e.holds.pairs[pair]
	if h == nil {
		return nil
	}
	delete(e.holds.pairs, pair)
	return h.packets
}

// dropHeld drops everything an entry holds.
func (p *Plane) dropHeld(e *entry) {
	e.holds.mu.Lock()
	defer e.holds.mu.Unlock()
	for _, h := range e.holds.pairs {
		p.count.drop[NoSA].Add(uint64(len(h.packets)))
		p.count.Released.Add(uint64(len(h.packets)))
	}
	e.holds.pairs, e.holds.closed = nil, true
}

// patience is how long packets wait: at least until a fall-back to clear would let them go.
func (e *entry) patience(age time.Duration) time.Duration {
	if f := e.filter.Rule.Action.Fallback; f != nil {
		return max(age, f.Wait()+time.Second)
	}
	return age
}

// Expire drops what has waited longer than age for an SA, and fragments whose others did not come in time; it returns how many packets of the former
// that were. Call it every second or so.
func (p *Plane) Expire(now time.Time, age time.Duration) (dropped int) {
	p.frags.expire(&p.count, now)
	s := p.snapshot.Load()
	if s == nil || p.count.Held.Load() == p.count.Released.Load() {
		return 0
	}
	for _, e := range s.byID {
		e.holds.mu.Lock()
		for pair, h := range e.holds.pairs {
			if now.Sub(h.since) >= e.patience(age) {
				dropped += len(h.packets)
				delete(e.holds.pairs, pair)
			}
		}
		e.holds.mu.Unlock()
	}
	p.count.drop[NoSA].Add(uint64(dropped))
	p.count.Released.Add(uint64(dropped))
	return dropped
}
