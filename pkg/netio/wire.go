package netio

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// WireConfig says how badly a Wire treats datagrams. The probabilities are from 0 to 1 and independent; the zero value is a perfect,
// instant wire.
type WireConfig struct {
	// Seed makes a run repeatable.
	Seed uint64
	// Loss, Dup, Reorder and Corrupt are the probabilities that a datagram is lost, delivered twice, held back until the next one to
	// the same end has passed, or has one bit flipped.
	Loss, Dup, Reorder, Corrupt float64
	// Delay is how long each datagram takes, and Jitter the most that is added to it at random. With both zero delivery happens
	// within WriteBatch; otherwise within Advance.
	Delay, Jitter time.Duration
	// MTU is the largest datagram in octets, as written to the Conn (without outer headers on the UDP kind); larger ones are refused
	// with *TooBig. 0: no limit.
	MTU int
	// Queue is how many datagrams wait for a reader before more are dropped; 0 means 4096.
	Queue int
}

// Datagram is one datagram that was written to a Wire.
type Datagram struct {
	// At is the virtual time of writing.
	At       time.Time
	From, To netip.AddrPort
	TOS      uint8
	Data     []byte
	// Delivered is how many copies were put on their way (0: lost).
	Delivered int
}

// Wire joins Conns in memory, in virtual time. It remembers every datagram that was written to it. It is safe for concurrent use;
// with one goroutine writing, a seed gives the same run each time.
type Wire struct {
	mu       sync.Mutex
	cfg      WireConfig
	rand     *rand.Rand
	now      time.Time
	flights  flights
	order    uint64
	ends     map[netip.AddrPort]*wireConn
	held     map[netip.AddrPort]*flight
	captured []Datagram
	tamper   func(*Datagram) bool
}

// NewWire returns a wire to which nothing is attached yet. Virtual time begins at start.
func NewWire(cfg WireConfig, start time.Time) *Wire {
	if cfg.Queue == 0 {
		cfg.Queue = 4096
	}
	return &Wire{cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, cfg.Seed^0x9e3779b97f4a7c15)), now: start,
		ends: map[netip.AddrPort]*wireConn{}, held: map[netip.AddrPort]*flight{}}
}

// Pipe returns a perfect wire with two ends.
func Pipe(a, b netip.AddrPort) (Conn, Conn, *Wire) {
	w := NewWire(WireConfig{}, time.Time{})
	return w.Attach(a), w.Attach(b), w
}

// Attach returns a Conn with address at; what others send there, it reads. Attaching again replaces the older end.
// The Conns of raw sockets have port 0.
func (w *Wire) Attach(at netip.AddrPort) Conn {
	c := &wireConn{wire: w, local: at}
	c.ready = sync.NewCond(&w.mu)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[at] = c
	return c
}

// Configure replaces the treatment from now on; seed and randomness go on as they were.
func (w *Wire) Configure(cfg WireConfig) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cfg.Queue == 0 {
		cfg.Queue = 4096
	}
	w.cfg = cfg
}

// Tamper has f see every datagram before its fate is decided; f may change d.Data and d.From, and returns false to have it lost.
// f must not call the Wire. A nil f ends it.
func (w *Wire) Tamper(f func(d *Datagram) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tamper = f
}

// Captured returns what was written so far, oldest first, as it left its sender.
func (w *Wire) Captured() []Datagram {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Datagram(nil), w.captured...)
}

// Advance sets the virtual time and delivers all that has arrived by then, in order of arrival.
func (w *Wire) Advance(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.After(w.now) {
		w.now = now
	}
	w.deliverDue()
}

// Deadline returns when the next datagram arrives; ok is false if none is under way.
func (w *Wire) Deadline() (at time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.flights) == 0 {
		return time.Time{}, false
	}
	return w.flights[0].arrives, true
}

// Flush delivers the datagrams that are held back for reordering although none came after them.
func (w *Wire) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for to := range w.held {
		w.release(to)
	}
	w.deliverDue()
}
