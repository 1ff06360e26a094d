package prefetch

import (
	"testing"
	"unsafe"
)

func TestParts(t *testing.T) {
	arena := new([4 * line]byte)
	first := (line - uintptr(unsafe.Pointer(arena))%line) % line // where a line begins
	whole := (*[130]byte)(arena[first:])
	var any128 interface{ Error() string } = (*fault)(nil)
	for name, c := range map[string]struct {
		part  Part
		at    unsafe.Pointer // in the first line
		lines int
	}{
		"nothing":               {0, nil, 0},
		"array":                 {Of(whole), unsafe.Pointer(whole), 3},
		"one byte":              {Of(&whole[1]), unsafe.Pointer(whole), 1},
		"slice":                 {Slice(whole[:64]), unsafe.Pointer(whole), 1},
		"slice over a boundary": {Slice(whole[2:66]), unsafe.Pointer(whole), 2},
		"a byte more":           {Slice(whole[:65]), unsafe.Pointer(whole), 2},
		"second line":           {Slice(whole[64:66]), unsafe.Pointer(&whole[64]), 1},
		"empty slice":           {Slice(whole[:0]), nil, 0},
		"nil slice":             {Slice([]uint64(nil)), nil, 0},
		"value":                 {Value(whole, 512), unsafe.Pointer(whole), 8},
		"longer than counted":   {Value(whole, 1<<20), unsafe.Pointer(whole), maxLines},
		"nil in a value":        {Value(any128, 64), nil, 0},
	} {
		if at, lines := uintptr(c.part)&^(line-1), int(c.part%line); at != uintptr(c.at) || lines != c.lines {
			t.Errorf("%s: %#x, %d lines", name, at, lines)
		}
		c.part.Ask()
	}
	if n := testing.AllocsPerRun(10, func() { Of(whole).Ask(); Value(whole, 64).Ask() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type fault struct{}

func (*fault) Error() string { return "" }
