package ikev1

import (
	"bytes"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// child is a negotiated pair of IPsec SAs (two pairs for AH with ESP).
type child struct {
	sa                       *isakmp.ChildSA
	m                        *Machine
	peer                     *peer
	remoteID                 isakmp.Identification // of the main-mode SA that made it
	loggedIn                 bool                  // that SA's peer logged in at this gateway (XAUTH)
	user                     string                // as whom
	filter                   *policy.QuickModeFilter
	queue                    int
	began                    time.Time // of its quick mode at this end
	upAt                     time.Time
	ready                    bool // InboundReady was emitted
	up                       bool // ChildUp was emitted
	retired                  bool // another has taken its place; it is accepted for a while yet
	renewing                 bool
	failures                 uint8 // attempts to renew it that failed, at most maxDoublings
	gone                     bool
	trafficAt                time.Time
	softAt, hardAt           time.Time
	waiting                  bool // up, and its predecessor still carries what leaves
	soft, hard, idle, remove alarm
	change                   alarm
}

const (
	// lingerOwn is how long the side that renewed a child keeps the old one; lingerPeer is for the other side, in case the deletion is lost.
	lingerOwn  = 20 * time.Second
	lingerPeer = 60 * time.Second
	// changeover is how long the initiator of a renewal goes on sending with the old child: a peer that makes use of the third message
	// later than of the ESP packets behind it would drop those.
	changeover = 250 * time.Millisecond
	// collisionSlack is how much earlier than the peer's quick mode began an own child may have come up and still count as a collision.
	collisionSlack = 2 * time.Second
	renewRetry     = 10 * time.Second
	maxDoublings   = 5 // of renewRetry
)

func (c *child) usable() bool { return c.up && !c.retired && !c.gone }

// like reports whether one of two children is to take the other's place: they are for the same traffic.
func (c *child) like(o *child) bool {
	return c.sa.Selector == o.sa.Selector && c.sa.Mode == o.sa.Mode && c.queue == o.queue
}

// newChild makes the child of a quick mode whose keys are known.
func (m *Machine) newChild(now time.Time, q *quickMode) *child {
	s := q.s
	sa := &isakmp.ChildSA{ID: m.newID(), PeerID: s.id, Filter: q.filter.ID, Rule: q.filter.Rule.Name, Dynamic: q.filter.Dynamic, Local: s.local, Remote: s.remote,
		Mode: q.mode(), Selector: q.selector, Queue: q.queue, ESN: q.choice.suite.any().esn, Seconds: q.seconds, Kilobytes: q.kilobytes,
		Initiator: q.role() == isakmp.Initiator, NATLocal: s.nat.local, NATRemote: s.nat.remote,
		OriginalLocal: q.originalLocal, OriginalRemote: q.originalRemote}
	if !s.nat.udp() {
		sa.Local, sa.Remote = portless(s.local), portless(s.remote)
	}
	if q.want != nil {
		sa.Replaces = q.want.replaces
	}
	for _, p := range []isakmp.ProtocolID{isakmp.ProtoESP, isakmp.ProtoAH} { // as applied to an outbound packet: ESP inside AH
		if q.choice.suite.part(p) != nil {
			sa.Protocols = append(sa.Protocols, q.keys(p))
		}
	}
	c := &child{sa: sa, m: m, peer: s.peer, remoteID: s.remoteID, loggedIn: s.suite.xauth && s.role() == isakmp.Responder, user: s.exam.user, filter: q.filter, queue: q.queue, began: q.began, trafficAt: now}
	m.children[sa.ID] = c
	m.counted(c, 1)
	s.peer.children[sa.ID] = c
	m.index(c)
	return c
}

func (m *Machine) index(c *child) {
	for _, p := range c.sa.Protocols {
		m.outbound[outboundSPI{c.peer, wireProtocol(p.Protocol), p.SPIOut}] = c
	}
}

func (m *Machine) unindex(c *child) {
	for _, p := range c.sa.Protocols {
		k := outboundSPI{c.peer, wireProtocol(p.Protocol), p.SPIOut}
		if m.outbound[k] == c {
			delete(m.outbound, k)
		}
	}
}

// inboundReady makes the responder's half usable: the initiator may send as soon as it has message 2.
func (m *Machine) inboundReady(now time.Time, q *quickMode) {
	q.child = m.newChild(now, q)
	q.child.ready = true
	m.emit(isakmp.InboundReady{Child: q.child.sa})
}

// bringUp puts a confirmed child into use, or decides that another one for the same traffic stays in use. There is another if the child
// was renewed, which the new one wins, or if both ends began at once; then both ends keep the pair with the larger SPI.
func (m *Machine) bringUp(now time.Time, c *child) {
	c.upAt, c.trafficAt = now, now
	if c.sa.Initiator {
		m.stats.QuickModesInitiated++
	} else {
		m.stats.QuickModesAnswered++
	}
	m.setLifetimes(now, c)
	var older, keeper *child
	for _, o := range c.peer.children {
		if o == c || !o.usable() || !o.like(c) {
			continue
		}
		if c.collides(o) && bytes.Compare(o.rank(), c.rank()) > 0 {
			keeper = o
		}
		if older == nil || o.upAt.After(older.upAt) || o.upAt.Equal(older.upAt) && o.sa.ID > older.sa.ID {
			older = o
		}
	}
	if keeper != nil {
		if !c.ready {
			c.ready = true
			m.emit(isakmp.InboundReady{Child: c.sa})
		}
		m.retire(now, c, lingerPeer/2+m.jitter(lingerPeer/2))
		return
	}
	// The others retire, at the side that renewed soon, at the other later.
	for _, o := range c.peer.children {
		if o == c || !o.usable() || !o.like(c) {
			continue
		}
		linger := lingerOwn
		if c.sa.Replaces != o.sa.ID {
			linger = lingerPeer/2 + m.jitter(lingerPeer/2)
		}
		m.retire(now, o, linger)
	}
	if older != nil && c.sa.Replaces != older.sa.ID {
		sa := *c.sa
		sa.Replaces = older.sa.ID
		c.sa = &sa
	}
	c.up = true
	m.keepNAT(now, c.peer)
	if older == nil || !c.sa.Initiator {
		m.emit(isakmp.ChildUp{Child: c.sa})
		return
	}
	if !c.ready {
		c.ready = true
		m.emit(isakmp.InboundReady{Child: c.sa})
	}
	c.waiting = true
	c.change.ring = func(time.Time) { m.changeOver(c) }
	m.alarms.set(&c.change, now.Add(changeover))
}

// changeOver has traffic leave through a child whose predecessor carried it until now.
func (m *Machine) changeOver(c *child) {
	if c.waiting && !c.gone {
		c.waiting = false
		m.alarms.clear(&c.change)
		m.emit(isakmp.ChildUp{Child: c.sa})
	}
}

// collides reports whether two children were negotiated by the two ends at once, neither knowing of the other's.
func (c *child) collides(o *child) bool {
	return c.sa.Initiator != o.sa.Initiator && c.sa.Replaces != o.sa.ID && o.upAt.After(c.began.Add(-collisionSlack))
}

// rank is the larger SPI of the first protocol: the same number at both ends.
func (c *child) rank() []byte {
	p := c.sa.Protocols[0]
	return be32(max(p.SPIIn, p.SPIOut))
}

// retire keeps a child for a while, then deletes it, unless it has become the only one for its traffic.
func (m *Machine) retire(now time.Time, c *child, linger time.Duration) {
	c.retired, c.waiting = true, false
	m.alarms.clear(&c.change)
	m.alarms.clear(&c.soft)
	m.alarms.clear(&c.idle)
	c.remove.ring = func(now time.Time) { m.deleteChild(now, c, "replaced") }
	m.alarms.set(&c.remove, now.Add(linger))
}

// setLifetimes sets the times of renewal and end. The initiator of the last quick mode renews earlier, so that the two ends seldom begin
// at once; the random part keeps many children apart.
func (m *Machine) setLifetimes(now time.Time, c *child) {
	life := time.Duration(c.sa.Seconds) * time.Second
	if life == 0 {
		life = policy.DefaultSeconds * time.Second
	}
	early := life / 20
	if c.sa.Initiator {
		early = life / 10
	}
	c.hardAt = now.Add(life)
	c.softAt = c.hardAt.Add(-early - m.jitter(early))
	c.soft.ring = func(now time.Time) { m.renew(now, c) }
	c.hard.ring = func(now time.Time) { m.deleteChild(now, c, "its lifetime ended") }
	c.idle.ring = func(now time.Time) { m.checkIdle(now, c) }
	m.alarms.set(&c.soft, c.softAt)
	m.alarms.set(&c.hard, c.hardAt)
	if idle := c.filter.Rule.Peer.Idle(); idle > 0 {
		m.alarms.set(&c.idle, now.Add(idle))
	}
}

func (m *Machine) checkIdle(now time.Time, c *child) {
	// Those for the other queues live and end together: a flow may come to any of them.
	last := c.trafficAt
	for _, o := range c.peer.children {
		if o.usable() && o.sa.Selector == c.sa.Selector && o.sa.Mode == c.sa.Mode && o.trafficAt.After(last) {
			last = o.trafficAt
		}
	}
	if end := last.Add(c.filter.Rule.Peer.Idle()); end.After(now) {
		m.alarms.set(&c.idle, end)
		return
	}
	m.deleteChild(now, c, "no traffic")
}

// renew negotiates a successor.
func (m *Machine) renew(now time.Time, c *child) {
	if c.renewing || !c.usable() {
		return
	}
	// A child that carried nothing since its last renewal, or ever, is not worth one: it ends, and traffic makes a new one.
	if len(c.peer.wants) >= maxWants {
		c.rekeyFailed(now)
		return
	}
	c.renewing = true
	p := c.peer
	p.wants = append(p.wants, &want{filter: c.filter, selector: c.sa.Selector, queue: c.queue, replaces: c.sa.ID})
	m.pursue(now, p)
}

// rekeyFailed tries again a little later; the old child goes on until its end. One without which its traffic has another is asked for less and less often.
func (c *child) rekeyFailed(now time.Time) {
	c.renewing = false
	if !c.usable() {
		return
	}
	wait := renewRetry
	if c.queue > 0 {
		wait <<= c.failures
		c.failures = min(c.failures+1, maxDoublings)
	}
	c.m.alarms.set(&c.soft, now.Add(wait+c.m.jitter(wait)))
}

// deleteChild removes a child and tells the peer.
func (m *Machine) deleteChild(now time.Time, c *child, reason string) {
	m.removeChild(now, c, reason, true)
}

// removeChild removes a child. One that was in use is followed by one that came second in a collision, if that is still there.
func (m *Machine) removeChild(now time.Time, c *child, reason string, tell bool) {
	if c.gone {
		return
	}
	c.gone = true
	for _, a := range []*alarm{&c.soft, &c.hard, &c.idle, &c.remove, &c.change} {
		m.alarms.clear(a)
	}
	for _, o := range c.peer.children {
		if o != c && o.like(c) {
			m.changeOver(o) // what it waits with may be going
		}
	}
	m.unindex(c)
	delete(m.children, c.sa.ID)
	m.counted(c, -1)
	p := c.peer
	delete(p.children, c.sa.ID)
	for _, w := range append([]*want(nil), p.wants...) {
		if w.replaces == c.sa.ID {
			w.replaces = 0
			if w.qm == nil {
				p.drop(w)
			}
		}
	}
	if tell {
		m.tellDeleted(now, p, c.sa)
	}
	if !c.retired {
		m.revive(now, c)
	}
	m.emit(isakmp.ChildDown{ID: c.sa.ID, Reason: reason})
	m.forget(p)
}

// revive puts a child into use that had lost a collision to c, which is gone.
func (m *Machine) revive(now time.Time, c *child) {
	for _, o := range c.peer.children {
		if o.retired && !o.up && !o.gone && o.like(c) {
			o.retired, o.up = false, true
			m.alarms.clear(&o.remove)
			sa := *o.sa
			sa.Replaces = c.sa.ID
			o.sa = &sa
			m.setLifetimes(now, o)
			m.emit(isakmp.ChildUp{Child: o.sa})
			return
		}
	}
}

// Expiring renews a child that comes to its limit of kilobytes or sequence numbers; Expired deletes one that reached it.
func (m *Machine) Expiring(now time.Time, id uint64) {
	if c := m.children[id]; c != nil {
		m.renew(now, c)
	}
}

func (m *Machine) Expired(now time.Time, id uint64, reason string) {
	if c := m.children[id]; c != nil {
		m.deleteChild(now, c, reason)
	}
}

// Traffic tells of authenticated traffic in either direction since the last call.
func (m *Machine) Traffic(now time.Time, id uint64, in, out bool) {
	c := m.children[id]
	if c == nil || !in && !out {
		return
	}
	c.trafficAt = now
	if in {
		m.alive(now, c.peer)
	}
	if out && !in {
		m.worryAbout(now, c.peer, c.filter.Rule.Peer)
	}
}

// protocols lists a child's inbound SPIs by protocol, for its deletion.
func inboundSPIs(sa *isakmp.ChildSA, p suite.Protocol) [][]byte {
	var out [][]byte
	for _, k := range sa.Protocols {
		if k.Protocol == p {
			out = append(out, be32(k.SPIIn))
		}
	}
	return out
}
