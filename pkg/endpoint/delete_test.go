package endpoint

import (
	"fmt"
	"testing"
)

// A peer may drop the children with the main-mode SA: what is left of them here would be a black hole.
func TestDeletingTheOnlyMainModeSATakesItsChildrenAlong(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	if err := e.a.Delete(fmt.Sprint(e.a.Status().Peers[0].ID)); err != nil {
		t.Fatal(err)
	}
	for _, x := range []*end{e.a, e.b} {
		eventually(t, func() bool { s := x.Status(); return len(s.Children) == 0 && len(s.Peers) == 0 })
	}
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5") // and traffic brings new ones
}

// A main-mode SA that another one has replaced goes alone.
func TestDeletingAReplacedMainModeSAKeepsTheChildren(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	old := e.a.Status().Peers[0].ID
	if err := e.a.Rekey(fmt.Sprint(old)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return len(e.a.Status().Peers) == 2 })
	if err := e.a.Delete(fmt.Sprint(old)); err != nil {
		t.Fatal(err)
	}
	if n := len(e.a.Status().Children); n != 1 {
		t.Errorf("%d children are left, want 1", n)
	}
}
