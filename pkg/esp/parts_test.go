package esp

import (
	"testing"

	"github.com/goipsec/goipsec/pkg/prefetch"
	"github.com/goipsec/goipsec/pkg/suite"
)

// TestPartsAreThoseInUse: first itself, then its transform, then that one's keys, if it has any of its own.
func TestPartsAreThoseInUse(t *testing.T) {
	key := make([]byte, 64)
	for name, c := range map[string]struct {
		encr     suite.Encr
		key      int
		integ    suite.Integ
		integKey int
		keys     bool
	}{
		"combined": {suite.AESGCM16, 20, 0, 0, true},
		"GMAC":     {suite.NullGMAC, 20, 0, 0, true},
		"separate": {suite.AESCBC, 16, suite.HMACSHA256_128, 32, false},
	} {
		s, err := NewSealer(c.encr, key[:c.key], c.integ, key[:c.integKey], 300, false, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		o, err := NewOpener(c.encr, key[:c.key], c.integ, key[:c.integKey], 300, false)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, r := range []interface{ Part(int) prefetch.Part }{s, o} {
			if r.Part(1) == 0 || (r.Part(2) != 0) != c.keys || r.Part(3) != 0 {
				t.Errorf("%s: %#x, %#x, %#x", name, r.Part(1), r.Part(2), r.Part(3))
			}
		}
		if s.Part(0) != prefetch.Of(s) || o.Part(0) != prefetch.Of(o) {
			t.Errorf("%s: what comes first is not the sealer or the opener", name)
		}
	}
}
