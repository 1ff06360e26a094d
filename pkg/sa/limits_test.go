package sa_test

import (
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// F17, RFC 4303 §3.3.3: a counter stops at its last number and never wraps.
func TestF17SequenceExhaustion(t *testing.T) {
	for _, r := range []struct {
		esn   bool
		first uint64
	}{{false, 1<<32 - 10}, {true, 1<<64 - 10}} {
		o, i := ends(t, sa.OutboundConfig{ESN: r.esn, FirstSequence: r.first}, sa.InboundConfig{HighestSequence: r.first})
		for n := range 9 {
			if _, err := open(i, seal(t, o, "one of the last")); err != nil {
				t.Fatalf("ESN %v, packet %d: %v", r.esn, n, err)
			}
		}
		for range 5 {
			if _, err := trySeal(o, "beyond"); err != sa.ErrSequenceExhausted {
				t.Errorf("ESN %v: %v", r.esn, err)
			}
		}
		if o.Check(birth) != sa.Hard {
			t.Errorf("ESN %v: state %v", r.esn, o.Check(birth))
		}
		o.Lock()
		if seq, err := o.Next(); seq != 0 || err != sa.ErrSequenceExhausted {
			t.Errorf("ESN %v: next is %d, %v", r.esn, seq, err)
		}
		o.Unlock()
	}
}

// F17: long before the last number a successor is due.
func TestF17SoftLimit(t *testing.T) {
	l := sa.Limits(0, 0, suite.AESGCM16, false, 0.5)
	o, i := ends(t, sa.OutboundConfig{FirstSequence: l.SoftPackets - 1, Lifetime: l}, sa.InboundConfig{HighestSequence: l.SoftPackets - 1, Lifetime: l})
	if o.Check(birth) != sa.Live || i.Check(birth) != sa.Live {
		t.Errorf("before the limit: %v, %v", o.Check(birth), i.Check(birth))
	}
	if _, err := open(i, seal(t, o, "")); err != nil {
		t.Fatal(err)
	}
	if o.Check(birth) != sa.Soft || i.Check(birth) != sa.Soft {
		t.Errorf("at the limit: %v, %v", o.Check(birth), i.Check(birth))
	}
	if !o.SoftOnce() || o.SoftOnce() || !i.SoftOnce() || i.SoftOnce() {
		t.Error("the soft limit is not told exactly once")
	}
	o.Rearm()
	i.Rearm()
	if !o.SoftOnce() || o.SoftOnce() || !i.SoftOnce() || i.SoftOnce() {
		t.Error("after Rearm the soft limit is not told exactly once more")
	}
}

func TestHardLimits(t *testing.T) {
	second := time.Second
	for _, r := range []struct {
		name string
		l    sa.Lifetime
		good int           // packets of ten bytes that pass, one a second
		soft int           // packets after which a successor is due
		at   time.Duration // when to look
	}{
		{"seconds", sa.Lifetime{SoftTime: 3 * second, HardTime: 5 * second}, 5, 3, 0},
		{"bytes", sa.Lifetime{SoftBytes: 25, HardBytes: 40}, 4, 3, 0},
		{"packets", sa.Lifetime{SoftPackets: 2, HardPackets: 7}, 7, 2, 0},
	} {
		t.Run(r.name, func(t *testing.T) {
			free, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{Lifetime: r.l})
			o, _ := ends(t, sa.OutboundConfig{Lifetime: r.l}, sa.InboundConfig{})
			for n := range r.good + 3 {
				now := birth.Add(time.Duration(n) * second)
				state := sa.Live
				if n >= r.good {
					state = sa.Hard
				} else if n >= r.soft {
					state = sa.Soft
				}
				if o.Check(now) != state || i.Check(now) != state {
					t.Errorf("after %d packets: %v, %v, want %v", n, o.Check(now), i.Check(now), state)
				}
				_, err := trySeal(o, "ten bytes.")
				_, _, _, _, openErr := i.Open(seal(t, free, "ten bytes."), 0, now)
				var want error
				if n >= r.good {
					want = sa.ErrHardLimit
				}
				if err != want || openErr != want {
					t.Errorf("packet %d: %v, %v, want %v", n, err, openErr, want)
				}
			}
			if i.Stats(birth).Drops[sa.HardLimit] != 3 {
				t.Errorf("%+v", i.Stats(birth))
			}
		})
	}
}

// Next refuses past the limits that it can see, asked or not.
func TestHardLimitsWithoutCheck(t *testing.T) {
	for _, l := range []sa.Lifetime{{HardBytes: 30}, {HardPackets: 3}} {
		o, _ := ends(t, sa.OutboundConfig{Lifetime: l}, sa.InboundConfig{})
		for n, want := range []error{nil, nil, nil, sa.ErrHardLimit, sa.ErrHardLimit} {
			if _, err := trySeal(o, "ten bytes."); err != want {
				t.Errorf("%+v, packet %d: %v, want %v", l, n, err, want)
			}
		}
	}
}

// F11: a clock that goes back does not end an SA.
func TestF11ClockGoesBack(t *testing.T) {
	l := sa.Limits(60, 0, suite.AESGCM16, true, 0)
	o, i := ends(t, sa.OutboundConfig{ESN: true, Lifetime: l}, sa.InboundConfig{Lifetime: l})
	year := birth.AddDate(-1, 0, 0)
	if o.Check(year) != sa.Live || i.Check(year) != sa.Live {
		t.Errorf("%v, %v", o.Check(year), i.Check(year))
	}
	if _, _, _, _, err := i.Open(seal(t, o, ""), 0, year); err != nil {
		t.Error(err)
	}
}
