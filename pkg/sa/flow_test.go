package sa_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

var birth = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const testSPI = 0xc0ffee00

// ends makes the two halves of an SA with the same keys.
func ends(t testing.TB, out sa.OutboundConfig, in sa.InboundConfig) (*sa.Outbound, *sa.Inbound) {
	t.Helper()
	keymat := []byte("0123456789abcdefsalt")
	sealer, err := esp.NewSealer(suite.AESGCM16, keymat, suite.IntegNone, nil, testSPI, out.ESN, nil)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := esp.NewOpener(suite.AESGCM16, keymat, suite.IntegNone, nil, testSPI, out.ESN)
	if err != nil {
		t.Fatal(err)
	}
	out.SPI, out.Protocol, out.Mode, out.Sealer = testSPI, suite.ESP, suite.Tunnel, sealer
	in.SPI, in.Protocol, in.Mode, in.ESN = testSPI, suite.ESP, suite.Tunnel, out.ESN
	if in.Opener == nil {
		in.Opener = opener
	}
	return sa.NewOutbound(out, birth), sa.NewInbound(in, birth)
}

// seal makes the SA's next packet.
func seal(t testing.TB, o *sa.Outbound, payload string) []byte {
	t.Helper()
	pkt, err := trySeal(o, payload)
	if err != nil {
		t.Fatal(err)
	}
	return pkt
}

func trySeal(o *sa.Outbound, payload string) ([]byte, error) {
	s := o.Config().Sealer
	pkt := make([]byte, s.SealedLen(len(payload)))
	copy(pkt[s.Head():], payload)
	o.Lock()
	defer o.Unlock()
	return pkt, o.Seal(pkt, 0, len(payload), 4)
}

// open opens a copy, so that the packet can come again.
func open(i *sa.Inbound, pkt []byte) (fresh bool, err error) {
	_, _, _, fresh, err = i.Open(bytes.Clone(pkt), 0, birth)
	return fresh, err
}

// skip uses up sequence numbers.
func skip(t testing.TB, o *sa.Outbound, n int) {
	t.Helper()
	o.Lock()
	defer o.Unlock()
	for range n {
		if _, err := o.Next(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOutboundToInbound(t *testing.T) {
	o, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{})
	for n := range 10 {
		pkt := seal(t, o, strings.Repeat("x", n))
		off, size, next, fresh, err := i.Open(pkt, 0, birth.Add(time.Duration(n)*time.Second))
		if err != nil || !fresh || next != 4 || string(pkt[off:off+size]) != strings.Repeat("x", n) {
			t.Fatalf("packet %d: %q, next %d, fresh %v, %v", n, pkt[off:off+size], next, fresh, err)
		}
	}
	o.Check(birth.Add(time.Minute))
	sent, got := o.Stats(birth.Add(time.Hour)), i.Stats(birth.Add(time.Hour))
	want := sa.Stats{Packets: 10, Bytes: 45, Sequence: 10, Age: time.Hour, LastUsed: birth.Add(time.Minute)}
	if sent != want {
		t.Errorf("outbound %+v, want %+v", sent, want)
	}
	want.LastUsed = birth.Add(9 * time.Second)
	if got != want {
		t.Errorf("inbound %+v, want %+v", got, want)
	}
	o.Check(birth.Add(2 * time.Minute))
	if last := o.Stats(birth).LastUsed; last != birth.Add(time.Minute) {
		t.Errorf("an idle SA was last used at %v", last)
	}
	if _, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{}); !i.Stats(birth).LastUsed.IsZero() {
		t.Error("an unused SA has a time of use")
	}
	o.Lock()
	err := o.Seal(nil, 0, 0, 4)
	o.Unlock()
	if err != sa.ErrSeal || o.Stats(birth).Packets != 10 || o.Stats(birth).Sequence != 11 {
		t.Errorf("a packet without room: %v, %+v", err, o.Stats(birth))
	}
}

// D7: in any order within the window everything is accepted once; what is forged moves nothing.
func TestD7Reordering(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		window := rapid.SampledFrom([]int{0, 32, 100}).Draw(r, "window")
		esn := rapid.Bool().Draw(r, "esn")
		first := uint64(0)
		if esn {
			first = rapid.SampledFrom([]uint64{0, 1<<32 - 60, 5<<32 - 10}).Draw(r, "first")
		}
		o, i := ends(t, sa.OutboundConfig{ESN: esn, FirstSequence: first}, sa.InboundConfig{Window: window, HighestSequence: first})
		if window == 0 {
			window = sa.DefaultWindow
		}
		var packets [][]byte
		for range 2 * window {
			packets = append(packets, seal(t, o, "payload"))
		}
		top, delivered := -1, map[int]bool{}
		for range 200 {
			n := rapid.IntRange(0, len(packets)-1).Draw(r, "packet")
			if top >= 0 && rapid.Bool().Draw(r, "near") {
				n = min(len(packets)-1, max(0, top+rapid.IntRange(-window, 4).Draw(r, "distance")))
			}
			if rapid.Bool().Draw(r, "forged") {
				forged := bytes.Clone(packets[n])
				forged[len(forged)-1] ^= 1
				if _, err := open(i, forged); err == nil || err == sa.ErrMalformed {
					r.Fatalf("forged packet %d: %v", n, err)
				}
			}
			fresh, err := open(i, packets[n])
			want := error(nil)
			switch {
			case top-n >= window && esn: // taken for one of the next subspace, where the ICV is wrong
				want = sa.ErrAuthentication
			case top-n >= window:
				want = sa.ErrTooOld
			case delivered[n]:
				want = sa.ErrReplayed
			}
			if err != want || fresh != (err == nil && n > top) {
				r.Fatalf("packet %d, top %d: fresh %v, %v, want %v", n, top, fresh, err, want)
			}
			if err == nil {
				delivered[n], top = true, max(top, n)
			}
		}
	})
}

// D7: sequence number zero is refused, with ESN only that of all 64 bits.
func TestD7SequenceZero(t *testing.T) {
	_, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{})
	pkt := make([]byte, 64)
	if _, err := open(i, pkt); err != sa.ErrSequenceZero {
		t.Errorf("without ESN: %v", err)
	}
	o, i := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 1<<32 - 1}, sa.InboundConfig{HighestSequence: 1<<32 - 1})
	if fresh, err := open(i, seal(t, o, "low half 0")); err != nil || !fresh {
		t.Errorf("number 2^32 with ESN: %v", err)
	}
	_, i = ends(t, sa.OutboundConfig{ESN: true}, sa.InboundConfig{})
	if _, err := open(i, pkt); err != sa.ErrSequenceZero {
		t.Errorf("with ESN: %v", err)
	}
}

// RFC 4303 appendix A3: after more than 2^32 lost packets the receiver finds the sender again, at a bounded cost.
func TestRFC4303AppendixA3(t *testing.T) {
	for _, lost := range []uint64{1<<32 + 5, 3 << 32, 7<<32 + 12345} {
		o, i := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 1000 + lost}, sa.InboundConfig{HighestSequence: 1000})
		found := 0
		for n := 1; n <= 200 && found == 0; n++ {
			pkt := seal(t, o, "after the gap")
			off, size, _, fresh, err := i.Open(pkt, 0, birth)
			if err == nil {
				found = n
				if !fresh || string(pkt[off:off+size]) != "after the gap" {
					t.Errorf("lost %d: %q, fresh %v", lost, pkt[off:off+size], fresh)
				}
			} else if err != sa.ErrAuthentication {
				t.Fatalf("lost %d, packet %d: %v", lost, n, err)
			}
		}
		if found == 0 || found > 81 {
			t.Errorf("lost %d: found after %d packets", lost, found)
		}
		if got, want := i.Stats(birth).Sequence, o.Stats(birth).Sequence; got != want {
			t.Errorf("lost %d: window at %d, want %d", lost, got, want)
		}
		if _, err := open(i, seal(t, o, "and on")); err != nil {
			t.Errorf("lost %d: after that: %v", lost, err)
		}
	}
	// A gap of more than eight subspaces is too far.
	o, i := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 20 << 32}, sa.InboundConfig{HighestSequence: 1000})
	for range 500 {
		if _, err := open(i, seal(t, o, "")); err == nil {
			t.Fatal("found a sender twenty subspaces away")
		}
	}
}

// opens counts how often an Opener does its work.
type opens struct {
	sa.Opener
	n int
}

func (o *opens) Open(pkt []byte, hlen int, seq uint64) (int, int, uint8, error) {
	o.n++
	return o.Opener.Open(pkt, hlen, seq)
}

// D7: the search for the sender cannot be used to make us compute: forged packets cost half as much again as without it. And it cannot move the window.
func TestD7ResynchronisationIsBounded(t *testing.T) {
	for _, esn := range []bool{false, true} {
		o, i := ends(t, sa.OutboundConfig{ESN: esn}, sa.InboundConfig{})
		counting := &opens{Opener: i.Config().Opener}
		_, i = ends(t, sa.OutboundConfig{ESN: esn}, sa.InboundConfig{Opener: counting})
		pkt := seal(t, o, "forged")
		const forged = 10000
		for n := range forged {
			pkt[4], pkt[5], pkt[6], pkt[7] = byte(n>>8), byte(n), byte(n), 2
			if _, err := open(i, pkt); err != sa.ErrAuthentication {
				t.Fatal(err)
			}
		}
		most := forged
		if esn {
			most = forged * 3 / 2
		}
		if counting.n < forged || counting.n > most {
			t.Errorf("ESN %v: %d forged packets took %d computations", esn, forged, counting.n)
		}
		if i.Stats(birth).Sequence != 0 || i.Stats(birth).Drops[sa.Authentication] != forged {
			t.Errorf("ESN %v: %+v", esn, i.Stats(birth))
		}
		if _, err := open(i, seal(t, o, "genuine")); err != nil {
			t.Errorf("ESN %v: afterwards: %v", esn, err)
		}
	}
}

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

// Anti-replay may be off for manual keys; never with ESN, whose high half the window tells.
func TestAntiReplayOff(t *testing.T) {
	o, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{Window: -1})
	skip(t, o, 5)
	pkt := seal(t, o, "again and again")
	for n := range 3 {
		if fresh, err := open(i, pkt); err != nil || fresh != (n == 0) {
			t.Errorf("time %d: fresh %v, %v", n, fresh, err)
		}
	}
	o, i = ends(t, sa.OutboundConfig{ESN: true}, sa.InboundConfig{Window: -1})
	pkt = seal(t, o, "once")
	if _, err := open(i, pkt); err != nil {
		t.Error(err)
	}
	if _, err := open(i, pkt); err != sa.ErrReplayed {
		t.Errorf("with ESN: %v", err)
	}
}

// D1 and the counters: each refused packet stands in exactly one, under a name of its own.
func TestReasons(t *testing.T) {
	o, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{Window: 32, Lifetime: sa.Lifetime{HardTime: time.Hour}})
	first, second := seal(t, o, "first"), seal(t, o, "second")
	skip(t, o, 100)
	last := seal(t, o, "last")
	broken := bytes.Clone(last)
	broken[len(broken)-1] ^= 1
	for _, r := range []struct {
		pkt    []byte
		after  time.Duration
		reason sa.Reason
	}{
		{first, 0, sa.Delivered}, {first, 0, sa.Replayed}, {nil, 0, sa.Malformed}, {make([]byte, 19), 0, sa.Malformed}, {broken, 0, sa.Authentication},
		{last, 0, sa.Delivered}, {second, 0, sa.TooOld}, {make([]byte, 64), 0, sa.SequenceZero}, {last, time.Hour, sa.HardLimit},
	} {
		before := i.Stats(birth)
		_, _, _, _, err := i.Open(bytes.Clone(r.pkt), 0, birth.Add(r.after))
		got := i.Stats(birth)
		if sa.ReasonOf(err) != r.reason {
			t.Errorf("%v: %v", r.reason, err)
		}
		if r.reason != sa.Delivered {
			before.Drops[r.reason]++
			if got != before {
				t.Errorf("%v: counters %+v, want %+v", r.reason, got, before)
			}
		}
	}
	names := map[string]bool{}
	for r := range sa.Reason(sa.Reasons) {
		names[r.String()] = true
	}
	if len(names) != sa.Reasons || names["unknown"] || sa.Reason(200).String() != "unknown" {
		t.Errorf("names %v", names)
	}
	if sa.ReasonOf(sa.ErrSequenceExhausted) != sa.SequenceExhausted || sa.ReasonOf(sa.ErrSeal) != sa.SealFailed || sa.ReasonOf(errors.New("any")) != sa.SealFailed {
		t.Error("outbound reasons")
	}
}

// RFC 4301 §5.2: the SA's own selectors.
func TestD9Fits(t *testing.T) {
	in := func(s string) classifier.Range {
		return classifier.Range{From: netip.MustParseAddr(s), To: netip.MustParseAddr(s)}
	}
	_, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{Selector: classifier.Filter{Src: in("10.2.0.1"), Dst: in("10.1.0.1"), Proto: 17}})
	k := packet.Key{Src: netip.MustParseAddr("10.2.0.1"), Dst: netip.MustParseAddr("10.1.0.1"), Proto: 17, Flags: packet.ProtoKnown}
	if !i.Fits(&k) {
		t.Error("a packet of the SA does not fit")
	}
	for _, change := range []func(*packet.Key){
		func(k *packet.Key) { k.Src = netip.MustParseAddr("10.2.0.2") },
		func(k *packet.Key) { k.Dst = netip.MustParseAddr("10.1.0.2") },
		func(k *packet.Key) { k.Proto = 6 },
		func(k *packet.Key) { k.Src, k.Dst = k.Dst, k.Src },
		func(k *packet.Key) { k.Flags = 0 },
	} {
		wrong := k
		change(&wrong)
		if i.Fits(&wrong) {
			t.Errorf("%+v fits", wrong)
		}
	}
	if _, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{}); i.Fits(&k) {
		t.Error("an SA without selectors takes everything")
	}
}

// D13: a path MTU only falls, not below the floor, and is forgotten after ten minutes (RFC 4301 §8.2.2).
func TestD13PathMTU(t *testing.T) {
	four, six := netip.MustParseAddrPort("192.0.2.2:4500"), netip.MustParseAddrPort("[2001:db8::2]:4500")
	for _, r := range []struct {
		peer  netip.AddrPort
		floor int
	}{{four, 576}, {six, 1280}} {
		o, _ := ends(t, sa.OutboundConfig{Remote: r.peer}, sa.InboundConfig{})
		now := birth
		step := func(mtu int, changed bool, want int) {
			t.Helper()
			if got := o.SetPMTU(now, mtu); got != changed || o.PMTU(now) != want {
				t.Errorf("%v: %d changed %v, MTU %d; want %v, %d", r.peer, mtu, got, o.PMTU(now), changed, want)
			}
		}
		if o.PMTU(now) != 0 {
			t.Error("an MTU from nowhere")
		}
		step(1400, true, 1400)
		step(1400, false, 1400)
		step(9000, false, 1400)
		step(1300, true, 1300)
		step(-5, true, r.floor)
		step(0, false, r.floor)
		now = now.Add(10*time.Minute - 1)
		step(1500, false, r.floor)
		now = now.Add(1)
		if o.PMTU(now) != 0 {
			t.Error("the MTU did not age")
		}
		step(1500, true, 1500)
	}
}

// D13: a message that quotes a sequence number we did not send lately is forged.
func TestD13Sent(t *testing.T) {
	o, _ := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 1<<32 - 5}, sa.InboundConfig{})
	skip(t, o, 10)
	for low, want := range map[uint32]bool{1<<32 - 5: false, 1<<32 - 4: true, 0: true, 5: true, 6: false, 1 << 31: false} {
		if o.Sent(low) != want {
			t.Errorf("%d: %v", low, !want)
		}
	}
	skip(t, o, 70000)
	if o.Sent(5) || !o.Sent(70005) || !o.Sent(70005-65535) || o.Sent(70005-65536) {
		t.Error("old numbers count as lately sent")
	}
	fresh, _ := ends(t, sa.OutboundConfig{}, sa.InboundConfig{})
	if fresh.Sent(0) || fresh.Sent(1) {
		t.Error("an unused SA sent something")
	}
}

// D16: the peer's end moves when told to.
func TestD16Remote(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.2:4500"), netip.MustParseAddrPort("192.0.2.2:1024")
	o, i := ends(t, sa.OutboundConfig{Remote: a}, sa.InboundConfig{Remote: a})
	if o.Remote() != a || i.Remote() != a {
		t.Error("the peer is not where it began")
	}
	o.SetRemote(b)
	i.SetRemote(b)
	if o.Remote() != b || i.Remote() != b || o.Config().Remote != a || i.Config().Remote != a {
		t.Error("the peer did not move")
	}
}

// D6: nothing that holds keys or counters can be written down.
func TestD6KeysAndCountersStayInside(t *testing.T) {
	o, i := ends(t, sa.OutboundConfig{Rule: "site"}, sa.InboundConfig{Rule: "site"})
	seal(t, o, "")
	for _, v := range []any{o, i, o.Config(), i.Config(), *o.Config(), *i.Config(), struct{ A, B any }{o, i}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{"0123456789abcdef", "30313233343536373839", "48 49 50 51 52", "0x30, 0x31"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T prints %s", verb, v, text)
				}
			}
		}
		b, err := json.Marshal(v)
		if err != nil {
			continue
		}
		var back map[string]any
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Sealer", "Opener"} {
			if inside, ok := back[name].(map[string]any); ok && len(inside) != 0 {
				t.Errorf("%T marshals its %s as %v", v, name, inside)
			}
		}
	}
	if got := fmt.Sprint(o, "; ", i); got != "outbound ESP SA, SPI 0xc0ffee00; inbound ESP SA, SPI 0xc0ffee00" {
		t.Error(got)
	}
	if got := fmt.Sprint(sa.NewInbound(sa.InboundConfig{Protocol: suite.AH, SPI: 256}, birth)); got != "inbound AH SA, SPI 0x00000100" {
		t.Error(got)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, esn := range []bool{false, true} {
		o, i := ends(t, sa.OutboundConfig{ESN: esn, Lifetime: sa.Limits(3600, 0, suite.AESGCM16, esn, 0)}, sa.InboundConfig{})
		pkt := make([]byte, o.Config().Sealer.SealedLen(1400))
		n := testing.AllocsPerRun(200, func() {
			o.Check(birth)
			o.Lock()
			err := o.Seal(pkt, 0, 1400, 4)
			o.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			if _, _, _, _, err := i.Open(pkt, 0, birth); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("ESN %v: %v allocations for a packet", esn, n)
		}
	}
}

// The hostile packets in their order: what stops at the SA, and what goes on to the checks of what is inside.
func TestAuthenticatedMalformed(t *testing.T) {
	b, err := os.ReadFile("../esp/testdata/authenticated_malformed.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		SA struct {
			Key, Salt string
			Window    int `json:"replay_window"`
		}
		Packets []struct {
			ID     string
			Packet string `json:"esp_packet"`
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	keymat, _ := hex.DecodeString(file.SA.Key + file.SA.Salt)
	opener, err := esp.NewOpener(suite.AESGCM16, keymat, suite.IntegNone, nil, 0xc0000001, false)
	if err != nil {
		t.Fatal(err)
	}
	_, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{Opener: opener, Window: file.SA.Window})
	stopped := map[string]sa.Reason{"pad-bytes-wrong": sa.Authentication, "seq-0": sa.SequenceZero, "replay-of-1": sa.Replayed, "tos-ce-on-not-ect": sa.TooOld}
	for _, p := range file.Packets {
		pkt, _ := hex.DecodeString(p.Packet)
		_, _, next, _, err := i.Open(pkt, 0, birth)
		if sa.ReasonOf(err) != stopped[p.ID] {
			t.Errorf("%s: %v, want %v", p.ID, err, stopped[p.ID])
		}
		if p.ID == "dummy-nh59" && next != esp.NoNextHeader {
			t.Errorf("%s: next header %d", p.ID, next)
		}
	}
	if s := i.Stats(birth); s.Packets != 42 || s.Sequence != 1<<31 {
		t.Errorf("%+v", s)
	}
}
