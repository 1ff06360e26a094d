package esp

import (
	"bytes"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/suite"
)

// A pair is one combination of algorithms and key sizes.
type pair struct {
	encr  suite.Encr
	bits  int
	integ suite.Integ
}

func (p pair) String() string { return fmt.Sprintf("%s+%s", p.encr.Name(p.bits), p.integ) }

// pairs are all combinations that ESP may use.
func pairs() (all []pair) {
	for _, e := range suite.Encrs() {
		info, _ := e.Info()
		sizes := info.KeyBits
		if len(sizes) == 0 {
			sizes = []int{0}
		}
		for _, bits := range sizes {
			if info.Combined {
				all = append(all, pair{e, bits, suite.IntegNone})
				continue
			}
			for _, i := range suite.Integs() {
				if what, _ := i.Info(); !what.Counter {
					all = append(all, pair{e, bits, i})
				}
			}
		}
	}
	return all
}

// key returns n bytes that are no weak key of DES.
func key(n int) []byte {
	k := make([]byte, n)
	for i := range k {
		k[i] = byte(3*i + 0x31)
	}
	return k
}

// SealFrom makes what Seal makes, leaves what lies behind the payload alone, and refuses a source without room for the trailer.
func TestSealFromEqualsSeal(t *testing.T) {
	for _, p := range pairs() {
		for _, esn := range []bool{false, true} {
			for n := range 70 {
				src := key(n + 40)
				seal := func(direct bool) []byte {
					// The IV of CBC is to be the same for both.
					s, err := NewSealer(p.encr, key(p.encr.KeyMatLen(p.bits)), p.integ, key(p.integ.KeyMatLen()), 0x1234, esn, bytes.NewReader(key(512)))
					if err != nil {
						t.Fatal(p, err)
					}
					pkt := make([]byte, 3+s.SealedLen(n))
					if !direct {
						copy(pkt[3+s.Head():], src[:n])
						err = s.Seal(pkt, 3, n, 4, 9)
					} else {
						trailer := s.SealedLen(n) - s.Head() - s.icv() - n
						if trailer > s.MaxTrailer() || s.SealFrom(pkt, 3, src[:n:n+trailer-1], n, 4, 9) != ErrBuffer || s.SealFrom(pkt, 4, src, n, 4, 9) != ErrBuffer {
							t.Fatal(p, "sealed from a buffer that does not fit")
						}
						err = s.SealFrom(pkt, 3, src, n, 4, 9)
					}
					if err != nil {
						t.Fatal(p, err)
					}
					return pkt
				}
				if want, got := seal(false), seal(true); !bytes.Equal(got, want) {
					t.Fatalf("%v, %d bytes: %x, want %x", p, n, got, want)
				}
				if !bytes.Equal(src, key(n+40)) {
					t.Fatalf("%v, %d bytes: the source is changed: %x", p, n, src)
				}
			}
		}
	}
}

func (p pair) make(t testing.TB, esn bool) (*Sealer, *Opener) {
	t.Helper()
	keymat, integKey := key(p.encr.KeyMatLen(p.bits)), key(p.integ.KeyMatLen())
	s, err := NewSealer(p.encr, keymat, p.integ, integKey, 0x1234567, esn, nil)
	if err != nil {
		t.Fatalf("%v: %v", p, err)
	}
	o, err := NewOpener(p.encr, keymat, p.integ, integKey, 0x1234567, esn)
	if err != nil {
		t.Fatalf("%v: %v", p, err)
	}
	return s, o
}

// frame makes a buffer with a header of hlen bytes, the gaps of s and the payload in its place.
func frame(s *Sealer, hlen int, payload []byte) []byte {
	pkt := make([]byte, hlen+s.SealedLen(len(payload)))
	for i := range hlen {
		pkt[i] = 0x5a
	}
	copy(pkt[hlen+s.Head():], payload)
	return pkt
}

// RFC 4303 §3.3 and §3.4: what is sealed opens, for every pair of algorithms, with and without ESN, at every size.
func TestRFC4303RoundTrip(t *testing.T) {
	all := pairs()
	if len(all) < 60 {
		t.Fatalf("only %d pairs of algorithms", len(all))
	}
	for _, p := range all {
		t.Run(p.String(), rapid.MakeCheck(func(r *rapid.T) { roundTrip(t, r, p) }))
	}
}

func roundTrip(t *testing.T, r *rapid.T, p pair) {
	esn := rapid.Bool().Draw(r, "esn")
	hlen := rapid.SampledFrom([]int{0, 20, 40, 60}).Draw(r, "hlen")
	payload := rapid.SliceOfN(rapid.Byte(), 0, 1500).Draw(r, "payload")
	next := rapid.Byte().Draw(r, "next")
	seq := rapid.Uint64Range(1, 1<<32-1).Draw(r, "seq")
	if esn {
		seq = rapid.Uint64Min(1).Draw(r, "seq64")
	}
	s, o := p.make(t, esn)
	pkt := frame(s, hlen, payload)
	if err := s.Seal(pkt, hlen, len(payload), next, seq); err != nil {
		r.Fatalf("%v: %v", p, err)
	}
	if s.MaxPayload(len(pkt)-hlen) < len(payload) || s.SealedLen(s.MaxPayload(len(pkt)-hlen)) > len(pkt)-hlen || (len(pkt)-hlen)%4 != 0 {
		r.Fatalf("%v: lengths do not agree", p)
	}
	if p.encr != suite.Null && p.encr != suite.NullGMAC && len(payload) >= 16 && bytes.Contains(pkt, payload) {
		r.Fatalf("%v: the payload stands in clear", p)
	}
	broken := bytes.Clone(pkt)
	low, err := o.Sequence(pkt, hlen)
	if err != nil || low != uint32(seq) {
		r.Fatalf("%v: sequence %d, %v", p, low, err)
	}
	off, n, gotNext, err := o.Open(pkt, hlen, seq)
	if err != nil || gotNext != next || off != hlen+s.Head() || !bytes.Equal(pkt[off:off+n], payload) {
		r.Fatalf("%v: opened %x, next %d, error %v", p, pkt[off:off+n], gotNext, err)
	}
	if hlen > 0 && !bytes.Equal(pkt[:hlen], bytes.Repeat([]byte{0x5a}, hlen)) {
		r.Fatalf("%v: the bytes before the packet changed", p)
	}
	bit := rapid.IntRange(0, 8*(len(broken)-hlen)-1).Draw(r, "bit")
	broken[hlen+bit/8] ^= 1 << (bit % 8)
	if bit/8 >= 4 && bit/8 < 8 { // the sequence number stands for itself: with it the caller's argument changes
		low, _ = o.Sequence(broken, hlen)
		seq = seq>>32<<32 | uint64(low)
	}
	if _, _, _, err := o.Open(broken, hlen, seq); err != ErrIntegrity {
		r.Fatalf("%v: with bit %d flipped: %v", p, bit, err)
	}
}

// D1: a packet without room for header, IV, trailer and ICV is refused before any cryptography, at every length and for every pair.
func TestD1ShorterThanItsParts(t *testing.T) {
	for _, p := range pairs() {
		s, o := p.make(t, false)
		least := s.SealedLen(0)
		if o.block == 1 {
			least -= 2 // a trailer alone
		}
		for n := range least + 32 {
			pkt := make([]byte, 20+n)
			_, err := o.Sequence(pkt, 20)
			_, _, _, openErr := o.Open(pkt, 20, 1)
			whole := n >= least && (n-least)%int(o.block) == 0
			if whole && (err != nil || openErr != ErrIntegrity) || !whole && (err != ErrShort || openErr != ErrShort) {
				t.Errorf("%v, %d bytes (least %d): %v, %v", p, n, least, err, openErr)
			}
		}
		for _, hlen := range []int{-1, 21, 1 << 40} {
			if _, err := o.Sequence(make([]byte, 20), hlen); err != ErrShort {
				t.Errorf("%v, header of %d bytes in 20: %v", p, hlen, err)
			}
		}
	}
}

// D3: nothing unauthenticated is made, unless an AH outside authenticates it.
func TestD3NoIntegrity(t *testing.T) {
	for _, e := range []suite.Encr{suite.DES, suite.TripleDES, suite.Null, suite.AESCBC, suite.AESCTR} {
		keymat := key(e.KeyMatLen(0))
		_, err := NewSealer(e, keymat, suite.IntegNone, nil, 1, false, nil)
		_, openErr := NewOpener(e, keymat, suite.IntegNone, nil, 1, false)
		if err != ErrNoIntegrity || openErr != ErrNoIntegrity {
			t.Errorf("%v without integrity: %v, %v", e, err, openErr)
		}
		s, err := NewSealer(e, keymat, suite.IntegNone, nil, 1, false, nil, CoveredByAH)
		if err != nil {
			t.Fatal(err)
		}
		o, err := NewOpener(e, keymat, suite.IntegNone, nil, 1, false, CoveredByAH)
		if err != nil {
			t.Fatal(err)
		}
		pkt := frame(s, 0, []byte("under an AH"))
		if err := s.Seal(pkt, 0, 11, 6, 1); err != nil {
			t.Fatal(err)
		}
		off, n, next, err := o.Open(pkt, 0, 1)
		if err != nil || next != 6 || string(pkt[off:off+n]) != "under an AH" {
			t.Errorf("%v under an AH: %q, %d, %v", e, pkt[off:off+n], next, err)
		}
	}
}

func TestConstructorsRefuse(t *testing.T) {
	k := key(64)
	rows := []struct {
		what    string
		e       suite.Encr
		keymat  []byte
		i       suite.Integ
		integ   []byte
		contain string
	}{
		{"no encryption transform", suite.EncrNone, nil, suite.HMACSHA256_128, k[:32], "unknown"},
		{"unknown cipher", 9999, k[:16], suite.HMACSHA256_128, k[:32], "unknown"},
		{"combined mode and a MAC", suite.AESGCM16, k[:20], suite.HMACSHA256_128, k[:32], "authenticates by itself"},
		{"GMAC as a MAC", suite.Null, nil, suite.AES128GMAC, k[:20], "AH only"},
		{"unknown MAC", suite.AESCBC, k[:16], 9999, k[:32], "unknown"},
		{"key too short for its salt", suite.AESGCM16, k[:3], suite.IntegNone, nil, "salt"},
		{"AES key of 17 bytes", suite.AESGCM16, k[:21], suite.IntegNone, nil, "aes-gcm-16"},
		{"CBC key of 15 bytes", suite.AESCBC, k[:15], suite.HMACSHA256_128, k[:32], "aes-cbc"},
		{"empty MAC key", suite.AESCBC, k[:16], suite.HMACSHA256_128, nil, "hmac-sha256-128"},
	}
	for _, r := range rows {
		_, err := NewSealer(r.e, r.keymat, r.i, r.integ, 1, false, nil)
		_, openErr := NewOpener(r.e, r.keymat, r.i, r.integ, 1, false)
		if err == nil || openErr == nil || !strings.Contains(err.Error(), r.contain) {
			t.Errorf("%s: %v, %v; want an error with %q", r.what, err, openErr, r.contain)
		}
	}
}

// D4: a wrong ICV and wrong padding are one error, and padding is looked at only after the ICV.
func TestD4PaddingAndICVAreOneError(t *testing.T) {
	for _, p := range pairs() {
		s, o := p.make(t, false)
		seal := func(trailer ...byte) []byte {
			pkt := frame(s, 0, make([]byte, 30-len(trailer)+2))
			tail := pkt[:len(pkt)-s.icv()]
			copy(tail[len(tail)-len(trailer):], trailer)
			s.transform.seal(pkt, tail[s.head():], 7)
			return pkt
		}
		rows := map[string][]byte{
			"padding 1,2,4":          seal(1, 2, 4, 3, 6),
			"padding of zeros":       seal(0, 0, 2, 6),
			"longer than the packet": seal(255, 6),
			"no padding":             seal(0, 6),
			"padding 1,2":            seal(1, 2, 2, 6),
		}
		for what, pkt := range rows {
			want := ErrIntegrity
			if strings.HasPrefix(what, "no ") || what == "padding 1,2" {
				want = nil
			}
			if _, _, _, err := o.Open(bytes.Clone(pkt), 0, 7); err != want {
				t.Errorf("%v, %s: %v, want %v", p, what, err, want)
			}
		}
	}
}

// D5 and D6: the IV of a counter mode is the sequence number, which cannot fall or repeat; the IV of CBC is fresh randomness.
func TestD5InitializationVectors(t *testing.T) {
	for _, p := range pairs() {
		info, _ := p.encr.Info()
		s, _ := p.make(t, true)
		seen := map[string]bool{}
		for seq := uint64(1<<32 - 100); seq < 1<<32+100; seq++ {
			pkt := frame(s, 0, []byte("x"))
			if err := s.Seal(pkt, 0, 1, 4, seq); err != nil {
				t.Fatal(err)
			}
			if info.Counter && !bytes.Equal(pkt[8:16], []byte{0, 0, 0, byte(seq >> 32), byte(seq >> 24), byte(seq >> 16), byte(seq >> 8), byte(seq)}) {
				t.Fatalf("%v: IV %x of packet %d is not the sequence number", p, pkt[8:16], seq)
			}
			seen[string(pkt[8:s.Head()])] = true
		}
		if info.IVLen > 0 && len(seen) != 200 {
			t.Errorf("%v: %d different IVs in 200 packets", p, len(seen))
		}
		for _, seq := range []uint64{1<<32 + 99, 1, 0} {
			if err := s.Seal(frame(s, 0, nil), 0, 0, 4, seq); err != ErrSequence {
				t.Errorf("%v: sequence number %d again: %v", p, seq, err)
			}
		}
	}
}

// D5: the IVs of CBC are the bytes of the random source, each used once, and without randomness nothing is sealed. The rest of a block of randomness
// may be thrown away at any time, which the race detector makes happen often.
func TestD5RandomSource(t *testing.T) {
	const block = 512
	random := make([]byte, 1<<17)
	crand.Read(random)
	s, err := NewSealer(suite.AESCBC, key(16), suite.HMACSHA256_128, key(32), 1, false, bytes.NewReader(random))
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for i := range 200 {
		pkt := frame(s, 0, nil)
		if err := s.Seal(pkt, 0, 0, 4, uint64(i+1)); err != nil {
			t.Fatal(err)
		}
		if next := (at + block - 1) / block * block; !bytes.Equal(pkt[8:24], random[at:at+16]) && bytes.Equal(pkt[8:24], random[next:next+16]) {
			at = next
		}
		if !bytes.Equal(pkt[8:24], random[at:at+16]) {
			t.Fatalf("IV %d is not the next of the random source", i)
		}
		at += 16
	}
	for seq := uint64(1000); err == nil; seq++ {
		if err = s.Seal(frame(s, 0, nil), 0, 0, 4, seq); seq > 1000+uint64(len(random))/16 {
			t.Fatal("more IVs than there is randomness")
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("with the random source at its end: %v", err)
	}
	failing, err := NewSealer(suite.AESCBC, key(16), suite.HMACSHA256_128, key(32), 1, false, iotest.ErrReader(io.ErrClosedPipe))
	if err != nil {
		t.Fatal(err)
	}
	if err := failing.Seal(frame(failing, 0, nil), 0, 0, 4, 1); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("without randomness: %v", err)
	}
}

// RFC 4303 §3.3.3: without ESN the last sequence number is 2^32-1.
func TestRFC4303Section3_3_3(t *testing.T) {
	s, _ := pair{suite.AESGCM16, 128, suite.IntegNone}.make(t, false)
	if err := s.Seal(frame(s, 0, nil), 0, 0, 4, 1<<32-1); err != nil {
		t.Error(err)
	}
	if err := s.Seal(frame(s, 0, nil), 0, 0, 4, 1<<32); err != ErrSequence {
		t.Error(err)
	}
}

func TestBufferMustFit(t *testing.T) {
	s, _ := pair{suite.AESCBC, 128, suite.HMACSHA256_128}.make(t, false)
	fit := 20 + s.SealedLen(100)
	for _, r := range []struct{ len, hlen, n int }{{fit + 1, 20, 100}, {fit - 1, 20, 100}, {fit, -1, 100}, {fit, 20, -1}, {10, 20, 0}, {0, 0, 0}} {
		if err := s.Seal(make([]byte, r.len), r.hlen, r.n, 4, 1); err != ErrBuffer {
			t.Errorf("%+v: %v", r, err)
		}
	}
	// A header of negative length that makes the sum come out right.
	o, err := NewOpener(suite.AESCBC, key(16), suite.HMACSHA256_128, key(32), 1, false)
	if err != nil {
		t.Fatal(err)
	}
	short := make([]byte, s.SealedLen(100)-5)
	if err := s.Seal(short, -5, 100, 4, 1); err != ErrBuffer {
		t.Error(err)
	}
	if _, _, err := s.Dummy(short, -5); err != ErrBuffer {
		t.Error(err)
	}
	if _, err := o.Sequence(short, -5); err != ErrShort {
		t.Error(err)
	}
	if n, next, err := s.Dummy(make([]byte, s.SealedLen(14)), 0); n != 14 || next != NoNextHeader || err != nil {
		t.Errorf("%d, %d, %v", n, next, err)
	}
	if s.MaxPayload(s.SealedLen(0)-1) >= 0 {
		t.Error("a payload fits where none does")
	}
}

// RFC 4303 §2.6: a dummy packet opens as next header 59, at every length that a packet can have.
func TestRFC4303Section2_6(t *testing.T) {
	for _, p := range pairs() {
		s, o := p.make(t, false)
		seq, made := uint64(0), 0
		for n := range 200 {
			pkt := make([]byte, 20+n)
			size, next, err := s.Dummy(pkt, 20)
			if err != nil {
				continue
			}
			made++
			seq++
			if err := s.Seal(pkt, 20, size, next, seq); err != nil {
				t.Fatalf("%v, %d bytes: %v", p, n, err)
			}
			if _, _, next, err := o.Open(pkt, 20, seq); err != nil || next != NoNextHeader {
				t.Errorf("%v: dummy opened as %d, %v", p, next, err)
			}
		}
		if made < 5 {
			t.Errorf("%v: %d dummies under 200 bytes", p, made)
		}
		if _, _, err := s.Dummy(nil, 1); err != ErrBuffer {
			t.Error(err)
		}
	}
}

// No key leaves by a print or by marshalling.
func TestKeysAreNotPrinted(t *testing.T) {
	s, o := pair{suite.AESCTR, 256, suite.HMACSHA256_128}.make(t, true)
	wrapped := struct {
		Sealer *Sealer
		Opener any
	}{s, o}
	secret := []string{fmt.Sprintf("%x", key(32)), fmt.Sprint(key(8))[1:20], "0x31, 0x34", "49 52"}
	for _, v := range []any{s, o, wrapped, &wrapped, *s, *o} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			text := fmt.Sprintf(verb, v)
			for _, k := range secret {
				if strings.Contains(text, k) {
					t.Errorf("%s of %T prints %q", verb, v, text)
				}
			}
		}
		if b, err := json.Marshal(v); err != nil || len(b) > 30 {
			t.Errorf("%T marshals to %s, %v", v, b, err)
		}
	}
	if got := fmt.Sprint(s, " ", o); got != "ESP sealer, SPI 0x01234567 ESP opener, SPI 0x01234567" {
		t.Errorf("printed %q", got)
	}
}

// The algorithms of the standard library allocate nothing for a packet.
func TestNoAllocations(t *testing.T) {
	for _, p := range []pair{
		{suite.AESGCM16, 128, suite.IntegNone}, {suite.AESGCM12, 256, suite.IntegNone}, {suite.ChaCha20Poly1305, 256, suite.IntegNone},
		{suite.NullGMAC, 128, suite.IntegNone}, {suite.AESCBC, 128, suite.HMACSHA256_128}, {suite.AESCBC, 256, suite.HMACSHA1_96},
		{suite.TripleDES, 0, suite.HMACMD5_96}, {suite.Null, 0, suite.HMACSHA512_256}, {suite.AESCBC, 192, suite.HMACSHA384_192},
		{suite.AESCBC, 128, suite.AESCMAC96}, {suite.AESCBC, 128, suite.AESXCBC96},
	} {
		for _, esn := range []bool{false, true} {
			s, o := p.make(t, esn)
			pkt := frame(s, 20, make([]byte, 1400))
			seq := uint64(0)
			n := testing.AllocsPerRun(200, func() {
				seq++
				if s.Seal(pkt, 20, 1400, 4, seq) != nil {
					t.Fatal("seal")
				}
				if _, _, _, err := o.Open(pkt, 20, seq); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%v, ESN %v: %v allocations for a packet", p, esn, n)
			}
		}
	}
}

// One full-sized packet, sealed and opened.
func BenchmarkSealOpen(b *testing.B) {
	for _, p := range []pair{
		{suite.AESGCM16, 128, suite.IntegNone}, {suite.ChaCha20Poly1305, 256, suite.IntegNone}, {suite.AESCBC, 128, suite.HMACSHA256_128},
	} {
		b.Run(p.String(), func(b *testing.B) {
			s, o := p.make(b, true)
			pkt, seq := frame(s, 0, make([]byte, 1400)), uint64(0)
			b.SetBytes(1400)
			b.ReportAllocs()
			for b.Loop() {
				seq++
				if s.Seal(pkt, 0, 1400, 4, seq) != nil {
					b.Fatal("seal")
				}
				if _, _, _, err := o.Open(pkt, 0, seq); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
