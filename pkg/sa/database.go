package sa

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/goipsec/goipsec/pkg/suite"
)

// Errors of the database.
var (
	// ErrFull means that every slot is taken.
	ErrFull = errors.New("sa: the table of inbound SAs is full; raise its capacity or delete SAs")
	// ErrSPI means that an SPI is reserved by RFC 4303 §2.1 (0 to 255), was not reserved here, or is taken.
	ErrSPI = errors.New("sa: SPI is taken, unreserved or below 256")
)

// firstSPI is the first number that is not reserved (RFC 4303 §2.1).
const firstSPI = 256

// DB finds inbound SAs by SPI. We choose the SPIs of negotiated SAs, so their low bits are the index of a slot in an array and a look-up is one
// load. The high bits are a generation, which differs at every use of the slot until all have been used: an SPI comes again only
// after 2^(32-index bits) SAs had the slot, and slots are used in turn, so that a late packet of a dead SA meets nobody.
// SPIs that an administrator chose live in a small map beside the array.
type DB struct {
	slots  []atomic.Pointer[Inbound]
	manual atomic.Pointer[map[manualKey]*Inbound]
	count  atomic.Int64
	index  uint32 // mask of the index bits
	shift  int    // number of index bits

	mu    sync.Mutex
	rand  io.Reader
	state []slotState
	free  []uint32 // ring of free slots, used from head
	head  int
	idle  int // number of free slots
}

type manualKey struct {
	spi   uint32
	proto suite.Protocol
}

// slotState is guarded by DB.mu. The generations of a slot are start, start+step, start+2·step, …; step is odd, so all come before one comes again.
type slotState struct {
	spi              uint32 // reserved or installed; 0 if free
	generation, step uint32 // step is 0 until the slot's first use
}

// NewDB makes a database for at least capacity negotiated SAs (at most 2^24). rand is a source of secure randomness.
func NewDB(rand io.Reader, capacity int) *DB {
	shift := bits.Len(uint(min(max(capacity, 2), 1<<24) - 1))
	size := 1 << shift
	d := &DB{
		slots: make([]atomic.Pointer[Inbound], size), state: make([]slotState, size), free: make([]uint32, size),
		index: uint32(size - 1), shift: shift, rand: rand, idle: size,
	}
	for i := range d.free {
		d.free[i] = uint32(i)
	}
	d.manual.Store(&map[manualKey]*Inbound{})
	return d
}

// Lookup returns the SA with that SPI and protocol, or nil. It never waits and costs the same for known and unknown SPIs.
func (d *DB) Lookup(spi uint32, proto suite.Protocol) *Inbound {
	if i := d.slots[spi&d.index].Load(); i != nil && i.config.SPI == spi && i.config.Protocol == proto {
		return i
	}
	manual := *d.manual.Load()
	if len(manual) == 0 {
		return nil
	}
	return manual[manualKey{spi, proto}]
}

// Reserve returns an SPI for an SA that is to be negotiated. Give it back with Release, or Install the SA.
// The errors are ErrFull and those of the source of randomness.
func (d *DB) Reserve() (uint32, error) {
	return d.ReserveFor(0, 1)
}

// ReserveFor is Reserve of an SPI that is queue modulo queues, by which its packets are spread. If there are no free ones of them it is another.
func (d *DB) ReserveFor(queue, queues int) (uint32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.idle == 0 {
		return 0, ErrFull
	}
	for tries := 16 * queues; ; tries-- {
		slot := d.free[d.head]
		spi, err := d.name(slot)
		if err != nil {
			return 0, err
		}
		d.head = (d.head + 1) & int(d.index)
		d.idle--
		if tries == 0 || spi%uint32(queues) == uint32(queue%queues) {
			d.state[slot].spi = spi
			return spi, nil
		}
		d.release(slot) // behind all others that are free
	}
}

// name moves the slot on to its next generation and returns the SPI.
func (d *DB) name(slot uint32) (uint32, error) {
	s := &d.state[slot]
	if s.step == 0 {
		var seed [8]byte
		if _, err := io.ReadFull(d.rand, seed[:]); err != nil {
			return 0, fmt.Errorf("sa: no randomness for an SPI: %w", err)
		}
		s.generation, s.step = binary.BigEndian.Uint32(seed[:4]), binary.BigEndian.Uint32(seed[4:])|1
	}
	for {
		s.generation += s.step
		spi := s.generation<<d.shift | slot
		if spi >= firstSPI && !d.isManual(spi) {
			return spi, nil
		}
	}
}

func (d *DB) isManual(spi uint32) bool {
	m := *d.manual.Load()
	return m[manualKey{spi, suite.ESP}] != nil || m[manualKey{spi, suite.AH}] != nil
}

// Release gives back a reserved SPI whose SA never came to be. An installed SA stays.
func (d *DB) Release(spi uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slot := spi & d.index
	if spi != 0 && d.state[slot].spi == spi && d.slots[slot].Load() == nil {
		d.release(slot)
	}
}

func (d *DB) release(slot uint32) {
	d.state[slot].spi = 0
	d.free[(d.head+d.idle)&int(d.index)] = slot
	d.idle++
}

// Install makes an SA visible whose SPI came from Reserve. The error is ErrSPI.
func (d *DB) Install(i *Inbound) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	spi := i.config.SPI
	slot := spi & d.index
	if spi < firstSPI || d.state[slot].spi != spi || d.slots[slot].Load() != nil {
		return ErrSPI
	}
	d.slots[slot].Store(i)
	d.count.Add(1)
	return nil
}

// InstallManual makes an SA visible whose SPI an administrator chose. The error is ErrSPI.
func (d *DB) InstallManual(i *Inbound) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	spi := i.config.SPI
	old := *d.manual.Load()
	key := manualKey{spi, i.config.Protocol}
	if spi < firstSPI || d.state[spi&d.index].spi == spi || old[key] != nil {
		return ErrSPI
	}
	fresh := maps.Clone(old)
	fresh[key] = i
	d.manual.Store(&fresh)
	d.count.Add(1)
	return nil
}

// Remove takes an SA out of the database, frees its SPI and returns it; nil if there is none. Of two manual SAs, ESP and AH, with one SPI, it takes the
// ESP one; RemoveSA is exact.
func (d *DB) Remove(spi uint32) *Inbound {
	for _, proto := range []suite.Protocol{suite.ESP, suite.AH} {
		if i := d.Lookup(spi, proto); i != nil && d.RemoveSA(i) {
			return i
		}
	}
	return nil
}

// RemoveSA takes this SA out of the database and reports whether it was there.
func (d *DB) RemoveSA(i *Inbound) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	slot := i.config.SPI & d.index
	if d.slots[slot].Load() == i {
		d.slots[slot].Store(nil)
		d.release(slot)
		d.count.Add(-1)
		return true
	}
	key := manualKey{i.config.SPI, i.config.Protocol}
	old := *d.manual.Load()
	if old[key] != i {
		return false
	}
	fresh := maps.Clone(old)
	delete(fresh, key)
	d.manual.Store(&fresh)
	d.count.Add(-1)
	return true
}

// Len returns the number of installed SAs.
func (d *DB) Len() int { return int(d.count.Load()) }

// All calls yield with every installed SA, negotiated ones first, until it returns false.
func (d *DB) All(yield func(*Inbound) bool) {
	for s := range d.slots {
		if i := d.slots[s].Load(); i != nil && !yield(i) {
			return
		}
	}
	for _, i := range *d.manual.Load() {
		if !yield(i) {
			return
		}
	}
}
