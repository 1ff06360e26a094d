package sa

import (
	"fmt"
	"io"
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

// Stats is a snapshot of an SA's counters.
type Stats struct {
	Packets, Bytes uint64 // protected, or authenticated and accepted; bytes of payload
	// Sequence is the sequence number last used, or the highest one received.
	Sequence uint64
	Age      time.Duration
	// LastUsed is when the last packet passed; the zero time if none has. For an outbound SA it is the time of the first Check after it.
	LastUsed time.Time
	// Drops counts an inbound SA's refused packets by reason.
	Drops [Reasons]uint64
}

// Stats returns the counters at now.
func (o *Outbound) Stats(now time.Time) Stats {
	seq := o.seq.Load()
	return Stats{
		Packets: seq - o.config.FirstSequence - o.wasted.Load(), Bytes: o.bytes.Load(), Sequence: seq,
		Age: o.created.until(now), LastUsed: lastUsed(o.created, o.used.Load(), now),
	}
}

// Stats returns the counters at now.
func (i *Inbound) Stats(now time.Time) Stats {
	s := Stats{
		Packets: i.packets.Load(), Bytes: i.bytes.Load(), Sequence: i.highest.Load(),
		Age: i.created.until(now), LastUsed: lastUsed(i.created, i.used.Load(), now),
	}
	if d := i.drops.Load(); d != nil {
		for r := range d {
			s.Drops[r] = d[r].Load()
		}
	}
	return s
}

// lastUsed turns nanoseconds since the SA's birth, 0 for never, into a time like now.
func lastUsed(created instant, after int64, now time.Time) time.Time {
	if after == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(created)+after).In(now.Location())
}

// instant is a time in the third of the memory: nanoseconds of the Unix epoch.
type instant int64

func instantOf(t time.Time) instant { return instant(t.UnixNano()) }

// until is how long after i now is.
func (i instant) until(now time.Time) time.Duration { return time.Duration(instantOf(now) - i) }

// formatSA prints what may be known of an SA.
func formatSA(w io.Writer, direction string, p suite.Protocol, spi uint32) {
	name := "ESP"
	if p == suite.AH {
		name = "AH"
	}
	fmt.Fprintf(w, "%s %s SA, SPI 0x%08x", direction, name, spi)
}
