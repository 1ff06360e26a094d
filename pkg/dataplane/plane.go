package dataplane

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// Config is what a Plane needs.
type Config struct {
	// TUN is the device on the clear side.
	TUN tun.Device
	// UDP are the sockets that carry IKE, and ESP where Marker is set.
	UDP []Socket
	// Raw are the sockets of protocol 50 and 51; they are only read.
	Raw []netio.Conn
	// IP sends whole datagrams of either family past the TUN: raw ESP and AH, and permitted clear packets. Nil where the system
	// has none; such packets are then dropped and counted.
	IP netio.Conn
	// Sealed, if it is not nil, sends raw ESP and AH in the place of IP, and nothing else.
	Sealed netio.Conn
	// Stranger reports whether the source of a packet that the policy permits is an address of this host that the policy does not know yet.
	// Such a packet is dropped, and AddressesChanged is told. Nil: there are none.
	Stranger func(netip.Addr) bool
	// DB finds inbound SAs.
	DB *sa.DB
	// Clock is read once a batch.
	Clock func() time.Time
	// Pause waits. A reader whose device or socket fails time and again waits longer and longer, 50 ms at most, and gives up after [MostFailures]. Nil: it does not wait.
	Pause func(time.Duration)
	// Events takes what the owner must act on. Sends never block: an event that finds it full is repeated by later traffic.
	Events chan<- Event
	// Control takes IKE datagrams; one that finds it full is dropped and counted.
	Control chan<- Datagram
	// Rand seeds identification fields and IVs of nothing secret.
	Rand io.Reader
	// MTU is the TUN device's MTU, in bytes.
	MTU int
}

// Socket is a UDP socket. With Marker set it carries ESP, and IKE behind four zero octets (RFC 3948 §2.2); without, IKE only.
type Socket struct {
	netio.Conn
	Marker bool
	// Queues are further sockets on the same address: ESP comes to them as a rule, and leaves by them, so that the first is there for IKE (netio.ListenQueues).
	// None: there is one for both.
	Queues []netio.Conn
}

// esp is the socket by which worker n sends ESP.
func (s *Socket) esp(n int) netio.Conn {
	if len(s.Queues) == 0 {
		return s.Conn
	}
	return s.Queues[n%len(s.Queues)]
}

// conns are all its sockets.
func (s *Socket) conns() []netio.Conn { return append([]netio.Conn{s.Conn}, s.Queues...) }

// Datagram is an IKE datagram without its marker. Local is the address it came to.
type Datagram struct {
	Local, Remote netip.AddrPort
	Data          []byte
}

// EventKind is what an Event is about.
type EventKind uint8

const (
	// Acquire: a packet found no SA. Filter, Key and Pair are set.
	Acquire EventKind = iota + 1
	// Expiring: an SA reached a soft limit in bytes or packets. Child is set.
	Expiring
	// Expired: an SA reached a hard limit; its packets are dropped. Child is set.
	Expired
	// Rebound: a fresh authenticated packet of Child came from another address, Remote (RFC 3948 §5, RFC 7296 §2.23).
	Rebound
	// DeviceChanged: the TUN device went up or down or changed its MTU.
	DeviceChanged
	// Stray: a packet came whose SPI no inbound SA has. Protocol, SPI, Pair and Remote are set; at most one a second and socket is told.
	Stray
)

// Event tells the owner of a Plane what a packet needs.
type Event struct {
	Kind   EventKind
	Filter *policy.QuickModeFilter
	Key    packet.Key
	Pair   Pair
	Child  uint64
	Remote netip.AddrPort

	Protocol suite.Protocol
	SPI      uint32
}

// Pair is two addresses as this host sees them.
type Pair struct{ Local, Remote netip.Addr }

// Plane moves packets. Make it with New.
type Plane struct {
	cfg      Config
	snapshot atomic.Pointer[snapshot]
	count    Counters
	udp      map[netip.AddrPort]*Socket // by bound address, wildcard included
	mtu      atomic.Int32

	frags   fragments
	install sync.Mutex  // serialises Apply, Install and Uninstall
	release outbound    // the worker that seals packets which were held for a negotiation; guarded by install
	workers []*outbound // one for each queue of the device
	sharing sync.Mutex  // held by a worker until its batch is sent, if that has packets of an SA which others use too
	queues  []QueueCount
	duties  []*Duty // one for each queue of the device, while Run runs
	nextID  atomic.Uint32
}

// New checks cfg and returns a Plane whose policy blocks everything until Apply.
func New(cfg Config) (*Plane, error) {
	if cfg.TUN == nil || cfg.DB == nil || cfg.Clock == nil || cfg.Rand == nil {
		return nil, errors.New("dataplane: TUN, DB, Clock and Rand must be set")
	}
	if cfg.MTU < 576 {
		return nil, errors.New("dataplane: the MTU of the TUN device is under 576 bytes")
	}
	p := &Plane{cfg: cfg, udp: map[netip.AddrPort]*Socket{}}
	p.mtu.Store(int32(cfg.MTU))
	for i := range cfg.UDP {
		p.udp[cfg.UDP[i].LocalAddr()] = &cfg.UDP[i]
	}
	var seed [4]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, err
	}
	p.nextID.Store(uint32(seed[0]) | uint32(seed[1])<<8 | uint32(seed[2])<<16 | uint32(seed[3])<<24)
	p.release.init(p)
	p.workers = make([]*outbound, tun.QueuesOf(cfg.TUN))
	p.queues = make([]QueueCount, len(p.workers))
	for n := range p.workers {
		p.workers[n] = &outbound{n: n}
		p.workers[n].init(p)
	}
	return p, nil
}

// Run reads the TUN device and the sockets until ctx ends or the device is closed for good. It closes the device and the sockets.
func (p *Plane) Run(ctx context.Context) error {
	var readers sync.WaitGroup
	ended := make(chan error, 1)
	for range p.workers {
		d := NewDuty()
		defer d.Close()
		p.duties = append(p.duties, d)
	}
	start := func(read func() error) {
		readers.Go(func() {
			err := read()
			select {
			case ended <- err:
			default:
			}
		})
	}
	for _, o := range p.workers {
		start(func() error { return p.readTUN(o) })
	}
	for i := range p.cfg.UDP {
		s := &p.cfg.UDP[i]
		start(func() error { return p.readSocket(s.Conn, s, 0) })
		for n, c := range s.Queues {
			start(func() error { return p.readSocket(c, s, n) })
		}
	}
	for _, c := range p.cfg.Raw {
		start(func() error { return p.readSocket(c, nil, 0) })
	}
	start(p.watchDevice)
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	p.close()
	readers.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// duty is that of a queue of the device, modulo their number; nil if Run does not run.
func (p *Plane) duty(n int) *Duty {
	if len(p.duties) == 0 {
		return nil
	}
	return p.duties[n%len(p.duties)]
}

// MostFailures is how many reads in a row may fail before the plane ends with the error, about 48 seconds.
const MostFailures = 1000

// readOn reports whether a reader is to go on after that many failures in a row, and waits before it does.
func (p *Plane) readOn(failures int) bool {
	if failures > MostFailures {
		return false
	}
	const atOnce, longest = 10, 50
	if pause := min(failures-atOnce, longest); pause > 0 && p.cfg.Pause != nil {
		p.cfg.Pause(time.Duration(pause) * time.Millisecond)
	}
	return true
}

func (p *Plane) close() {
	p.cfg.TUN.Close()
	for i := range p.cfg.UDP {
		for _, c := range p.cfg.UDP[i].conns() {
			c.Close()
		}
	}
	for _, c := range p.cfg.Raw {
		c.Close()
	}
	if p.cfg.Sealed != nil {
		p.cfg.Sealed.Close()
	}
	if p.cfg.IP != nil {
		p.cfg.IP.Close()
	}
}

// sealed returns what sends raw ESP and AH; nil where the system has nothing.
func (p *Plane) sealed() netio.Conn {
	if p.cfg.Sealed != nil {
		return p.cfg.Sealed
	}
	return p.cfg.IP
}

// watchDevice follows the device's events until the device closes its channel.
func (p *Plane) watchDevice() error {
	for ev := range p.cfg.TUN.Events() {
		if ev&tun.EventMTUUpdate != 0 {
			if mtu, err := p.cfg.TUN.MTU(); err == nil && mtu > 0 {
				p.mtu.Store(int32(mtu))
			}
		}
		p.tell(Event{Kind: DeviceChanged})
	}
	return nil
}

// tell sends an event without waiting.
func (p *Plane) tell(e Event) bool {
	select {
	case p.cfg.Events <- e:
		return true
	default:
		p.count.add(EventLost)
		return false
	}
}

// SendIKE sends an IKE datagram from the socket bound to its local address, with the marker where that socket wants it.
func (p *Plane) SendIKE(d Datagram) error {
	s := p.socket(d.Local)
	if s == nil {
		return errNoSocket
	}
	data := d.Data
	if s.Marker {
		data = append(make([]byte, 4, 4+len(d.Data)), d.Data...)
	}
	// A message of the key exchange is seldom longer than a path takes, and cannot be made shorter: then it goes in fragments.
	_, err := s.WriteBatch([]netio.Message{{Buf: data, N: len(data), Remote: d.Remote, Local: d.Local, Fragment: true}})
	return err
}

var errNoSocket = errors.New("dataplane: no UDP socket is bound to that local address")

// SendKeepalive sends the one octet that keeps a NAT's mapping (RFC 3948 §4).
func (p *Plane) SendKeepalive(local, remote netip.AddrPort) error {
	s := p.socket(local)
	if s == nil || !s.Marker {
		return errNoSocket
	}
	_, err := s.WriteBatch([]netio.Message{{Buf: []byte{0xff}, N: 1, Remote: remote, Local: local}})
	return err
}

// socket finds the socket for a local address: one bound to it, or the wildcard one of its family and port.
func (p *Plane) socket(local netip.AddrPort) *Socket {
	if s := p.udp[local]; s != nil {
		return s
	}
	wildcard := netip.IPv4Unspecified()
	if local.Addr().Is6() {
		wildcard = netip.IPv6Unspecified()
	}
	return p.udp[netip.AddrPortFrom(wildcard, local.Port())]
}
