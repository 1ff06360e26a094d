package ikev1

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// lease is an inner address that a client was given. It stays the client's when its SAs are gone, until all others of the pool have been given to somebody.
type lease struct {
	address netip.Addr
	owner   owner
	peer    *peer  // who used it last
	seq     uint64 // of the last assignment
}

// owner names a client: what it proved to be in main mode, and who logged in.
type owner struct{ id, user string }

// pool is the addresses of one prefix. Rules that name the same prefix share it.
type pool struct {
	prefix  netip.Prefix
	next    netip.Addr // the first that was never assigned
	leases  map[netip.Addr]*lease
	byOwner map[owner][]*lease
}

// maxLeases bounds a pool, whatever its prefix.
const maxLeases = 1 << 16

func (m *Machine) poolOf(prefix netip.Prefix) *pool {
	p := m.pools[prefix]
	if p == nil {
		p = &pool{prefix: prefix, next: prefix.Addr(), leases: map[netip.Addr]*lease{}, byOwner: map[owner][]*lease{}}
		if hasEdges(prefix) {
			p.next = p.next.Next() // the network's own
		}
		m.pools[prefix] = p
	}
	return p
}

// hasEdges reports whether the first and the last address of a prefix are none for hosts: IPv4's network and broadcast addresses; IPv6's first is for routers.
func hasEdges(p netip.Prefix) bool { return p.Bits() < p.Addr().BitLen()-1 }

// usable reports whether an address may be assigned.
func (p *pool) usable(a netip.Addr) bool {
	if !p.prefix.Contains(a) {
		return false
	}
	return !hasEdges(p.prefix) || a != p.prefix.Addr() && (a.Is6() || p.prefix.Contains(a.Next()))
}

// leaseFor finds the client of s an address: its own of before, the one it wishes, one that nobody had, or the one that has been unused for longest. nil: all are in use.
func (m *Machine) leaseFor(s *mainMode, wish netip.Addr) *lease {
	if s.config.lease != nil {
		return s.config.lease
	}
	p := m.poolOf(s.rule.Tunnel.Pool)
	who := s.owner()
	l := m.ownLease(p, who, s.peer)
	if l == nil {
		if l = m.freshLease(p, wish); l == nil {
			m.noLease(s)
			return nil
		}
		p.give(l, who)
	}
	m.leaseSeq++
	l.peer, l.seq = s.peer, m.leaseSeq
	s.config.lease = l
	m.log(levelInfo, "an inner address was assigned", "rule", s.rule.Name, "address", l.address, "peer", s.remote, "remote_id", s.remoteID.String(), "user", isakmp.Escape(s.exam.user))
	return l
}

func (s *mainMode) owner() owner { return owner{string(s.remoteID.Append(nil)), s.exam.user} }

// ownLease is one that the client had before and that nobody uses, unless the client itself does from the same place. Where several clients share an identity they
// are not one.
func (m *Machine) ownLease(p *pool, who owner, from *peer) *lease {
	if len(p.byOwner[who]) == 0 {
		return nil
	}
	used := m.leased()
	for _, l := range p.byOwner[who] {
		if l.peer == from || !used[l.address] {
			return l
		}
	}
	return nil
}

func (m *Machine) freshLease(p *pool, wish netip.Addr) *lease {
	if p.usable(wish) && p.leases[wish] == nil && len(p.leases) < maxLeases {
		return &lease{address: wish}
	}
	for p.usable(p.next) && len(p.leases) < maxLeases {
		a := p.next
		p.next = a.Next()
		if p.leases[a] == nil {
			return &lease{address: a}
		}
	}
	used := m.leased()
	var oldest *lease
	for _, l := range p.leases {
		if (oldest == nil || l.seq < oldest.seq) && !used[l.address] {
			oldest = l
		}
	}
	return oldest
}

// give makes a lease somebody's.
func (p *pool) give(l *lease, who owner) {
	if old := p.byOwner[l.owner]; p.leases[l.address] == l {
		for i := range old {
			if old[i] == l {
				old = append(old[:i:i], old[i+1:]...)
				break
			}
		}
		if p.byOwner[l.owner] = old; len(old) == 0 {
			delete(p.byOwner, l.owner)
		}
	}
	l.owner = who
	p.leases[l.address] = l
	p.byOwner[who] = append(p.byOwner[who], l)
}

// leased is the set of inner addresses that an SA or a child uses now.
func (m *Machine) leased() map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, s := range m.established {
		if l := s.config.lease; l != nil {
			used[l.address] = true
		}
	}
	for _, c := range m.children {
		if t := c.filter.Rule.Tunnel; t != nil && t.Pool.IsValid() {
			used[c.sa.Selector.Dst.From] = true
		}
	}
	return used
}

// inheritLease gives a new SA what its client has under another one: not every client asks again.
func (s *mainMode) inheritLease() {
	for _, o := range s.peer.sas {
		if o != s && o.config.lease != nil && o.owner() == s.owner() && s.config.lease == nil {
			s.config.lease = o.config.lease
		}
	}
}
