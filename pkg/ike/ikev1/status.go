package ikev1

import (
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// Stats counts what happened since the start. Every received datagram that came to nothing stands in one of them.
type Stats struct {
	Received         uint64 // datagrams
	Malformed        uint64 // not understood
	Unknown          uint64 // for no SA here
	Uncovered        uint64 // from an address that no filter covers
	Unsupported      uint64 // exchange types that are not spoken
	Unexpected       uint64 // out of turn
	Unauthenticated  uint64 // notifications and deletions that prove nothing
	BadProofs        uint64 // wrong hashes
	Replayed         uint64
	Duplicates       uint64 // answered again
	Fragments        uint64 // parts of messages of which this host expects some
	FragmentsDropped uint64 // parts that never made a whole message
	Refused          uint64 // negotiations refused here
	HalfOpenRefused  uint64 // for want of room
	HalfOpenEvicted  uint64 // to make room
	Retransmitted    uint64
	AcquiresDropped  uint64
	GuessesRefused   uint64 // logins that were refused without a look, for too many wrong ones
	DeadPeers        uint64

	// Negotiations by their end. Initiated began here, Answered at the peer.
	Acquires             uint64 // children that traffic or the administrator wanted
	AcquiresFailed       uint64
	MainModesInitiated   uint64 // established
	MainModesAnswered    uint64
	MainModesFailed      uint64
	QuickModesInitiated  uint64 // confirmed
	QuickModesAnswered   uint64
	QuickModesFailed     uint64
	AuthenticationFailed uint64 // main modes, of MainModesFailed, that came as far as the proofs of identity

	HalfOpen, MainModes, Children, Peers int // now
	Wants, Attempts                      int // now: children that are wanted or under way; main modes under way

	complaints   int
	complainedAt time.Time
}

// Stats returns the counters.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.HalfOpen, s.Children, s.Peers = m.halfOpen.total+len(m.initiating), len(m.children), len(m.peers)
	for _, x := range m.established {
		if x.state.obeys() {
			s.MainModes++
		}
	}
	for _, p := range m.peers {
		s.Wants += len(p.wants)
		if p.negotiating() != nil {
			s.Attempts++
		}
	}
	return s
}

func (m *Machine) allPeers() []*peer {
	var out []*peer
	for _, p := range m.peers {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *peer) int {
		if c := a.at.remote.Compare(b.at.remote); c != 0 {
			return c
		}
		return a.at.local.Compare(b.at.local)
	})
	return out
}

func (s *mainMode) info(now time.Time) isakmp.PeerInfo {
	return isakmp.PeerInfo{ID: s.id, Local: s.local, Remote: s.remote, InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder,
		Initiator: s.role() == isakmp.Initiator, Encr: s.suite.encr, KeyBits: s.suite.keyBits, Hash: s.suite.hash, Group: s.suite.group,
		Auth: s.suite.authName(), User: s.user(), Inner: s.innerAddress(), Aggressive: s.aggressive(), RemoteID: s.remoteID.String(), Rule: s.rule.Name, Established: s.establishedAt, Lifetime: s.hardAt.Sub(s.establishedAt),
		NATLocal: s.nat.local, NATRemote: s.nat.remote, DPD: s.dpd, EncryptionKey: s.key, State: s.state.String(), Remaining: max(0, s.hardAt.Sub(now)),
		QuickModes: s.quickModes}
}

// Peers lists the main-mode SAs, negotiating ones too, and peers that have none but a failure to tell of.
func (m *Machine) Peers(now time.Time) []isakmp.PeerInfo {
	var out []isakmp.PeerInfo
	for _, p := range m.allPeers() {
		base := isakmp.PeerInfo{Local: netip.AddrPortFrom(p.at.local, 0), Remote: netip.AddrPortFrom(p.at.remote, 0), State: "down"}
		list := []isakmp.PeerInfo{}
		for _, s := range p.sas {
			i := s.info(now)
			if s.state.unfinished() {
				i.RemoteID, i.Lifetime, i.Remaining, i.EncryptionKey = "", 0, 0, nil
			}
			list = append(list, i)
		}
		if len(list) == 0 {
			list = append(list, base)
		}
		for i := range list {
			list[i].Children, list[i].Waiting = len(p.children), len(p.wants)
			if p.last != nil {
				f := *p.last
				list[i].LastFailure, list[i].LastFailureAt = &f, p.lastAt
			}
		}
		out = append(out, list...)
	}
	return out
}

// Children lists the children, oldest first.
func (m *Machine) Children(now time.Time) []isakmp.ChildInfo {
	var out []isakmp.ChildInfo
	for _, c := range m.children {
		i := isakmp.ChildInfo{Child: c.sa, State: c.state(), Since: c.upAt, Renewing: c.renewing}
		if !c.upAt.IsZero() {
			i.Age, i.Remaining, i.UntilRekey = now.Sub(c.upAt), max(0, c.hardAt.Sub(now)), max(0, c.softAt.Sub(now))
		}
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b isakmp.ChildInfo) int { return int(int64(a.Child.ID) - int64(b.Child.ID)) })
	return out
}

// carries reports whether traffic still leaves through a child that has a successor.
func (c *child) carries() bool {
	for _, o := range c.peer.children {
		if o.waiting && o.sa.Replaces == c.sa.ID {
			return true
		}
	}
	return false
}

func (c *child) state() string {
	switch {
	case c.retired && !c.carries():
		return "retiring"
	case c.up && !c.waiting:
		return "up"
	}
	return "inbound ready"
}
