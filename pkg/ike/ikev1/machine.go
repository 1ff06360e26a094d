package ikev1

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Config is what a Machine needs; see ike.Config.
type Config struct {
	Rand          io.Reader
	Policy        *policy.Compiled
	NewSPI        func(suite.Protocol, int) (uint32, error)
	Port, NATPort uint16
	// HalfOpenMax and HalfOpenPerPrefix cap responders that have not proved their address or themselves; 0: 1024 and 64.
	HalfOpenMax, HalfOpenPerPrefix int
	Queues                         int
}

const (
	standardPort     = 500
	standardNATPort  = 4500
	defaultHalfOpen  = 1024
	defaultPerPrefix = 64
)

// Machine holds all IKEv1 state of an endpoint. Not safe for concurrent use.
type Machine struct {
	cfg    Config
	policy *policy.Compiled
	events []isakmp.Event
	alarms alarms
	stats  Stats
	nextID uint64

	established map[cookiePair]*mainMode    // and those that wait for messages 3 to 6, both cookies known
	initiating  map[isakmp.Cookie]*mainMode // by our cookie, while the responder's is unknown
	halfOpen    halfOpenTable               // responders before message 3
	fragments   fragmentTable               // parts of messages
	peers       map[addrPair]*peer          // with a wish, a main-mode SA or a child
	asked       map[uint64]*mainMode        // that wait for a verdict, by ID
	children    map[uint64]*child           // by ID
	outbound    map[outboundSPI]*child      // by the peer's SPI, for deletions
	logins      map[uint64]*mainMode        // whose password is being looked at, by ID
	guesses     guesses
	aggressive  aggressiveTable
	pools       map[netip.Prefix]*pool
	leaseSeq    uint64
	filters     filterTable
	dynamic     map[string]int // children of each dynamic filter, by its ID
	failedPeers []*peer        // oldest first
}

type cookiePair struct{ initiator, responder isakmp.Cookie }

// addrPair names a peer: IKE's own addresses at both ends, and the port where a NAT has given it one of its own, because several peers may be
// behind one address.
type addrPair struct {
	local, remote netip.Addr
	port          uint16 // 0 for a peer on a port that a policy can name
}

// placeOf is the peer that a main-mode SA belongs to.
func placeOf(s *mainMode) addrPair {
	at := addrPair{local: s.local.Addr(), remote: s.remote.Addr()}
	if p := s.remote.Port(); s.nat.remote && p != standardPort && p != standardNATPort && p != s.rule.Peer.Port {
		at.port = p
	}
	return at
}

type outboundSPI struct {
	peer     *peer
	protocol isakmp.ProtocolID
	spi      uint32
}

// New makes a Machine.
func New(c Config) (*Machine, error) {
	if c.Rand == nil || c.NewSPI == nil || c.Policy == nil {
		return nil, errors.New("ike needs a policy, a source of randomness and a source of SPIs")
	}
	if c.Port == 0 {
		c.Port, c.NATPort = standardPort, standardNATPort
	}
	if c.HalfOpenMax == 0 {
		c.HalfOpenMax = defaultHalfOpen
	}
	if c.HalfOpenPerPrefix == 0 {
		c.HalfOpenPerPrefix = defaultPerPrefix
	}
	m := &Machine{cfg: c, established: map[cookiePair]*mainMode{}, initiating: map[isakmp.Cookie]*mainMode{}, peers: map[addrPair]*peer{}, asked: map[uint64]*mainMode{},
		children: map[uint64]*child{}, outbound: map[outboundSPI]*child{}, dynamic: map[string]int{}}
	m.halfOpen.init(c.HalfOpenMax, c.HalfOpenPerPrefix)
	m.fragments.init()
	m.logins, m.pools = map[uint64]*mainMode{}, map[netip.Prefix]*pool{}
	m.adopt(c.Policy)
	var probe [1]byte
	// security.md O2: no start without randomness.
	if err := m.random(probe[:]); err != nil {
		return nil, err
	}
	return m, nil
}

// adopt makes a policy snapshot the current one.
func (m *Machine) adopt(c *policy.Compiled) {
	m.policy = c
	m.filters = tabulate(c.Outbound)
}

func (m *Machine) random(b []byte) error {
	if _, err := io.ReadFull(m.cfg.Rand, b); err != nil {
		return fmt.Errorf("the source of randomness failed: %w", err)
	}
	return nil
}

func (m *Machine) newID() uint64 {
	m.nextID++
	return m.nextID
}

// jitter is a random part of d, between none and all of it.
func (m *Machine) jitter(d time.Duration) time.Duration {
	var b [4]byte
	if m.random(b[:]) != nil {
		return d / 2
	}
	return time.Duration(float64(d) * float64(spiNumber(b[:])) / (1 << 32))
}

func (m *Machine) emit(e isakmp.Event) { m.events = append(m.events, e) }

// Next returns the next event, in order.
func (m *Machine) Next() (isakmp.Event, bool) {
	if len(m.events) == 0 {
		m.events = nil
		return nil, false
	}
	e := m.events[0]
	m.events[0] = nil
	m.events = m.events[1:]
	return e, true
}

// Deadline is when Advance next has something to do, the zero time if never.
func (m *Machine) Deadline() time.Time { return m.alarms.deadline() }

// Advance does what is due at now.
func (m *Machine) Advance(now time.Time) {
	for a := m.alarms.due(now); a != nil; a = m.alarms.due(now) {
		a.ring(now)
	}
}

func (m *Machine) log(level int, message string, attrs ...any) {
	m.emit(isakmp.Log{Level: level, Message: message, Attrs: attrs})
}

// Levels of log events, those of log/slog.
const (
	levelInfo = 0
	levelWarn = 4
)
