package prefetch_test

import (
	"fmt"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/prefetch"
)

// The first loop asks for what the second one uses. Nothing is lost if there is nothing to ask for.
func Example() {
	type account struct{ packets int }
	batch := []*account{{1}, {2}, nil, {3}}
	for _, a := range batch {
		prefetch.Line(unsafe.Pointer(a))
	}
	sum := 0
	for _, a := range batch {
		if a != nil {
			sum += a.packets
		}
	}
	fmt.Println(sum, "packets")
	// Output: 6 packets
}
