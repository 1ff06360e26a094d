package suite

import (
	"fmt"
	"testing"
)

// TestP7OnlyTestedAlgorithmsAreListed is row P7: what a proposal can be made from is what is registered and gave a known answer at this start.
func TestP7OnlyTestedAlgorithmsAreListed(t *testing.T) {
	if errs := SelfTest(); len(errs) != 0 {
		t.Fatal(errs)
	}
	tested := map[fmt.Stringer]int{}
	for _, k := range kats {
		tested[k.id]++
	}
	listed := 0
	check := func(id fmt.Stringer, described bool) {
		listed++
		if tested[id] == 0 || !described {
			t.Errorf("%v is listed: %d known answers, described %v", id, tested[id], described)
		}
	}
	for _, e := range Encrs() {
		_, ok := e.Info()
		check(e, ok)
	}
	for _, i := range Integs() {
		_, ok := i.Info()
		check(i, ok)
	}
	for _, h := range Hashes() {
		_, _, ok := h.Info()
		check(h, ok)
	}
	for _, g := range Groups() {
		_, _, ok := g.Info()
		check(g, ok)
	}
	if listed != len(algorithms()) || listed < 30 {
		t.Errorf("%d algorithms are listed of %d", listed, len(algorithms()))
	}
	// A number that is not registered is no index into anything.
	for n := range 1 << 16 {
		if _, _, ok := Group(n).Info(); ok != contains(Groups(), Group(n)) {
			t.Errorf("group %d is described and not listed, or the other way round", n)
		}
		if _, ok := Encr(n).Info(); ok != contains(Encrs(), Encr(n)) {
			t.Errorf("cipher %d is described and not listed, or the other way round", n)
		}
	}
}
