package sa

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/prefetch"
	"github.com/goipsec/goipsec/pkg/suite"
)

// resident is a Sealer and an Opener that tells where it is.
type resident struct {
	Sealer
	Opener
	keys [512]byte
}

func (r *resident) Parts() [3]prefetch.Part {
	return [3]prefetch.Part{prefetch.Of(r), prefetch.Of(&r.keys)}
}

// TestPrefetchKnowsTheParts holds what an SA asks for to what its transform told, and asks for SAs that are there, that are not, and for none.
func TestPrefetchKnowsTheParts(t *testing.T) {
	r := new(resident)
	now := time.Unix(1_700_000_000, 0)
	out := NewOutbound(OutboundConfig{SPI: 300, Protocol: suite.ESP, Sealer: r}, now)
	if out.parts != r.Parts() {
		t.Error("the sealer's parts are not known")
	}
	db := NewDB(rand.Reader, 16)
	spi, err := db.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	in := NewInbound(InboundConfig{SPI: spi, Protocol: suite.ESP, Opener: r}, now)
	if [3]prefetch.Part(in.parts[:3]) != r.Parts() || in.parts[3] != prefetch.Slice(in.window.bits) {
		t.Error("the opener's parts and the window are not known")
	}
	if err := db.Install(in); err != nil {
		t.Fatal(err)
	}
	if plain := NewOutbound(OutboundConfig{SPI: 301, Protocol: suite.ESP, Sealer: struct{ Sealer }{}}, now); plain.parts != [3]prefetch.Part{} {
		t.Error("a sealer that tells nothing has parts")
	}
	var none *Outbound
	if n := testing.AllocsPerRun(10, func() {
		none.Prefetch()
		none.PrefetchKeys()
		out.Prefetch()
		out.PrefetchKeys()
		db.Prefetch([]uint32{spi, spi + 1, 0, ^uint32(0)})
		db.Prefetch(nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if db.Lookup(spi, suite.ESP) != in {
		t.Error("asking changed the table")
	}
}
