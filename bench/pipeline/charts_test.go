package pipeline

import (
	"testing"

	"github.com/goipsec/goipsec/bench/measure"
)

// Each suite has a chart a direction, with the path and the bare cipher of each size.
func TestCharts(t *testing.T) {
	path := Way{Path: measure.Of([]float64{3}), Raw: measure.Of([]float64{2})}
	r := Result{Cases: []Case{{Suite: "x", Size: 64, Out: path, In: path}, {Suite: "x", Size: 512, Out: path, In: path}, {Suite: "y", Size: 64, Out: path, In: path}}}
	list := r.Charts()
	if len(list) != 4 || len(list[0].Bars) != 4 || len(list[2].Bars) != 2 || list[0].File == list[1].File {
		t.Fatalf("%+v", list)
	}
	if b := list[1].Bars[2]; b.Name != "inbound, 512 bytes" || b.Value.Median != 3 || !b.Own {
		t.Errorf("%+v", b)
	}
	if b := list[1].Bars[3]; b.Name != "raw open, 512 bytes" || b.Value.Median != 2 || b.Own {
		t.Errorf("%+v", b)
	}
}
