package sa_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ah"
	"github.com/goipsec/goipsec/pkg/esp"
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
	sent.LastUsed, got.LastUsed = sent.LastUsed.UTC(), got.LastUsed.UTC()
	want := sa.Stats{Packets: 10, Bytes: 45, Sequence: 10, Age: time.Hour, LastUsed: birth.Add(time.Minute)}
	if sent != want {
		t.Errorf("outbound %+v, want %+v", sent, want)
	}
	want.LastUsed = birth.Add(9 * time.Second)
	if got != want {
		t.Errorf("inbound %+v, want %+v", got, want)
	}
	o.Check(birth.Add(2 * time.Minute))
	if last := o.Stats(birth).LastUsed; !last.Equal(birth.Add(time.Minute)) {
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

// D6: nothing that holds keys or counters can be written down.
func TestD6KeysAndCountersStayInside(t *testing.T) {
	o, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{})
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

// F18: workers that share an SA never use a number twice, and everything they seal opens once; run with -race.
func TestF18SharedSA(t *testing.T) {
	o, i := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 1<<32 - 500}, sa.InboundConfig{HighestSequence: 1<<32 - 500, Window: 4096})
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 250 {
				pkt, err := trySeal(o, "from one of four")
				if err != nil {
					t.Error(err)
					return
				}
				o.Check(birth)
				if _, err := open(i, pkt); err != nil {
					t.Error(err)
				}
				if _, err := open(i, pkt); err != sa.ErrReplayed {
					t.Error(err)
				}
				i.Check(birth)
				i.Stats(birth)
			}
		})
	}
	workers.Wait()
	if s := i.Stats(birth); s.Packets != 1000 || s.Drops[sa.Replayed] != 1000 || s.Sequence != o.Stats(birth).Sequence {
		t.Errorf("%+v", s)
	}
}

// F15: the two halves of a child SA take at most 4 KiB, algorithms and replay window included.
func TestF15MemoryOfAPair(t *testing.T) {
	const pairs = 500
	kept := make([]any, 0, 2*pairs)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range pairs {
		o, i := ends(t, sa.OutboundConfig{ESN: true}, sa.InboundConfig{})
		kept = append(kept, o, i)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int(after.HeapAlloc-before.HeapAlloc) / pairs
	t.Logf("%d bytes a pair", each)
	if each > 4096 {
		t.Errorf("a pair of SAs takes %d bytes", each)
	}
	runtime.KeepAlive(kept)
}

// D3: ESP without integrity travels inside the AH of the same proposal, and only what the AH lets through is decrypted.
func TestD3ESPUnderAH(t *testing.T) {
	key := []byte("0123456789abcdef")
	sealer, err := esp.NewSealer(suite.AESCBC, key, suite.IntegNone, nil, 400, false, nil, esp.CoveredByAH)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := esp.NewOpener(suite.AESCBC, key, suite.IntegNone, nil, 400, false, esp.CoveredByAH)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ah.NewSealer(suite.HMACSHA256_128, key, 401, false, false)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := ah.NewOpener(suite.HMACSHA256_128, key, 401, false)
	if err != nil {
		t.Fatal(err)
	}
	outer := sa.NewInbound(sa.InboundConfig{SPI: 401, Protocol: suite.AH, Opener: verifier}, birth)
	inner := sa.NewInbound(sa.InboundConfig{SPI: 400, Protocol: suite.ESP, Opener: opener, Under: outer}, birth)
	outESP := sa.NewOutbound(sa.OutboundConfig{SPI: 400, Protocol: suite.ESP, Sealer: sealer}, birth)
	outAH := sa.NewOutbound(sa.OutboundConfig{SPI: 401, Protocol: suite.AH, Sealer: signer}, birth)

	header := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, 51, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}
	pkt := make([]byte, len(header)+signer.SealedLen(sealer.SealedLen(6)))
	header[3] = byte(len(pkt))
	copy(pkt, header)
	at := len(header) + signer.Head()
	copy(pkt[at+sealer.Head():], "secret")
	if err := outESP.Seal(pkt, at, 6, 17); err != nil {
		t.Fatal(err)
	}
	if err := outAH.Seal(pkt, len(header), sealer.SealedLen(6), uint8(suite.ESP)); err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(pkt)
	forged[len(forged)-1] ^= 1
	if _, _, _, _, err := outer.Open(forged, len(header), birth); err != sa.ErrAuthentication {
		t.Errorf("forged: %v", err)
	}
	off, n, next, _, err := outer.Open(pkt, len(header), birth)
	if err != nil || next != uint8(suite.ESP) || inner.Config().Under != outer {
		t.Fatalf("AH: next header %d, %v", next, err)
	}
	off, n, next, _, err = inner.Open(pkt[:off+n], off, birth)
	if err != nil || next != 17 || string(pkt[off:off+n]) != "secret" {
		t.Errorf("ESP: %q, next header %d, %v", pkt[off:off+n], next, err)
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
