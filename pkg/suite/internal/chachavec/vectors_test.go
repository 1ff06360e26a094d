package chachavec

import (
	"fmt"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// TestWycheproof runs the tests of Project Wycheproof for ChaCha20-Poly1305, among them those whose sums in Poly1305 are on the edge; those
// with nonces of other lengths are left out, and said so.
func TestWycheproof(t *testing.T) {
	aeadtest.Wycheproof(t, "chacha20_poly1305_test.json", func(v *aeadtest.Vector) {
		aeadtest.Known(t, fmt.Sprintf("test %d, %s", v.ID, v.Comment), ours(t, aeadtest.Unhex(v.Key)), v.IV, v.AAD, v.Msg, v.CT+v.Tag, v.Result == "valid")
	})
}
