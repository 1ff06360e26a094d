package guard

import (
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// exemptions accepts what passes whatever the rules say.
func (c *compiler) exemptions(ch *nftables.Chain) {
	for i := range c.cfg.Exempt {
		c.single(ch, &Rule{Filter: c.cfg.Exempt[i], Verdict: Accept})
	}
	if c.cfg.ExemptBroadcast {
		c.add(ch, match{}.broadcast().verdict(Accept))
	}
}

// broadcast adds the condition that the destination is a broadcast address of one of the host's subnets.
func (m match) broadcast() match {
	m = append(m.family(true), &expr.Fib{Register: register, FlagDADDR: true, ResultADDRTYPE: true})
	return append(m, eq(native32(unix.RTN_BROADCAST)))
}
