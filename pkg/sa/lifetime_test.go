package sa

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/suite"
)

// The soft bounds lie between 10 and 20 % before the hard ones, and no algorithm is used beyond what is safe for it.
func TestLimits(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seconds := rapid.Uint32().Draw(r, "seconds")
		kilobytes := rapid.Uint32().Draw(r, "kilobytes")
		encr := rapid.SampledFrom(append(suite.Encrs(), suite.EncrNone)).Draw(r, "encr")
		esn := rapid.Bool().Draw(r, "esn")
		jitter := rapid.Float64Range(-1, 2).Draw(r, "jitter")
		l := Limits(seconds, kilobytes, encr, esn, jitter)
		if l.HardTime != time.Duration(seconds)*time.Second {
			r.Fatalf("%+v", l)
		}
		info, _ := encr.Info()
		if most := info.SafeKilobytes; most != 0 && (l.HardBytes == 0 || l.HardBytes > most*1024) {
			r.Fatalf("%v: %d bytes are too many", encr, l.HardBytes)
		}
		if kilobytes != 0 && l.HardBytes > uint64(kilobytes)*1024 || kilobytes != 0 && l.HardBytes == 0 {
			r.Fatalf("%d kilobytes became %d bytes", kilobytes, l.HardBytes)
		}
		if esn != (l.HardPackets == 0) || !esn && l.HardPackets != 1<<32-1 {
			r.Fatalf("ESN %v: %d packets", esn, l.HardPackets)
		}
		for _, p := range [][2]uint64{{uint64(l.SoftTime), uint64(l.HardTime)}, {l.SoftBytes, l.HardBytes}, {l.SoftPackets, l.HardPackets}} {
			soft, hard := float64(p[0]), float64(p[1])
			if soft > 0.9*hard+1 || soft < 0.8*hard-1 {
				r.Fatalf("soft %v for hard %v", soft, hard)
			}
		}
	})
}

// Sweet32: a cipher with 64-bit blocks has a bound of its own even where none was negotiated.
func TestSmallBlocksAreBounded(t *testing.T) {
	for _, e := range []suite.Encr{suite.DES, suite.TripleDES} {
		if l := Limits(0, 0, e, true, 0); l.HardBytes == 0 || l.HardBytes > 1<<30 {
			t.Errorf("%v: %d bytes", e, l.HardBytes)
		}
	}
}

func TestStateNames(t *testing.T) {
	if Live.String() != "live" || Soft.String() != "soft" || Hard.String() != "hard" {
		t.Error(Live, Soft, Hard)
	}
	var none Lifetime
	if s := none.state(1<<62, 1<<63, 1<<63); s != Live {
		t.Errorf("without bounds: %v", s)
	}
}
