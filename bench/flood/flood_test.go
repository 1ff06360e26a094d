package flood

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := head{rapid.Uint32().Draw(t, "run"), rapid.Uint16().Draw(t, "flow"), kind(rapid.Byte().Draw(t, "kind")), rapid.Uint64().Draw(t, "number")}
		var b [headLen]byte
		want.put(b[:])
		if got, ok := parse(b[:]); !ok || got != want {
			t.Fatalf("%+v, %v", got, ok)
		}
		at, bit := rapid.IntRange(0, headLen-1).Draw(t, "at"), rapid.IntRange(0, 7).Draw(t, "bit")
		b[at] ^= 1 << bit
		if _, ok := parse(b[:]); ok {
			t.Fatal("a head with a wrong bit was read")
		}
		if _, ok := parse(b[:headLen-1]); ok {
			t.Fatal("half a head was read")
		}
	})
}

// datagram is a payload as the sender makes it.
func datagram(o Options, k kind, number uint64) []byte {
	b := make([]byte, headLen, o.Size)
	head{o.Run, o.flow(number), k, number}.put(b)
	return append(b, filler(number, o.Size-Overhead-headLen)...)
}

func TestTally(t *testing.T) {
	o := Options{Run: 7, Flows: 2, Size: 100, Length: time.Second}
	now := time.Unix(1000, 0)
	tl := newTally(o)
	take := func(b []byte) kind { return tl.take(b, now) }
	if k := take(datagram(o, warm, 0)); k != warm || tl.Counts != (Counts{Seconds: 1}) {
		t.Errorf("what warms up was counted: %+v", tl.Counts)
	}
	for _, n := range []uint64{2, 3, 6, 4, 8, 7, 8, 70} { // 4 comes behind 6 of its flow; 8 comes twice; 7 is of the other flow
		take(datagram(o, count, n))
	}
	bad := datagram(o, count, 9)
	bad[len(bad)-1] ^= 1
	take(bad)
	take(datagram(o, count, 10)[:60])
	tail := append(datagram(o, count, 11)[:headLen], datagram(o, count, 12)[headLen:]...)
	take(tail)
	other, third := o, o
	other.Run, third.Flows = 8, 3
	take(datagram(other, count, 13))
	take(datagram(third, count, 14))
	take(nil)
	now = now.Add(2 * time.Second)
	take(datagram(o, count, 71))
	if k := take(datagram(Options{Run: 7, Flows: 2, Size: Overhead + headLen}, end, 72)); k != end {
		t.Errorf("the end is of kind %d", k)
	}
	want := Counts{Received: 8, Duplicates: 1, Reordered: 1, Corrupt: 4, Foreign: 2, InTime: 7, Seconds: 1, Ended: true}
	if tl.Counts != want || tl.top != 72 || tl.PerSecond() != 7 {
		t.Errorf("%+v, top %d", tl.Counts, tl.top)
	}
	if (Counts{InTime: 3}).PerSecond() != 0 {
		t.Error("a rate over no time")
	}
}

// Whatever order datagrams come in, each number is received once, and the rest are duplicates.
func TestTallyCountsEachNumberOnce(t *testing.T) {
	o := Options{Flows: 3, Size: 64, Length: time.Hour}
	rapid.Check(t, func(t *rapid.T) {
		tl, all := newTally(o), map[uint64]bool{}
		numbers := rapid.SliceOf(rapid.Uint64Range(0, 300)).Draw(t, "numbers")
		for _, n := range numbers {
			tl.take(datagram(o, count, n), time.Unix(5, 0))
			all[n] = true
		}
		if tl.Received != uint64(len(all)) || tl.Received+tl.Duplicates != uint64(len(numbers)) || tl.InTime != tl.Received {
			t.Fatalf("%+v of %v", tl.Counts, numbers)
		}
	})
}

func TestOptions(t *testing.T) {
	good := Options{To: netip.MustParseAddr("127.0.0.1"), Port: 5300, Flows: 64, Size: 64, Length: time.Second}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(o *Options){
		"IPv6":         func(o *Options) { o.To = netip.IPv6Loopback() },
		"nowhere":      func(o *Options) { o.To = netip.Addr{} },
		"too small":    func(o *Options) { o.Size = 47 },
		"too large":    func(o *Options) { o.Size = maxSize + 1 },
		"no flow":      func(o *Options) { o.Flows = 0 },
		"many flows":   func(o *Options) { o.Flows = MaxFlows + 1 },
		"no port":      func(o *Options) { o.Port = 0 },
		"past ports":   func(o *Options) { o.Port = 65500 },
		"small window": func(o *Options) { o.Window = burst - 1 },
		"odd segments": func(o *Options) { o.Segments = 3 },
		"long message": func(o *Options) { o.Segments, o.Size = 64, 1400 },
		"no time":      func(o *Options) { o.Length = 0 },
		"back in time": func(o *Options) { o.Warm = -1 },
	} {
		o := good
		if spoil(&o); !errors.Is(o.check(), ErrOptions) {
			t.Errorf("%s was accepted", name)
		}
	}
}
