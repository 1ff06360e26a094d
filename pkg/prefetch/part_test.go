package prefetch

import (
	"testing"
	"unsafe"
)

func TestParts(t *testing.T) {
	big := new([130]byte)
	var any128 interface{ Error() string } = (*fault)(nil)
	for name, c := range map[string]struct {
		part  Part
		at    unsafe.Pointer
		lines int
	}{
		"nothing":        {Part{}, nil, 0},
		"array":          {Of(big), unsafe.Pointer(big), 3},
		"one byte":       {Of(&big[1]), unsafe.Pointer(&big[1]), 1},
		"slice":          {Slice(big[2:66]), unsafe.Pointer(&big[2]), 1},
		"long slice":     {Slice(big[2:67]), unsafe.Pointer(&big[2]), 2},
		"empty slice":    {Slice([]uint64(nil)), nil, 0},
		"value":          {Value(big, 512), unsafe.Pointer(big), 8},
		"nil in a value": {Value(any128, 64), nil, 1},
	} {
		if c.part.at != c.at || c.part.lines != c.lines {
			t.Errorf("%s: %v, %d lines", name, c.part.at, c.part.lines)
		}
		c.part.Ask()
	}
	if n := testing.AllocsPerRun(10, func() { Of(big).Ask(); Value(big, 64).Ask() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type fault struct{}

func (*fault) Error() string { return "" }
