package dataplane

import (
	"sync"
	"time"

	"github.com/goipsec/goipsec/pkg/packet"
)

// fragments joins the fragments that come out of the TUN device. The lock lets the owner's clock end what nothing follows; whole datagrams never take it.
type fragments struct {
	mu    sync.Mutex
	table packet.Reassembler
	last  packet.ReassemblyStats // as the counters know them
}

// add takes a fragment and returns the whole datagram once it is complete.
func (f *fragments) add(c *Counters, now time.Time, pkt []byte, h *packet.Header) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Fragments.Add(1)
	whole, err := f.table.Add(now, pkt, h)
	f.count(c)
	if err != nil || whole == nil {
		return nil
	}
	c.Whole.Add(1)
	return whole
}

// expire drops the fragments whose time is over.
func (f *fragments) expire(c *Counters, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table.Expire(now)
	f.count(c)
}

// count carries over what the table has joined and dropped: one fragment may take others, that came before, with it.
func (f *fragments) count(c *Counters) {
	is := f.table.Stats
	c.Joined.Add(is.Reassembled - f.last.Reassembled)
	c.drop[Reassembly].Add(dropped(&is) - dropped(&f.last))
	f.last = is
}

// dropped is how many fragments became part of nothing.
func dropped(s *packet.ReassemblyStats) uint64 {
	return s.Duplicate + s.Overlap + s.Tiny + s.Misaligned + s.Oversize + s.TooMany + s.Share + s.Evicted + s.Expired + s.ECN
}
