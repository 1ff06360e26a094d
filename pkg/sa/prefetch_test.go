package sa

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/prefetch"
	"github.com/goipsec/goipsec/pkg/suite"
)

// resident is a Sealer and an Opener that tells where it is.
type resident struct {
	Sealer
	Opener
	keys  [512]byte
	steps []int
}

func (r *resident) Part(step int) prefetch.Part {
	r.steps = append(r.steps, step)
	return prefetch.Of(&r.keys)
}

// TestPrefetchTakesAllSteps holds the steps that an SA takes to those that its transform is asked for, and asks for SAs that are there, that are not, and for none.
func TestPrefetchTakesAllSteps(t *testing.T) {
	r := new(resident)
	now := time.Unix(1_700_000_000, 0)
	out := NewOutbound(OutboundConfig{SPI: 300, Protocol: suite.ESP, Sealer: r}, now)
	db := NewDB(rand.Reader, 16)
	spi, err := db.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	in := NewInbound(InboundConfig{SPI: spi, Protocol: suite.ESP, Opener: r}, now)
	if err := db.Install(in); err != nil {
		t.Fatal(err)
	}
	var none *Outbound
	mute := NewOutbound(OutboundConfig{SPI: 301, Protocol: suite.ESP, Sealer: struct{ Sealer }{}}, now)
	all := func() {
		for step := range PrefetchSteps {
			none.Prefetch(step)
			mute.Prefetch(step)
			out.Prefetch(step)
		}
		db.Prefetch([]uint32{spi, spi + 1})
		db.Prefetch(nil)
	}
	all()
	if want := []int{0, 1, 2, 0, 1, 2}; !slices.Equal(r.steps, want) {
		t.Errorf("the transforms were asked for steps %v, want %v", r.steps, want)
	}
	db.Prefetch([]uint32{0, ^uint32(0)})
	r.steps = make([]int, 0, 1000)
	if n := testing.AllocsPerRun(10, all); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if db.Lookup(spi, suite.ESP) != in {
		t.Error("asking changed the table")
	}
}
