package classifier

import "testing"

// TestCollapseChangesNothing asks for huge pages for what is long enough, too short, not aligned and empty.
func TestCollapseChangesNothing(t *testing.T) {
	list := make([]uint64, 1<<20) // four huge pages
	for i := range list {
		list[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	for _, s := range [][]uint64{nil, list[:0], list[:1], list, list[1:], list[3 : len(list)-5], list[7:8]} {
		collapse(s)
	}
	collapse(make([]node, 40000))
	for i := range list {
		if list[i] != uint64(i)*0x9e3779b97f4a7c15 {
			t.Fatalf("element %d became %#x", i, list[i])
		}
	}
}
