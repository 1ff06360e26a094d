package guard

import (
	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// exemptions accepts what passes whatever the rules say.
func (c *compiler) exemptions(ch *nftables.Chain) {
	for _, f := range c.cfg.Exempt {
		c.single(ch, &entry{Rule: Rule{Filter: f, Verdict: Accept}, reach: f}, ch.Name != chainOutput)
	}
	if c.cfg.ExemptBroadcast {
		c.add(ch, match{}.broadcast().verdict(Accept), "exempt: broadcast")
	}
}

// broadcast adds the condition that the destination is a broadcast address of one of the host's subnets.
func (m match) broadcast() match {
	return m.family(true).addressType(true, unix.RTN_BROADCAST)
}
