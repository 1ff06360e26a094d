package suite

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/goipsec/goipsec/pkg/testdata"
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

// badValues are the peer's values that row P5 names, for each group.
func badValues(g Group) map[string][]byte {
	n := g.PublicLen()
	bad := map[string][]byte{
		"empty": {}, "one byte": {2}, "short": bytes.Repeat([]byte{2}, n-1), "long": bytes.Repeat([]byte{2}, n+1),
		"zero": make([]byte, n), "all ones": bytes.Repeat([]byte{0xff}, n),
	}
	add := func(name string, v *big.Int) { bad[name] = v.FillBytes(make([]byte, n)) }
	switch {
	case g == Curve25519:
		delete(bad, "all ones") // 2^256-1 is read modulo 2^255-19: an ordinary point
		for i, digits := range lowOrder {
			bad["low order "+digits] = unhex(lowOrder[i])
		}
	case g >= ECP256 && g <= ECP521:
		pair, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			panic(err)
		}
		off := bytes.Clone(pair.Public())
		off[len(off)-1] ^= 1
		bad["not on the curve"] = off
		bad["with prefix"] = append([]byte{4}, pair.Public()...)
		bad["compressed"] = append([]byte{2}, pair.Public()[:n/2]...)
		bad["infinity as SEC 1 writes it"] = []byte{0}
		bad["prefix inside"] = append([]byte{4}, pair.Public()[:n-1]...)
	default:
		p := new(big.Int).SetBytes(modpOf(g).p)
		add("1", big.NewInt(1))
		add("p-1", new(big.Int).Sub(p, big.NewInt(1)))
		add("p", p)
		add("p+1", new(big.Int).Add(p, big.NewInt(1)))
	}
	return bad
}

// lowOrder are the points of Curve25519 whose order divides 8, and other writings of them (RFC 7748 §6.1, §7).
var lowOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// TestP5PublicValues is row P5 of the security requirements (CVE-2015-3240, RFC 6989): a peer's value that is 0, 1, p-1, p or more, of
// the wrong length, not on the curve, or of small order is refused before it is used.
func TestP5PublicValues(t *testing.T) {
	for _, g := range Groups() {
		pair, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range badValues(g) {
			z, err := pair.Shared(value)
			if !errors.Is(err, ErrPeerValue) || z != nil {
				t.Errorf("%v: %s: secret %d bytes, error %v", g, name, len(z), err)
			}
		}
	}
	// The neighbours of what is refused are good.
	for _, m := range modps[:3] {
		p := new(big.Int).SetBytes(modpOf(m.group).p)
		pair := keyPair(t, m.group, bytes.Repeat([]byte{3}, 32))
		for _, v := range []*big.Int{big.NewInt(2), new(big.Int).Sub(p, big.NewInt(2))} {
			if _, err := pair.Shared(v.FillBytes(make([]byte, len(modpOf(m.group).p)))); err != nil {
				t.Errorf("%v: a good value is refused: %v", m.group, err)
			}
		}
	}
}

// TestP5HostileKE takes the KE payloads of the hostile IKE messages: each is refused by its group, or its group is not known
// (P4, CVE-2014-9221: a number of the wire never indexes a table).
func TestP5HostileKE(t *testing.T) {
	file, err := os.Open(testdata.Dir(t, "hostile", "ike_unauthenticated.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var v struct {
			ID      string
			Payload hexBytes `json:"udp_payload"`
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			continue // not every line's payload is hexadecimal
		}
		if !strings.HasPrefix(v.ID, "ke/") {
			continue
		}
		group, value, ok := keyExchangePayload(v.Payload)
		if !ok {
			t.Fatalf("%s: no KE payload found", v.ID)
		}
		seen++
		pair, err := NewKeyExchange(group, rand.Reader)
		if strings.HasPrefix(v.ID, "ke/group-") {
			if err == nil {
				t.Errorf("%s: made a key in %v", v.ID, group)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pair.Shared(value); !errors.Is(err, ErrPeerValue) {
			t.Errorf("%s: %v", v.ID, err)
		}
	}
	if seen < 50 {
		t.Errorf("only %d KE payloads were seen", seen)
	}
}

// keyExchangePayload finds the KE payload (34) of an IKEv2 message.
func keyExchangePayload(msg []byte) (Group, []byte, bool) {
	if len(msg) < 28 {
		return 0, nil, false
	}
	for next, rest := msg[16], msg[28:]; len(rest) >= 4; {
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if n < 4 || n > len(rest) {
			break
		}
		if next == 34 && n >= 8 {
			return Group(binary.BigEndian.Uint16(rest[4:])), rest[8:n], true
		}
		next, rest = rest[0], rest[n:]
	}
	return 0, nil, false
}

// TestP4UnknownGroups makes no key in any group that is not listed.
func TestP4UnknownGroups(t *testing.T) {
	known := map[Group]bool{}
	for _, row := range groups {
		known[row.id] = true
	}
	for n := range 1 << 16 {
		g := Group(n)
		if known[g] {
			continue
		}
		if _, err := NewKeyExchange(g, rand.Reader); err == nil {
			t.Fatalf("made a key in group %d", n)
		}
		if _, _, ok := g.Info(); ok || g.PublicLen() != 0 {
			t.Fatalf("group %d is described", n)
		}
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
