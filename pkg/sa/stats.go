package sa

import (
	"fmt"
	"io"
	"sync"
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
	wasted := o.wasted.Load() // before seq, which is never behind
	seq := o.seq.Load()
	return Stats{
		Packets: seq - o.config.FirstSequence - wasted, Bytes: o.bytes.Load(), Sequence: seq,
		Age: o.created.until(now), LastUsed: lastUsed(o.created, o.used.Load()),
	}
}

// Stats returns the counters at now.
func (i *Inbound) Stats(now time.Time) Stats {
	s := Stats{
		Packets: i.packets.Load(), Bytes: i.bytes.Load(), Sequence: i.highest.Load(),
		Age: i.created.until(now), LastUsed: lastUsed(i.created, i.used.Load()),
	}
	if d := i.drops.Load(); d != nil {
		for r := range d {
			s.Drops[r] = d[r].Load()
		}
	}
	return s
}

// lastUsed turns nanoseconds since the SA's birth, 0 for never, into a time.
func lastUsed(created instant, after int64) time.Time {
	if after == 0 {
		return time.Time{}
	}
	return first.at.Add(time.Duration(int64(created) + after))
}

// instant is a time in a third of the memory: what has passed since the first SA of this process was born.
type instant time.Duration

var first struct {
	born sync.Once
	at   time.Time
}

func instantOf(t time.Time) instant {
	first.born.Do(func() { first.at = t })
	return instant(t.Sub(first.at))
}

// until is how long after i, the time of an SA, now is.
func (i instant) until(now time.Time) time.Duration { return now.Sub(first.at) - time.Duration(i) }

// formatSA prints what may be known of an SA.
func formatSA(w io.Writer, direction string, p suite.Protocol, spi uint32) {
	name := "ESP"
	if p == suite.AH {
		name = "AH"
	}
	fmt.Fprintf(w, "%s %s SA, SPI 0x%08x", direction, name, spi)
}
