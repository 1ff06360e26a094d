package ikev1

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// Parts of messages that are longer than the path carries. A part is kept only if this host has an exchange going with its sender: an SA, an attempt of its own,
// or a responder's entry whose cookie came back (security.md P10). The parts joined are a datagram like any other, and prove no more than it.
//
// What contradicts the parts that are there (other bytes under the same number, a number after the last one, a second last one) begins the message anew: many
// peers give the same ID to every message, so the old parts may be those of one that was never finished. Parts of different messages are never mixed.

const (
	// fragmentLife is how long a message may take to come whole.
	fragmentLife = 15 * time.Second
	// fragmentCost is what keeping a part costs beside its bytes.
	fragmentCost = 96
	// maxPartials bounds the unfinished messages of one SA.
	maxPartials = 4
	// Bytes that one SA may have in unfinished messages, before and after its peer has proved itself.
	maxUnprovenMessage = 32 << 10
	maxProvenMessage   = 64<<10 + 255*fragmentCost
	// Bytes in all.
	maxUnprovenFragments = 2 << 20
	maxProvenFragments   = 8 << 20
)

// partial is a message of which some parts are here.
type partial struct {
	pool      *fragmentPool
	pair      cookiePair
	id        uint16
	messageID uint32
	prefix    netip.Prefix
	parts     map[uint8][]byte
	last      uint8 // the number of the last part, 0 if that is not here
	cost      int
	end       alarm
}

// fragmentPool is a budget. When it is used up, the oldest message of the source prefix that has most makes room.
type fragmentPool struct {
	limit, held int
	prefixes    map[netip.Prefix]int
	partials    []*partial // oldest first
}

// fragmentTable holds all parts.
type fragmentTable struct {
	byPair           map[cookiePair][]*partial // oldest first
	unproven, proven fragmentPool
}

func (t *fragmentTable) init() {
	t.byPair = map[cookiePair][]*partial{}
	t.unproven = fragmentPool{limit: maxUnprovenFragments, prefixes: map[netip.Prefix]int{}}
	t.proven = fragmentPool{limit: maxProvenFragments, prefixes: map[netip.Prefix]int{}}
}

// receiveFragment keeps a part, or takes the message that it completes.
func (m *Machine) receiveFragment(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	pair, proven, ok := m.fragmentOwner(d, h)
	if !ok {
		m.stats.Unknown++
		return
	}
	ps, err := isakmp.ParsePayloads(h.NextPayload, d.Data[isakmp.HeaderLen:], false)
	if err != nil || len(ps) != 1 {
		m.stats.Malformed++
		return
	}
	f, err := isakmp.ParseFragment(ps[0].Body)
	if err != nil {
		m.stats.Malformed++
		return
	}
	m.stats.Fragments++
	message := m.keepFragment(now, pair, proven, prefixOf(d.Remote.Addr()), h.MessageID, f)
	if message == nil {
		return
	}
	inner, err := isakmp.ParseHeader(message)
	if err != nil || inner.InitiatorCookie != h.InitiatorCookie || inner.ResponderCookie != h.ResponderCookie ||
		inner.Version>>4 != 1 || inner.NextPayload == isakmp.PayloadFragment {
		m.stats.Malformed++
		return
	}
	d.Data = message
	m.dispatch(now, d, inner)
}

// fragmentOwner finds the exchange that a part may belong to. Nobody else's parts are kept.
func (m *Machine) fragmentOwner(d isakmp.Datagram, h isakmp.Header) (pair cookiePair, proven, ok bool) {
	pair = pairOf(h)
	if s := m.established[pair]; s != nil {
		here := d.Remote.Addr() == s.remote.Addr() || s.nat.remote && s.state.obeys()
		return pair, s.state.obeys(), here && s.state != Dying && s.rule.Peer.Fragments()
	}
	if s := m.initiating[h.InitiatorCookie]; s != nil {
		return cookiePair{initiator: h.InitiatorCookie}, false, d.Remote.Addr() == s.remote.Addr() && s.rule.Peer.Fragments()
	}
	if e := m.halfOpen.entries[pair]; e != nil {
		return pair, false, e.frags && d.Remote == e.remote && d.Local == e.local && m.halfOpen.genuine(e)
	}
	return pair, false, false
}

// keepFragment adds a part and returns the message if it is whole now.
func (m *Machine) keepFragment(now time.Time, pair cookiePair, proven bool, prefix netip.Prefix, messageID uint32, f isakmp.Fragment) []byte {
	t := &m.fragments
	var p *partial
	for _, o := range t.byPair[pair] {
		if o.id == f.ID && o.messageID == messageID {
			p = o
		}
	}
	if p != nil {
		if have, ok := p.parts[f.Number]; ok && bytes.Equal(have, f.Data) && (p.last == f.Number) == f.Last {
			m.stats.Duplicates++
			return nil
		}
		if p.contradicts(f) {
			m.dropPartial(p)
			p = nil
		}
	}
	if p == nil {
		p = m.newPartial(now, pair, proven, prefix, messageID, f.ID)
	}
	limit := maxUnprovenMessage
	if proven {
		limit = maxProvenMessage
	}
	cost := len(f.Data) + fragmentCost
	if t.heldBy(pair)+cost > limit {
		m.dropPartial(p)
		return nil
	}
	p.parts[f.Number] = bytes.Clone(f.Data) // the datagram's memory is the caller's
	p.grow(cost)
	if f.Last {
		p.last = f.Number
	}
	if p.last != 0 && len(p.parts) == int(p.last) {
		message := p.join()
		m.forgetPartial(p)
		return message
	}
	m.squeeze(p.pool)
	return nil
}

// contradicts reports whether f cannot be a part of the same message as those that are here.
func (p *partial) contradicts(f isakmp.Fragment) bool {
	if _, ok := p.parts[f.Number]; ok || p.last != 0 && (f.Last || f.Number > p.last) {
		return true
	}
	for n := range p.parts {
		if f.Last && n > f.Number {
			return true
		}
	}
	return false
}

func (m *Machine) newPartial(now time.Time, pair cookiePair, proven bool, prefix netip.Prefix, messageID uint32, id uint16) *partial {
	t := &m.fragments
	if own := t.byPair[pair]; len(own) == maxPartials {
		m.dropPartial(own[0])
	}
	p := &partial{pool: &t.unproven, pair: pair, id: id, messageID: messageID, prefix: prefix, parts: map[uint8][]byte{}}
	if proven {
		p.pool = &t.proven
	}
	t.byPair[pair] = append(t.byPair[pair], p)
	p.pool.partials = append(p.pool.partials, p)
	p.end.ring = func(time.Time) { m.dropPartial(p) }
	m.alarms.set(&p.end, now.Add(fragmentLife))
	return p
}

func (p *partial) grow(cost int) {
	p.cost += cost
	p.pool.held += cost
	p.pool.prefixes[p.prefix] += cost
}

// join puts the parts together; all are here.
func (p *partial) join() []byte {
	var message []byte
	for n := 1; n <= int(p.last); n++ {
		message = append(message, p.parts[uint8(n)]...)
	}
	return message
}

func (t *fragmentTable) heldBy(pair cookiePair) (cost int) {
	for _, p := range t.byPair[pair] {
		cost += p.cost
	}
	return cost
}

// squeeze drops messages until a pool is within its limit again.
func (m *Machine) squeeze(pool *fragmentPool) {
	for pool.held > pool.limit {
		var fullest netip.Prefix
		for prefix, held := range pool.prefixes {
			if most := pool.prefixes[fullest]; held > most || held == most && prefix.Addr().Less(fullest.Addr()) {
				fullest = prefix
			}
		}
		m.dropPartial(pool.partials[slices.IndexFunc(pool.partials, func(p *partial) bool { return p.prefix == fullest })])
	}
}

// dropPartial gives a message up.
func (m *Machine) dropPartial(p *partial) {
	m.stats.FragmentsDropped += uint64(len(p.parts))
	m.forgetPartial(p)
}

// dropFragments gives up what an SA that is gone had.
func (m *Machine) dropFragments(pair cookiePair) {
	for own := m.fragments.byPair[pair]; len(own) > 0; own = m.fragments.byPair[pair] {
		m.dropPartial(own[0])
	}
}

func (m *Machine) forgetPartial(p *partial) {
	m.alarms.clear(&p.end)
	p.pool.partials = without(p.pool.partials, p)
	p.pool.held -= p.cost
	if p.pool.prefixes[p.prefix] -= p.cost; p.pool.prefixes[p.prefix] == 0 {
		delete(p.pool.prefixes, p.prefix)
	}
	t := &m.fragments
	if t.byPair[p.pair] = without(t.byPair[p.pair], p); len(t.byPair[p.pair]) == 0 {
		delete(t.byPair, p.pair)
	}
}

func without(ps []*partial, p *partial) []*partial {
	i := slices.Index(ps, p)
	return slices.Delete(ps, i, i+1)
}
