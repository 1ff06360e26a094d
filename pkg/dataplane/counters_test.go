package dataplane

import (
	"testing"

	"github.com/goipsec/goipsec/pkg/sa"
)

// Two reasons have one name: what is malformed may be a packet of this host or a packet of a peer. Neither may hide the other.
func TestDropsOfOneNameAreSummed(t *testing.T) {
	var c Counters
	sum := uint64(0)
	for d := range drops {
		c.drop[d].Store(uint64(d) + 1)
		sum += uint64(d) + 1
	}
	for r := range c.inbound {
		c.inbound[r].Store(uint64(r) + 100)
		sum += uint64(r) + 100
	}
	if want := uint64(Malformed) + 1 + uint64(sa.Malformed) + 100; c.Drops()["malformed"] != want {
		t.Errorf("%d are malformed, not %d", c.Drops()["malformed"], want)
	}
	for _, n := range c.Drops() {
		sum -= n
	}
	if sum != 0 {
		t.Errorf("%d drops are told of twice or not at all", sum)
	}
}
