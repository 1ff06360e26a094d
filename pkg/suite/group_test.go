package suite

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// modps are the MODP groups with the constants from which RFC 2409 and RFC 3526 make their primes.
var modps = []struct {
	group Group
	bits  int
	c     int64
}{
	{MODP768, 768, 149686}, {MODP1024, 1024, 129093}, {MODP1536, 1536, 741804},
	{MODP2048, 2048, 124476}, {MODP3072, 3072, 1690314}, {MODP4096, 4096, 240904},
}

// piShifted returns [2^bits * pi] by Machin's formula.
func piShifted(bits uint) *big.Int {
	const guard = 64
	one := new(big.Int).Lsh(big.NewInt(1), bits+guard)
	arctan := func(x int64) *big.Int { // of 1/x
		sum, term := new(big.Int), new(big.Int).Div(one, big.NewInt(x))
		for n := int64(1); term.Sign() > 0; n += 2 {
			part := new(big.Int).Div(term, big.NewInt(n))
			if n%4 == 1 {
				sum.Add(sum, part)
			} else {
				sum.Sub(sum, part)
			}
			term.Div(term, big.NewInt(x*x))
		}
		return sum
	}
	pi := new(big.Int).Mul(arctan(5), big.NewInt(4))
	pi.Sub(pi, arctan(239)).Mul(pi, big.NewInt(4))
	return pi.Rsh(pi, guard)
}

// TestRFC3526PrimesFromPi makes the primes as RFC 2409 §6 and RFC 3526 say, and sees that they are safe.
func TestRFC3526PrimesFromPi(t *testing.T) {
	for _, m := range modps {
		p := new(big.Int).Add(piShifted(uint(m.bits-130)), big.NewInt(m.c))
		p.Lsh(p, 64)
		p.Add(p, new(big.Int).Lsh(big.NewInt(1), uint(m.bits)))
		p.Sub(p, new(big.Int).Lsh(big.NewInt(1), uint(m.bits-64)))
		p.Sub(p, big.NewInt(1))
		if got := new(big.Int).SetBytes(modpOf(m.group).p); got.Cmp(p) != 0 {
			t.Errorf("%v: the prime is not the one made from pi", m.group)
		}
		if m.bits <= 2048 { // of the larger ones this takes seconds
			q := new(big.Int).Rsh(p, 1)
			if !p.ProbablyPrime(1) || !q.ProbablyPrime(1) {
				t.Errorf("%v: the prime is not safe", m.group)
			}
		}
		if m.group.PublicLen() != m.bits/8 {
			t.Errorf("%v: public values of %d bytes", m.group, m.group.PublicLen())
		}
	}
}

func modpOf(g Group) *modp { return g.row().method.(*modp) }

// TestMODPAgainstBig compares the constant-time arithmetic with math/big.
func TestMODPAgainstBig(t *testing.T) {
	for _, m := range modps {
		t.Run(m.group.String(), func(t *testing.T) {
			g := modpOf(m.group)
			p := new(big.Int).SetBytes(g.p)
			rounds := 6 - m.bits/1024
			for range rounds {
				pair, err := NewKeyExchange(m.group, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				x := new(big.Int).SetBytes(pair.(*modpPair).secret)
				slow := func(base *big.Int) []byte { return new(big.Int).Exp(base, x, p).FillBytes(make([]byte, len(g.p))) }
				equal(t, "public value", pair.Public(), slow(big.NewInt(2)))
				peer, err := rand.Int(rand.Reader, p)
				if err != nil {
					t.Fatal(err)
				}
				z, err := pair.Shared(peer.FillBytes(make([]byte, len(g.p))))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "shared secret", z, slow(peer))
			}
		})
	}
}

// TestRFC7296Section2_14SecretIsPadded finds a secret that begins with a zero byte and sees that the byte stays.
func TestRFC7296Section2_14SecretIsPadded(t *testing.T) {
	a := keyPair(t, MODP768, bytes.Repeat([]byte{7}, 32))
	for i := range 4000 {
		peer := make([]byte, 96)
		binary.BigEndian.PutUint32(peer[92:], uint32(i+2))
		z, err := a.Shared(peer)
		if err != nil {
			t.Fatal(err)
		}
		if len(z) != 96 {
			t.Fatalf("a secret of %d bytes", len(z))
		}
		if z[0] == 0 {
			return
		}
	}
	t.Fatal("no secret began with a zero byte in 4000: the arithmetic is suspicious")
}

// TestRFC3526Section8Exponents holds the private exponents to the larger estimate of the table there.
func TestRFC3526Section8Exponents(t *testing.T) {
	for g, bits := range map[Group]int{MODP1536: 240, MODP2048: 320, MODP3072: 420, MODP4096: 480} {
		if got := 8 * modpOf(g).secret; got < bits {
			t.Errorf("%v: exponents of %d bits, at least %d are wanted", g, got, bits)
		}
	}
}

func TestGroupsAgree(t *testing.T) {
	for _, g := range Groups() {
		t.Run(g.String(), func(t *testing.T) {
			a, err := NewKeyExchange(g, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			b, err := NewKeyExchange(g, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Public()) != g.PublicLen() || bytes.Equal(a.Public(), b.Public()) {
				t.Fatal("public values have the wrong length or are equal")
			}
			x, err := a.Shared(b.Public())
			if err != nil {
				t.Fatal(err)
			}
			y, err := b.Shared(a.Public())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "shared secret", x, y)
			if want := map[Group]int{ECP256: 32, ECP384: 48, ECP521: 66}[g]; want != 0 && len(x) != want {
				t.Errorf("a secret of %d bytes: RFC 5903 takes x only", len(x))
			}
		})
	}
}

// TestO2RandomnessFails is row O2: where the source of randomness fails, at once or after some bytes, there is no key.
func TestO2RandomnessFails(t *testing.T) {
	failure := errors.New("no entropy")
	for _, g := range Groups() {
		for _, n := range []int64{0, 1, 31} {
			source := io.MultiReader(io.LimitReader(rand.Reader, n), iotest.ErrReader(failure))
			pair, err := NewKeyExchange(g, source)
			if !errors.Is(err, failure) || pair != nil {
				t.Errorf("%v with %d bytes: %v", g, n, err)
			}
		}
		if _, err := NewKeyExchange(g, io.LimitReader(rand.Reader, 5)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v with a source that ends: %v", g, err)
		}
		if _, err := NewKeyExchange(g, nil); err == nil {
			t.Errorf("%v without a source made a key", g)
		}
	}
}

// repeated is a source that gives one byte for ever.
type repeated byte

func (r repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// TestO2RandomnessIsConstant sees that a source which gives no usable number ends with an error and not with a loop.
func TestO2RandomnessIsConstant(t *testing.T) {
	for _, g := range Groups() {
		if g != Curve25519 { // which takes any 32 bytes
			if _, err := NewKeyExchange(g, repeated(0)); err == nil {
				t.Errorf("%v: made a key of zeros", g)
			}
		}
	}
	for _, g := range []Group{ECP256, ECP384, ECP521} {
		if _, err := NewKeyExchange(g, repeated(0xff)); err == nil {
			t.Errorf("%v: took a number above the order", g)
		}
	}
}

// TestSourceIsRead sees that the key comes from the source that was given, and from nowhere else.
func TestSourceIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SampledFrom([]Group{Curve25519, ECP256, ECP384, ECP521, MODP768}).Draw(t, "group")
		seed := rapid.SliceOfN(rapid.Byte(), 2000, 2000).Draw(t, "seed")
		a, err := NewKeyExchange(g, bytes.NewReader(seed))
		if err != nil {
			t.Skip("the seed holds no usable number")
		}
		b, err := NewKeyExchange(g, bytes.NewReader(seed))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Public(), b.Public()) {
			t.Fatal("the same source gave other keys")
		}
	})
}

// FuzzShared gives each group random values of the peer: no panic, and a secret of the right length or ErrPeerValue.
func FuzzShared(f *testing.F) {
	for _, row := range groups {
		for _, bad := range badValues(row.id) {
			f.Add(uint16(row.id), bad)
		}
		if pair, err := NewKeyExchange(row.id, rand.Reader); err == nil {
			f.Add(uint16(row.id), pair.Public())
		}
	}
	pairs := map[Group]KeyExchange{}
	for _, row := range groups {
		pairs[row.id] = keyPair(f, row.id, append([]byte{0}, bytes.Repeat([]byte{9}, secretLen(row.id)-1)...))
	}
	f.Fuzz(func(t *testing.T, id uint16, peer []byte) {
		pair := pairs[Group(id)]
		if pair == nil {
			pair = pairs[groups[int(id)%len(groups)].id]
		}
		z, err := pair.Shared(peer)
		if err != nil {
			if !errors.Is(err, ErrPeerValue) || z != nil {
				t.Fatalf("secret %d bytes, error %v", len(z), err)
			}
			return
		}
		if len(z) == 0 || len(peer) != len(pair.Public()) || bytes.Equal(z, make([]byte, len(z))) {
			t.Fatalf("%s gave a secret of %d bytes", hex.EncodeToString(peer), len(z))
		}
	})
}

func secretLen(g Group) int {
	switch method := g.row().method.(type) {
	case *modp:
		return method.secret
	case *ecp:
		return method.size
	}
	return 32
}
