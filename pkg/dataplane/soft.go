package dataplane

import (
	"maps"
	"sync/atomic"
	"time"
)

// SoftRetry is how often a negotiation is asked for while traffic flows in clear under a soft SA.
const SoftRetry = 30 * time.Second

// Soft is a soft SA: the packets of one pair of hosts and one transport filter flow in clear, because the peer gave no reply to a negotiation. Its
// end stands in it: no packet leaves under a soft SA that is over, however late its owner may be.
type Soft struct {
	since, until   time.Time
	asked          atomic.Int64 // when a negotiation was last asked for, in nanoseconds after since
	packets, bytes atomic.Uint64
}

// Packets and Bytes count what was sent under it.
func (s *Soft) Packets() uint64 { return s.packets.Load() }
func (s *Soft) Bytes() uint64   { return s.bytes.Load() }

// Soften lets the packets of a transport filter between two hosts flow in clear until a time, those that are held first. A real SA goes before a soft
// one at any time. It returns nil if the policy does not have the filter, if the filter does not fall back to clear, or if it has its full number of pairs.
func (p *Plane) Soften(filterID string, pair Pair, until time.Time) *Soft {
	p.install.Lock()
	defer p.install.Unlock()
	s := p.snapshot.Load()
	if s == nil || s.byID[filterID] == nil {
		return nil
	}
	e := s.byID[filterID]
	if e.filter.Rule.Tunnel != nil || e.filter.Rule.Action.Fallback == nil {
		return nil
	}
	next := map[Pair]*Soft{}
	if m := e.soft.Load(); m != nil {
		if len(*m) >= MaxPairs {
			return nil
		}
		next = maps.Clone(*m)
	}
	soft := &Soft{since: p.cfg.Clock(), until: until}
	next[pair] = soft
	p.pause()
	defer p.resume()
	e.soft.Store(&next)
	p.releaseHeld(e, pair)
	return soft
}

// Harden ends a soft SA: packets of the pair are held again. It is no error if there is none.
func (p *Plane) Harden(filterID string, pair Pair) {
	p.install.Lock()
	defer p.install.Unlock()
	p.pause() // a batch that is under way is over then
	defer p.resume()
	s := p.snapshot.Load()
	if s == nil || s.byID[filterID] == nil {
		return
	}
	e := s.byID[filterID]
	if m := e.soft.Load(); m != nil && (*m)[pair] != nil {
		next := maps.Clone(*m)
		delete(next, pair)
		e.soft.Store(&next)
	}
}

// softFor returns the soft SA of a pair that holds at a time, nil if there is none.
func (e *entry) softFor(pair Pair, now time.Time) *Soft {
	m := e.soft.Load()
	if m == nil {
		return nil
	}
	if s := (*m)[pair]; s != nil && now.Before(s.until) {
		return s
	}
	return nil
}

// soft sends pkt unchanged past the TUN device, and now and then asks for a negotiation: the peer may have learnt to speak meanwhile.
func (o *outbound) soft(e *entry, s *Soft, pkt []byte) {
	if since := o.now.Sub(s.since); since-time.Duration(s.asked.Load()) >= SoftRetry {
		s.asked.Store(int64(since))
		o.p.tell(Event{Kind: Acquire, Filter: e.filter, Key: o.header.Key, Pair: Pair{o.header.Key.Src, o.header.Key.Dst}})
	}
	s.packets.Add(1)
	s.bytes.Add(uint64(len(pkt)))
	o.clear(pkt, &countSoft)
}
