package sa

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/suite"
)

func testRand(seed uint64) io.Reader {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	return rand.NewChaCha8(key)
}

func inbound(spi uint32, p suite.Protocol) *Inbound {
	return NewInbound(InboundConfig{SPI: spi, Protocol: p}, time.Unix(1e9, 0))
}

// The database is a map from SPI to SA, whatever is done to it. D18: an SPI that is not there finds nothing.
func TestDatabaseIsAMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		capacity := rapid.SampledFrom([]int{2, 3, 16}).Draw(r, "capacity")
		db := NewDB(testRand(rapid.Uint64().Draw(r, "seed")), capacity)
		size := len(db.slots)
		twin, reserved, gone := map[manualKey]*Inbound{}, map[uint32]bool{}, map[uint32]bool{}
		negotiated := 0
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			switch rapid.IntRange(0, 5).Draw(r, "step") {
			case 0:
				spi, err := db.Reserve()
				if full := len(reserved)+negotiated == size; full != (err == ErrFull) {
					r.Fatalf("%d reserved and %d installed of %d: %v", len(reserved), negotiated, size, err)
				}
				if err == nil {
					if spi < 256 || reserved[spi] || gone[spi] || twin[manualKey{spi, suite.ESP}] != nil || twin[manualKey{spi, suite.AH}] != nil {
						r.Fatalf("reserved %#x, which was used", spi)
					}
					reserved[spi] = true
				}
			case 1:
				for spi := range reserved {
					i := inbound(spi, suite.ESP)
					if err := db.Install(i); err != nil {
						r.Fatalf("install %#x: %v", spi, err)
					}
					if err := db.Install(i); err != ErrSPI {
						r.Fatalf("install %#x again: %v", spi, err)
					}
					delete(reserved, spi)
					twin[manualKey{spi, suite.ESP}] = i
					negotiated++
					break
				}
			case 2:
				for spi := range reserved {
					db.Release(spi)
					db.Release(spi)
					delete(reserved, spi)
					gone[spi] = true
					break
				}
			case 3:
				key := manualKey{rapid.Uint32Range(250, 400).Draw(r, "spi"), rapid.SampledFrom([]suite.Protocol{suite.ESP, suite.AH}).Draw(r, "protocol")}
				i := inbound(key.spi, key.proto)
				taken := key.spi < 256 || reserved[key.spi] || twin[key] != nil
				for other := range twin {
					taken = taken || other.spi == key.spi && db.slots[key.spi&db.index].Load() == twin[other]
				}
				if err := db.InstallManual(i); taken != (err == ErrSPI) {
					r.Fatalf("manual %#x: %v", key.spi, err)
				} else if err == nil {
					twin[key] = i
				}
			case 4:
				for key, i := range twin {
					if !db.RemoveSA(i) || db.RemoveSA(i) {
						r.Fatalf("remove %#x", key.spi)
					}
					if gone[key.spi] = true; len(gone) > 0 && i == twin[key] {
						delete(twin, key)
					}
					negotiated = countNegotiated(db)
					break
				}
			case 5:
				spi := rapid.Uint32().Draw(r, "unknown")
				if twin[manualKey{spi, suite.ESP}] == nil && db.Lookup(spi, suite.ESP) != nil {
					r.Fatalf("found an SA under %#x", spi)
				}
				db.Release(0)
			}
			for key, i := range twin {
				if db.Lookup(key.spi, key.proto) != i {
					r.Fatalf("%#x is not found", key.spi)
				}
			}
			for spi := range reserved {
				if db.Lookup(spi, suite.ESP) != nil {
					r.Fatalf("%#x is found before it is installed", spi)
				}
			}
			if db.Len() != len(twin) {
				r.Fatalf("length %d, want %d", db.Len(), len(twin))
			}
		}
		seen := 0
		for i := range db.All {
			if twin[manualKey{i.config.SPI, i.config.Protocol}] != i {
				r.Fatalf("All gives %v", i)
			}
			seen++
		}
		if seen != len(twin) {
			r.Fatalf("All gives %d of %d", seen, len(twin))
		}
		for range db.All {
			break
		}
	})
}

func countNegotiated(db *DB) (n int) {
	for s := range db.slots {
		if db.slots[s].Load() != nil {
			n++
		}
	}
	return n
}

// A6: an SPI is not given out again until its slot's 2^(32-index bits) generations are used up, however fast SAs come and go.
func TestA6SPIsDoNotComeAgain(t *testing.T) {
	for _, capacity := range []int{2, 16, 1 << 14} {
		db := NewDB(testRand(7), capacity)
		seen := map[uint32]bool{}
		for range 100_000 {
			spi, err := db.Reserve()
			if err != nil || spi < 256 || seen[spi] {
				t.Fatalf("capacity %d: SPI %#x, seen %v, %v", capacity, spi, seen[spi], err)
			}
			seen[spi] = true
			db.Release(spi)
		}
	}
}

// All generations of a slot are used before one comes again, and manual SPIs and those below 256 are stepped over.
func TestA6Generations(t *testing.T) {
	db := NewDB(testRand(3), 1<<24)
	slot := uint32(5) // one of its generations would be SPI 5
	if err := db.InstallManual(inbound(2<<24|slot, suite.AH)); err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]bool{}
	for range 254 {
		spi, err := db.name(slot)
		if err != nil || seen[spi] || spi < 256 || spi == 2<<24|slot {
			t.Fatalf("SPI %#x, seen %v, %v", spi, seen[spi], err)
		}
		seen[spi] = true
	}
}

func TestRemoveBySPI(t *testing.T) {
	db := NewDB(testRand(1), 4)
	a, b := inbound(300, suite.AH), inbound(300, suite.ESP)
	for _, i := range []*Inbound{a, b} {
		if err := db.InstallManual(i); err != nil {
			t.Fatal(err)
		}
	}
	if db.Remove(300) != b || db.Remove(300) != a || db.Remove(300) != nil || db.Len() != 0 {
		t.Error("not removed one after the other")
	}
	spi, err := db.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	i := inbound(spi, suite.AH)
	if err := db.Install(i); err != nil {
		t.Fatal(err)
	}
	db.Release(spi) // an installed SA stays
	if db.Lookup(spi, suite.AH) != i || db.Lookup(spi, suite.ESP) != nil {
		t.Error("the protocol does not count")
	}
	if db.Remove(spi) != i || db.Len() != 0 {
		t.Error("not removed")
	}
	if err := db.Install(i); err != ErrSPI {
		t.Errorf("an SPI that was given back: %v", err)
	}
}

// D18: SPIs that RFC 4303 §2.1 reserves cannot be installed, so nothing is found under them.
func TestD18ReservedSPIs(t *testing.T) {
	db := NewDB(testRand(1), 1024)
	for spi := range uint32(256) {
		for _, install := range []func(*Inbound) error{db.Install, db.InstallManual} {
			if err := install(inbound(spi, suite.ESP)); err != ErrSPI {
				t.Errorf("SPI %d: %v", spi, err)
			}
		}
		if db.Lookup(spi, suite.ESP) != nil || db.Lookup(spi, suite.AH) != nil {
			t.Errorf("SPI %d is found", spi)
		}
	}
}

// O2: without randomness there is no SPI, and the slot is not lost.
func TestO2NoRandomness(t *testing.T) {
	db := NewDB(io.MultiReader(bytes.NewReader([]byte{1, 2, 3}), iotest.ErrReader(io.ErrClosedPipe)), 2)
	if _, err := db.Reserve(); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	db.rand = testRand(1)
	for n, want := range []error{nil, nil, ErrFull} {
		if _, err := db.Reserve(); err != want {
			t.Errorf("reservation %d: %v", n, err)
		}
	}
}

// D18: a flood of unknown SPIs costs one look each and no memory.
func TestD18UnknownSPIsAllocateNothing(t *testing.T) {
	db := NewDB(testRand(1), 1024)
	if err := db.InstallManual(inbound(256, suite.ESP)); err != nil {
		t.Fatal(err)
	}
	spi := uint32(0)
	if n := testing.AllocsPerRun(1000, func() { spi += 0x9e3779b9; db.Lookup(spi, suite.ESP) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A7: SAs that come and go leave nothing behind.
func TestA7MemoryIsFlat(t *testing.T) {
	db := NewDB(testRand(1), 64)
	cycle := func(n int) {
		for range n {
			spi, err := db.Reserve()
			if err != nil {
				t.Fatal(err)
			}
			i := inbound(spi, suite.ESP)
			if err := db.Install(i); err != nil || db.Remove(spi) != i {
				t.Fatal(err)
			}
		}
	}
	cycle(1000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cycle(50_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<10 {
		t.Errorf("50,000 SAs left %d bytes", grown)
	}
}

// F18: readers look up while SAs come and go; run with -race.
func TestF18Concurrency(t *testing.T) {
	db := NewDB(testRand(9), 64)
	var spis sync.Map
	var wg, readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				spis.Range(func(k, _ any) bool {
					if i := db.Lookup(k.(uint32), suite.ESP); i != nil && i.Config().SPI != k.(uint32) {
						t.Error("found another SA")
					}
					return true
				})
				for i := range db.All {
					i.Stats(time.Unix(1e9, 0))
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			for range 500 {
				spi, err := db.Reserve()
				if err != nil {
					t.Error(err)
					return
				}
				spis.Store(spi, nil)
				i := inbound(spi, suite.ESP)
				if err := db.Install(i); err != nil {
					t.Error(err)
				}
				if db.Lookup(spi, suite.ESP) != i || db.Remove(spi) != i {
					t.Error("lost")
				}
				spis.Delete(spi)
			}
		})
	}
	wg.Wait()
	close(done)
	readers.Wait()
	if db.Len() != 0 {
		t.Errorf("%d SAs left", db.Len())
	}
}

// SPIs for a queue are those by which its packets are spread, and as unique as all others; where there is no free one, another will do.
func TestSPIsForQueues(t *testing.T) {
	for _, queues := range []int{1, 2, 3, 4, 7} {
		db, seen := NewDB(testRand(uint64(queues)), 256), map[uint32]bool{}
		for i := range 2000 {
			queue := i % (queues + 1)
			spi, err := db.ReserveFor(queue, queues)
			if err != nil || seen[spi] || int(spi)%queues != queue%queues {
				t.Fatalf("%d queues: %#x for queue %d: %v, seen before: %v", queues, spi, queue, err, seen[spi])
			}
			seen[spi] = true
			db.Release(spi)
		}
	}
	db := NewDB(testRand(9), 4)
	for range 4 {
		if _, err := db.ReserveFor(1, 2); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.ReserveFor(1, 2); err != ErrFull {
		t.Error(err)
	}
}
