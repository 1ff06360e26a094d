package pipeline

import (
	"testing"

	"github.com/goipsec/goipsec/bench/measure"
)

// Each suite has a chart a direction, with the path and the bare cipher of each kind and size of packets and each number of SAs.
func TestCharts(t *testing.T) {
	path := Way{Path: measure.Of([]float64{3}), Raw: measure.Of([]float64{2})}
	r := Result{Cases: []Case{{Suite: "x", SAs: 1, Size: 64, Out: path, In: path}, {Suite: "x", SAs: 9, Size: 512, Out: path, In: path}, {Suite: "y", SAs: 1, Kind: Superpackets, Size: 1400, Out: path, In: path}}}
	list := r.Charts()
	if len(list) != 4 || len(list[0].Bars) != 4 || len(list[2].Bars) != 2 || list[0].File == list[1].File {
		t.Fatalf("%+v", list)
	}
	if b := list[1].Bars[2]; b.Name != "inbound, 512 bytes, 9 SAs" || b.Value.Median != 3 || !b.Own {
		t.Errorf("%+v", b)
	}
	if b := list[3].Bars[1]; b.Name != "raw open, 45 × 1400 bytes" || b.Value.Median != 2 || b.Own {
		t.Errorf("%+v", b)
	}
}
