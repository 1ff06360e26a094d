package prefetch

import (
	"testing"
	"unsafe"
)

// TestAnyAddress asks for addresses that are nobody's: a look-up may ask before it knows whether there is anything.
func TestAnyAddress(t *testing.T) {
	one := new([64]byte)
	one[63] = 7
	last := unsafe.Pointer(&one[63])
	Line(nil)
	Lines(nil)
	Both(nil, last)
	Both(last, nil)
	Line(last)
	Lines(last) // the second line is another object's, or no one's
	span(3)
	span(0)
	span(1<<64 - 1)
	part(last, 300).Ask()
	if *one != [64]byte{63: 7} {
		t.Error("asking changed memory")
	}
	if n := testing.AllocsPerRun(10, func() { Both(last, last) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
