package dataplane

import (
	"net/netip"
	"time"
)

// AddressesChanged: a packet that the policy would permit has an address of this host as its source that the policy does not know yet. Pair.Local is set.
// An address is in use as soon as the system has it, a little before its owner can know: its first packets must not pass in clear for that.
const AddressesChanged EventKind = 128

// origin remembers the answer about the last source within one batch.
type origin struct {
	source   netip.Addr
	at       time.Time
	stranger bool
}

// stranger asks about the source of the packet whose header is parsed.
func (o *outbound) stranger() bool {
	ask, source := o.p.cfg.Stranger, o.header.Key.Src
	if ask == nil {
		return false
	}
	if o.origin.source != source || !o.origin.at.Equal(o.now) {
		o.origin = origin{source, o.now, ask(source)}
	}
	return o.origin.stranger
}
