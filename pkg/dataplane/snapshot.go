package dataplane

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// snapshot is one applied policy. It is immutable; its entries are not.
type snapshot struct {
	index *classifier.Index[*entry]
	byID  map[string]*entry
	// dynamic are filters that the default response rule made: they decide where none of index does. Nil if there are none.
	dynamic *classifier.Index[*entry]
	// exempt passes whatever the filters say.
	exempt policy.Exemptions
}

// find returns the entry that decides about a packet, nil if no filter is about it or it is exempt from all.
func (s *snapshot) find(k *packet.Key) *entry {
	if s.exempt.Match(k) {
		return nil
	}
	if e, ok := s.index.Lookup(k); ok || s.dynamic == nil {
		return e
	}
	e, _ := s.dynamic.Lookup(k)
	return e
}

// entry is one outbound filter with the SAs that protect its packets. An entry outlives the snapshot it was made for as long as
// later policies hold a filter with the same ID.
type entry struct {
	filter *policy.QuickModeFilter
	// action and hanging are what every packet asks of the filter, in one place: to look into it is to wait for memory three times.
	action  policy.ActionKind
	hanging hanging
	// tunnel are the SAs of a tunnel filter, one or one for each worker. Copied on write.
	tunnel atomic.Pointer[tunnelSAs]
	// pairs are the SAs of a transport filter, one for each pair of hosts (RFC 4301 §4.4.1, populate from packet). Copied on write.
	pairs atomic.Pointer[map[Pair]*Bundle]
	// soft are the soft SAs of a transport filter. Copied on write.
	soft  atomic.Pointer[map[Pair]*Soft]
	holds holds
}

// MaxPairs bounds the pairs of hosts under one transport filter.
const MaxPairs = 4096

// Bundle is what protects the packets of an entry: ESP, AH, or ESP inside AH. The order of its fields keeps it small: there may be a hundred thousand.
type Bundle struct {
	// ESP and AH are the outbound SAs; one of them may be nil.
	ESP, AH *sa.Outbound
	// Config is that of the outermost SA: its addresses are the outer ones.
	Outer *sa.OutboundConfig
	// Child names the negotiated child SA.
	Child  uint64
	socket *Socket // UDP encapsulation
	// MTU is the outer path's MTU in bytes when the bundle was made; a smaller one learned later lies in the SA.
	MTU  int32
	Mode suite.Mode
	DF   DF
	// Queue is the number of the worker that it is for, if the filter is a tunnel's. It serves those that have none too.
	Queue  uint8
	shared bool // more than one worker uses it; written while all pause
}

// DF is what happens to the don't-fragment flag of an IPv4 tunnel header (RFC 4301 §8.1).
type DF uint8

const (
	CopyDF DF = iota
	SetDF
	ClearDF
)

// DFOf is what the word of a policy stands for: "copy" (or ""), "set" or "clear".
func DFOf(word string) DF {
	switch word {
	case "set":
		return SetDF
	case "clear":
		return ClearDF
	}
	return CopyDF
}

func (b *Bundle) outermost() *sa.Outbound {
	if b.AH != nil {
		return b.AH
	}
	return b.ESP
}

// hanging says where the bundles of an entry hang.
type hanging uint8

const (
	onPairs   hanging = iota // a transport filter has one for each pair of hosts
	onRemotes                // a tunnel filter for any peer (road warriors) has one for each inner address
	onEntry                  // a tunnel filter for one peer has one, or one for each worker
)

// newEntry makes the entry of a filter.
func newEntry(f *policy.QuickModeFilter) *entry {
	e := &entry{filter: f, action: f.Action}
	switch {
	case f.Rule == nil || f.Rule.Tunnel == nil:
	case f.Rule.Tunnel.Remote.IsValid():
		e.hanging = onEntry
	default:
		e.hanging = onRemotes
	}
	return e
}

// slot tells where the bundle for a packet between two addresses hangs: single means on the entry itself.
func (e *entry) slot(pair Pair) (slot Pair, single bool) {
	switch e.hanging {
	case onEntry:
		return Pair{}, true
	case onRemotes:
		return Pair{Remote: pair.Remote}, false
	}
	return pair, false
}

// anyPeer reports whether the entry is for peers that come to us: there is none to negotiate with.
func (e *entry) anyPeer() bool {
	return e.hanging == onRemotes
}

// tunnelSAs are the bundles of a tunnel filter.
func (e *entry) tunnelSAs() tunnelSAs {
	if list := e.tunnel.Load(); list != nil {
		return *list
	}
	return nil
}

// bundle is what a worker protects the packets of a pair with, nil if there is nothing.
func (e *entry) bundle(pair Pair, worker int) *Bundle {
	slot, single := e.slot(pair)
	if single {
		return e.tunnelSAs().of(worker)
	}
	if m := e.pairs.Load(); m != nil {
		return (*m)[slot]
	}
	return nil
}

// set hangs b on the entry. All workers pause. False: the entry has its full number of pairs.
func (e *entry) set(pair Pair, b *Bundle, workers int) bool {
	pair, single := e.slot(pair)
	if single {
		next := e.tunnelSAs().with(b)
		next.mark(workers)
		e.tunnel.Store(&next)
		return true
	}
	next := map[Pair]*Bundle{}
	if m := e.pairs.Load(); m != nil {
		if (*m)[pair] == nil && len(*m) >= MaxPairs {
			return false
		}
		next = maps.Clone(*m)
	}
	b.shared = workers > 1
	next[pair] = b
	e.pairs.Store(&next)
	return true
}

// remove takes the bundle of a child off the entry, if it is still there. All workers pause.
func (e *entry) remove(child uint64, workers int) {
	if list := e.tunnelSAs(); list != nil {
		left := list.without(child)
		left.mark(workers)
		e.tunnel.Store(&left)
	}
	m := e.pairs.Load()
	if m == nil {
		return
	}
	next := maps.Clone(*m)
	maps.DeleteFunc(next, func(_ Pair, b *Bundle) bool { return b.Child == child })
	if len(next) != len(*m) {
		e.pairs.Store(&next)
	}
}

// Apply makes c the policy of outbound packets. Entries whose filter is in both policies keep their SAs and their held packets;
// packets held for a filter that is gone are dropped. Dynamic filters decide where no filter of c does.
func (p *Plane) Apply(c *policy.Compiled, dynamic ...*policy.QuickModeFilter) {
	p.install.Lock()
	defer p.install.Unlock()
	old := p.snapshot.Load()
	next := &snapshot{byID: make(map[string]*entry, len(c.Outbound)), exempt: c.Policy.Exemptions}
	next.index = classifier.Build(next.entries(old, c.Outbound))
	if len(dynamic) > 0 {
		list := next.entries(old, dynamic)
		classifier.Sort(list, nil)
		next.dynamic = classifier.Build(list)
	}
	p.pause() // a batch that is under way ends under the old policy, before Apply returns
	p.snapshot.Store(next)
	p.resume()
	if old == nil {
		return
	}
	for id, e := range old.byID {
		if next.byID[id] != e {
			p.dropHeld(e)
		}
	}
}

// entries makes entries for filters, or takes those of old that have the same ID.
func (s *snapshot) entries(old *snapshot, filters []*policy.QuickModeFilter) []classifier.Entry[*entry] {
	list := make([]classifier.Entry[*entry], 0, len(filters))
	for _, f := range filters {
		e := newEntry(f)
		if old != nil {
			if kept := old.byID[f.ID]; kept != nil {
				e = kept
			}
		}
		s.byID[f.ID] = e
		list = append(list, classifier.Entry[*entry]{Filter: f.Filter, Value: e})
	}
	return list
}

// Install hangs an outbound bundle on the entry of a filter and sends what was held for it. pair is that of a transport filter. It reports
// false if the policy no longer has the filter, or if the filter has its full number of pairs.
func (p *Plane) Install(filterID string, pair Pair, b *Bundle) bool {
	p.install.Lock()
	defer p.install.Unlock()
	s := p.snapshot.Load()
	if s == nil || s.byID[filterID] == nil {
		return false
	}
	e := s.byID[filterID]
	if b.Outer.Remote.Port() != 0 {
		b.socket = p.socket(b.Outer.Local)
	}
	p.pause()
	defer p.resume()
	if !e.set(pair, b, len(p.workers)) {
		return false
	}
	p.releaseHeld(e, pair)
	return true
}

// Uninstall takes the outbound bundle of a child SA off its filter. Packets that need one from now on are held and ask for a new one.
func (p *Plane) Uninstall(filterID string, child uint64) {
	p.install.Lock()
	defer p.install.Unlock()
	p.pause() // a batch that is under way is over then
	defer p.resume()
	if s := p.snapshot.Load(); s != nil {
		if e := s.byID[filterID]; e != nil {
			e.remove(child, len(p.workers))
		}
	}
}

// holds are the packets of one entry that wait for a negotiation.
type holds struct {
	mu     sync.Mutex
	pairs  map[Pair]*hold
	closed bool // the policy no longer has the filter: a worker that still works with the old one must not leave a packet here
}
