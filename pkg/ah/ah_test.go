package ah

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/suite"
)

func key(n int) []byte {
	k := make([]byte, n)
	for i := range k {
		k[i] = byte(3*i + 0x31)
	}
	return k
}

func pairOf(t testing.TB, i suite.Integ, esn, v6 bool) (*Sealer, *Opener) {
	t.Helper()
	s, err := NewSealer(i, key(i.KeyMatLen()), 0x1234567, esn, v6)
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOpener(i, key(i.KeyMatLen()), 0x1234567, esn)
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

// headers are IP headers of both families as they stand before an AH.
func headers(t testing.TB) (all [][]byte) {
	for _, r := range maskRows {
		if r.masked != "" {
			all = append(all, hexField(t, r.header))
		}
	}
	return all
}

// RFC 4302 §3.3 and §3.4: what is sealed opens, for every algorithm, family and header, and no bit of the payload may change.
func TestRFC4302RoundTrip(t *testing.T) {
	all := headers(t)
	for _, integ := range suite.Integs() {
		t.Run(integ.String(), rapid.MakeCheck(func(r *rapid.T) {
			header := rapid.SampledFrom(all).Draw(r, "header")
			esn := rapid.Bool().Draw(r, "esn")
			payload := rapid.SliceOfN(rapid.Byte(), 0, 1500).Draw(r, "payload")
			next := rapid.Byte().Draw(r, "next")
			seq := rapid.Uint64Range(1, 1<<32-1).Draw(r, "seq")
			if esn {
				seq = rapid.Uint64Min(1).Draw(r, "seq64")
			}
			s, o := pairOf(t, integ, esn, header[0]>>4 == 6)
			pkt := make([]byte, len(header)+s.SealedLen(len(payload)))
			copy(pkt, header)
			copy(pkt[len(header)+s.Head():], payload)
			if err := s.Seal(pkt, len(header), len(payload), next, seq); err != nil {
				r.Fatal(err)
			}
			if s.MaxPayload(len(pkt)-len(header)) != len(payload) {
				r.Fatal("lengths do not agree")
			}
			low, err := o.Sequence(pkt, len(header))
			if err != nil || low != uint32(seq) {
				r.Fatalf("sequence %d, %v", low, err)
			}
			received := bytes.Clone(pkt)
			off, n, gotNext, err := o.Open(pkt, len(header), seq)
			if err != nil || gotNext != next || !bytes.Equal(pkt[off:off+n], payload) || !bytes.Equal(pkt, received) {
				r.Fatalf("opened %x, next %d, %v", pkt[off:off+n], gotNext, err)
			}
			if esn {
				if _, _, _, err := o.Open(pkt, len(header), seq^1<<32); err != ErrIntegrity {
					r.Fatalf("another high half: %v", err)
				}
			}
			at := len(header) + rapid.IntRange(0, len(pkt)-len(header)-1).Draw(r, "at")
			pkt[at] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
			if _, _, _, err := o.Open(pkt, len(header), seq); err != ErrIntegrity && !(at == len(header)+1 && err == ErrShort) {
				r.Fatalf("byte %d of %d changed: %v", at, len(pkt), err)
			}
		}))
	}
}

// RFC 4302 §2.2 and §2.6: in IPv6 the AH is a multiple of 8 bytes, in IPv4 of 4; Payload Len is its length in words less two.
func TestRFC4302Section2_2(t *testing.T) {
	for _, r := range []struct {
		integ  suite.Integ
		v4, v6 int
	}{
		{suite.HMACMD5_96, 24, 24}, {suite.HMACSHA1_96, 24, 24}, {suite.AESXCBC96, 24, 24}, {suite.AESCMAC96, 24, 24},
		{suite.HMACSHA256_128, 28, 32}, {suite.HMACSHA384_192, 36, 40}, {suite.HMACSHA512_256, 44, 48}, {suite.AES128GMAC, 36, 40}, {suite.AES256GMAC, 36, 40},
	} {
		for _, v6 := range []bool{false, true} {
			s, _ := pairOf(t, r.integ, false, v6)
			want, header := r.v4, "45000054 1234 0000 3f 33 0000 c0000201 c0000202"
			if v6 {
				want, header = r.v6, "60000000 0044 33 3f"+addrA+addrB
			}
			ip := hexField(t, header)
			pkt := append(ip, make([]byte, s.SealedLen(4))...)
			if err := s.Seal(pkt, len(ip), 4, 6, 9); err != nil {
				t.Fatal(err)
			}
			ah := pkt[len(ip):]
			if s.Head() != want || int(ah[1]) != want/4-2 || !bytes.Equal(ah[:12], []byte{6, ah[1], 0, 0, 1, 0x23, 0x45, 0x67, 0, 0, 0, 9}) {
				t.Errorf("%v, IPv6 %v: head %d, want %d; AH %x", r.integ, v6, s.Head(), want, ah)
			}
		}
	}
}

// RFC 4302 §3.3.3 computed with nothing but HMAC: masked header, AH with ICV at zero, payload, high half.
func TestD8HighHalfAfterThePayload(t *testing.T) {
	ip := hexField(t, "45b80054 1234 4000 3f 33 abcd c0000201 c0000202")
	s, _ := pairOf(t, suite.HMACSHA256_128, true, false)
	pkt := append(bytes.Clone(ip), make([]byte, s.SealedLen(4))...)
	copy(pkt[len(pkt)-4:], "data")
	if err := s.Seal(pkt, 20, 4, 17, 0x0000000700000009); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key(32))
	mac.Write(hexField(t, "45000054 1234 0000 00 33 0000 c0000201 c0000202"+"1105 0000 01234567 00000009"+zeros(32)))
	mac.Write([]byte("data"))
	mac.Write([]byte{0, 0, 0, 7})
	if want := mac.Sum(nil)[:16]; !bytes.Equal(pkt[32:48], want) {
		t.Errorf("ICV %x, want %x", pkt[32:48], want)
	}
}

// Linux pads the ICV to 8 bytes in IPv4 too; such packets are taken. No other length is.
func TestICVPaddedToEight(t *testing.T) {
	ip := hexField(t, "45000054 1234 0000 3f 33 0000 c0000201 c0000202")
	_, o := pairOf(t, suite.HMACSHA256_128, false, false)
	for words := range 256 {
		size := (words + 2) * 4
		pkt := append(bytes.Clone(ip), make([]byte, max(size, 28)+8)...)
		pkt[20], pkt[21], pkt[31] = 17, byte(words), 3
		if size >= 28 {
			tag, err := o.icv.compute(pkt, 20, size, 3)
			if err != nil {
				t.Fatal(err)
			}
			copy(pkt[32:], tag)
		}
		off, n, _, err := o.Open(pkt, 20, 3)
		if good := size == 28 || size == 32; good != (err == nil) || good && (off != 20+size || n != 8) {
			t.Errorf("AH of %d bytes: payload at %d, %d bytes, %v", size, off, n, err)
		}
	}
}

// D1: an AH that is cut off, or says that it is longer than the packet, is refused before any cryptography.
func TestD1ShorterThanItsParts(t *testing.T) {
	for _, header := range []string{"45000054 1234 0000 3f 33 0000 c0000201 c0000202", "60000000 0044 33 3f" + addrA + addrB} {
		for _, integ := range suite.Integs() {
			ip := hexField(t, header)
			s, o := pairOf(t, integ, false, ip[0]>>4 == 6)
			pkt := append(ip, make([]byte, s.SealedLen(4))...)
			if err := s.Seal(pkt, len(ip), 4, 6, 9); err != nil {
				t.Fatal(err)
			}
			for n := range len(ip) + s.Head() {
				if _, err := o.Sequence(pkt[:n], len(ip)); err != ErrShort {
					t.Errorf("%v cut to %d bytes: %v", integ, n, err)
				}
				if _, _, _, err := o.Open(pkt[:n], len(ip), 9); err != ErrShort {
					t.Errorf("%v cut to %d bytes: %v", integ, n, err)
				}
			}
			for _, hlen := range []int{-1, -100, 0, len(pkt) + 1, 1 << 40} {
				if _, err := o.Sequence(pkt, hlen); err != ErrShort {
					t.Errorf("hlen %d: %v", hlen, err)
				}
			}
		}
	}
}

// D5 for GMAC: the IV is the sequence number, and no number serves twice (RFC 4543 §3.1).
func TestD5SequenceNumbersRise(t *testing.T) {
	ip := hexField(t, "45000054 1234 0000 3f 33 0000 c0000201 c0000202")
	for _, integ := range suite.Integs() {
		info, _ := integ.Info()
		s, _ := pairOf(t, integ, false, false)
		seal := func(seq uint64) ([]byte, error) {
			pkt := append(bytes.Clone(ip), make([]byte, s.SealedLen(4))...)
			return pkt, s.Seal(pkt, 20, 4, 6, seq)
		}
		pkt, err := seal(1<<32 - 2)
		if err != nil {
			t.Fatal(err)
		}
		if info.Counter && !bytes.Equal(pkt[32:40], []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe}) {
			t.Errorf("%v: IV %x", integ, pkt[32:40])
		}
		for seq, want := range map[uint64]error{1<<32 - 2: ErrSequence, 5: ErrSequence, 0: ErrSequence, 1 << 32: ErrSequence} {
			if _, err := seal(seq); err != want {
				t.Errorf("%v, sequence number %d: %v", integ, seq, err)
			}
		}
		if _, err := seal(1<<32 - 1); err != nil {
			t.Errorf("%v, last sequence number: %v", integ, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, r := range []struct {
		integ   suite.Integ
		key     []byte
		contain string
	}{
		{suite.IntegNone, nil, "cannot do without"},
		{9999, key(16), "unknown"},
		{suite.HMACSHA256_128, nil, "hmac-sha256-128"},
		{suite.AESXCBC96, key(15), "aes-xcbc-96"},
		{suite.AES128GMAC, key(16), "20 bytes of key and salt"},
	} {
		_, err := NewSealer(r.integ, r.key, 1, false, false)
		_, openErr := NewOpener(r.integ, r.key, 1, false)
		if err == nil || openErr == nil || !strings.Contains(err.Error(), r.contain) {
			t.Errorf("%v: %v, %v; want an error with %q", r.integ, err, openErr, r.contain)
		}
	}
	s, _ := pairOf(t, suite.HMACSHA1_96, false, false)
	fit := 20 + s.SealedLen(8)
	for _, r := range []struct{ len, hlen, n int }{{fit + 1, 20, 8}, {fit - 1, 20, 8}, {fit, 0, 28}, {fit, -1, 8}, {fit, 20, -1}, {10, 20, 0}} {
		if err := s.Seal(make([]byte, r.len), r.hlen, r.n, 4, 1); err != ErrBuffer {
			t.Errorf("%+v: %v", r, err)
		}
	}
	pkt := append(hexField(t, "60000000 0044 33 3f"+addrA+addrB), make([]byte, s.SealedLen(8))...)
	if err := s.Seal(pkt, 40, 8, 4, 1); err != ErrHeader {
		t.Errorf("an IPv6 header to an IPv4 sealer: %v", err)
	}
}

// No key leaves by a print or by marshalling.
func TestKeysAreNotPrinted(t *testing.T) {
	s, o := pairOf(t, suite.AES128GMAC, true, true)
	for _, v := range []any{s, o, *s, *o, struct{ S any }{s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, fmt.Sprintf("%x", key(6))) || strings.Contains(text, fmt.Sprint(key(6))[1:17]) || strings.Contains(text, "0x31, 0x34") {
				t.Errorf("%s of %T prints %q", verb, v, text)
			}
		}
		if b, err := json.Marshal(v); err != nil || len(b) > 10 {
			t.Errorf("%T marshals to %s, %v", v, b, err)
		}
	}
	if got := fmt.Sprint(s, " ", o); got != "AH sealer, SPI 0x01234567 AH opener, SPI 0x01234567" {
		t.Errorf("printed %q", got)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, integ := range suite.Integs() {
		for _, header := range []string{"45000054 1234 0000 3f 33 0000 c0000201 c0000202", "60000000 0044 33 3f" + addrA + addrB} {
			ip := hexField(t, header)
			s, o := pairOf(t, integ, true, ip[0]>>4 == 6)
			pkt := append(ip, make([]byte, s.SealedLen(1400))...)
			seq := uint64(0)
			n := testing.AllocsPerRun(100, func() {
				seq++
				if s.Seal(pkt, len(ip), 1400, 6, seq) != nil {
					t.Fatal("seal")
				}
				if _, err := o.Sequence(pkt, len(ip)); err != nil {
					t.Fatal(err)
				}
				if _, _, _, err := o.Open(pkt, len(ip), seq); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%v: %v allocations for a packet", integ, n)
			}
		}
	}
}
