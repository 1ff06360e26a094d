package ike

import (
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

func TestMainAndQuickMode(t *testing.T) {
	for _, tunnel := range []bool{false, true} {
		for first := range 2 {
			for _, pfs := range []suite.Group{suite.GroupNone, suite.MODP1024} {
				s := defaults()
				s.tunnel, s.pfs = tunnel, pfs
				w := newWorld(t, s, s)
				w.want(first)
				w.run(5 * time.Second)
				w.agree(1)
				if w.sent != 9 {
					t.Errorf("%d datagrams, want 9", w.sent)
				}
			}
		}
	}
}
