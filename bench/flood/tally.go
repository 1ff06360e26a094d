package flood

import "time"

// Counts is what a sink has seen of the datagrams that count.
type Counts struct {
	Received   uint64 `json:"received"`   // each number once
	Duplicates uint64 `json:"duplicates"` // the same number again
	Reordered  uint64 `json:"reordered"`  // behind a greater number of its flow; also among Received
	Corrupt    uint64 `json:"corrupt"`    // another length, check value or filler than was sent
	Foreign    uint64 `json:"foreign"`    // of another run
	// InTime are those of Received that came within Options.Length after the first: the rate goes by them, so that queues
	// which empty after the sender has ended do not count.
	InTime  uint64  `json:"in_time"`
	Seconds float64 `json:"seconds"` // Options.Length
	Ended   bool    `json:"ended"`   // the sender's end was seen, and not just silence
}

// PerSecond is the rate of received datagrams.
func (c Counts) PerSecond() float64 {
	if c.Seconds == 0 {
		return 0
	}
	return float64(c.InTime) / c.Seconds
}

// tally counts. Its zero value is not ready; see newTally.
type tally struct {
	Counts
	run      uint32
	payload  int // bytes
	length   time.Duration
	first    time.Time // when the first datagram that counts arrived
	seen     []uint64  // a bit for each number
	greatest []uint64  // of each flow, plus one
	top      uint64    // greatest number of all, warm ones too, plus one
}

func newTally(o Options) *tally {
	return &tally{run: o.Run, payload: o.Size - Overhead, length: o.Length, greatest: make([]uint64, o.Flows), seen: make([]uint64, 0, 1<<20),
		Counts: Counts{Seconds: o.Length.Seconds()}}
}

// take counts one payload that arrived now, and says what kind it was. Corrupt and foreign ones are of kind seen, which nobody sends to a sink.
func (t *tally) take(payload []byte, now time.Time) kind {
	h, ok := parse(payload)
	switch {
	case !ok:
		t.Corrupt++
		return seen
	case h.run != t.run || int(h.flow) >= len(t.greatest):
		t.Foreign++
		return seen
	case h.kind == end:
		t.Ended = true
		return end
	case len(payload) != t.payload || !whole(payload, h.number):
		t.Corrupt++
		return seen
	}
	t.top = max(t.top, h.number+1)
	if h.kind == count {
		t.count(h, now)
	}
	return h.kind
}

func (t *tally) count(h head, now time.Time) {
	if t.first.IsZero() {
		t.first = now
	}
	word, bit := h.number/64, uint64(1)<<(h.number%64)
	for uint64(len(t.seen)) <= word {
		t.seen = append(t.seen, 0)
	}
	if t.seen[word]&bit != 0 {
		t.Duplicates++
		return
	}
	t.seen[word] |= bit
	t.Received++
	if now.Sub(t.first) <= t.length {
		t.InTime++
	}
	if h.number < t.greatest[h.flow] {
		t.Reordered++
		return
	}
	t.greatest[h.flow] = h.number + 1
}
