package demo

import (
	"strings"
	"testing"
)

func TestTheDemoMovesEveryByteAndTheWireIsClean(t *testing.T) {
	r, err := Run(t.Context(), Options{Bytes: 1 << 20, Pings: 3})
	if err != nil {
		var text strings.Builder
		r.A.WriteText(&text)
		r.B.WriteText(&text)
		t.Fatalf("%v\n%s", err, text.String())
	}
	if !r.OK || r.Moved != 2<<20 || len(r.Pings) != 3 || r.QuickModeRekeys != 1 || r.MainModeRekeys != 1 {
		t.Fatalf("%+v", r)
	}
	if r.NullWire.Clean() {
		t.Fatal("the run with ESP-NULL was found clean")
	}
	if len(r.A.Children) == 0 || len(r.B.Peers) == 0 {
		t.Fatal("the status of the ends has no SAs")
	}
}
