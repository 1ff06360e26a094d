package sa

import (
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
)

// What an SA costs beside its cryptography.
func BenchmarkWindow(b *testing.B) {
	w := newWindow(DefaultWindow, 0)
	for seq := uint64(1); b.Loop(); seq++ {
		full, _ := w.infer(uint32(seq))
		if w.check(full) == nil {
			w.accept(full)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	const sas = 1 << 16
	db := NewDB(testRand(1), sas)
	spis := make([]uint32, sas)
	for n := range spis {
		spi, err := db.Reserve()
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Install(inbound(spi, suite.ESP)); err != nil {
			b.Fatal(err)
		}
		spis[n] = spi
	}
	b.ReportAllocs()
	for n := uint32(0); b.Loop(); n++ {
		if db.Lookup(spis[n*0x9e3779b1%sas], suite.ESP) == nil {
			b.Fatal("not found")
		}
	}
}
