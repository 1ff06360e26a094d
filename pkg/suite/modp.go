package suite

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"filippo.io/bigmod"
)

// modp is a group of integers modulo a safe prime p = 2q+1 with generator 2.
type modp struct {
	p       []byte // big-endian, as long as the public values
	secret  int    // bytes of a private exponent
	modulus func() *bigmod.Modulus
}

// The private exponents are at least as long as the larger estimate of RFC 3526 §8: a discrete logarithm among the short exponents
// is then no easier than one in the group.
var (
	modp768  = newMODP(prime768, 32)
	modp1024 = newMODP(prime1024, 32)
	modp1536 = newMODP(prime1536, 32)
	modp2048 = newMODP(prime2048, 40)
	modp3072 = newMODP(prime3072, 56)
	modp4096 = newMODP(prime4096, 64)
)

func newMODP(prime string, secret int) *modp {
	p, err := hex.DecodeString(prime)
	if err != nil {
		panic(err)
	}
	return &modp{p: p, secret: secret, modulus: sync.OnceValue(func() *bigmod.Modulus {
		m, err := bigmod.NewModulus(p)
		if err != nil {
			panic(err)
		}
		return m
	})}
}

func (g *modp) publicLen() int { return len(g.p) }

func (g *modp) generate(rand io.Reader) (KeyExchange, error) {
	x := make([]byte, g.secret)
	if err := readRandom(rand, x); err != nil {
		return nil, err
	}
	return g.keyPair(x)
}

// keyPair makes the key pair of the private exponent x, big-endian.
func (g *modp) keyPair(x []byte) (KeyExchange, error) {
	two := make([]byte, len(g.p))
	two[len(two)-1] = 2
	public, err := g.power(two, x)
	if err != nil {
		return nil, err
	}
	// An exponent of 0 shows itself here as the public value 1.
	if g.check(public) != nil {
		return nil, errors.New("no Diffie-Hellman key: the source of randomness gave zeros")
	}
	return &modpPair{group: g, secret: x, public: public}, nil
}

// power returns base^x mod p, as long as p. It takes the same time for every base and every x of one length.
func (g *modp) power(base, x []byte) ([]byte, error) {
	m := g.modulus()
	b, err := bigmod.NewNat().SetBytes(base, m)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not below the group's prime", ErrPeerValue)
	}
	return bigmod.NewNat().Exp(b, x, m).Bytes(m), nil
}

// check refuses 0, 1, p-1, p and everything above p (RFC 6989 §2.1). p is a safe prime: what is left has order q or 2q.
func (g *modp) check(y []byte) error {
	if err := checkLen(y, len(g.p)); err != nil {
		return err
	}
	var head byte
	for _, b := range y[:len(y)-1] {
		head |= b
	}
	if head == 0 && y[len(y)-1] <= 1 {
		return fmt.Errorf("%w: it is 0 or 1 (RFC 6989 §2.1)", ErrPeerValue)
	}
	// y >= p-1: p is odd, so that p-1 differs from p in the last byte only.
	for i := range y {
		limit := g.p[i]
		if i == len(y)-1 {
			limit--
		}
		if y[i] < limit {
			return nil
		}
		if y[i] > limit {
			break
		}
	}
	return fmt.Errorf("%w: it is not below the group's prime less one (RFC 6989 §2.1)", ErrPeerValue)
}

// modpPair is a key pair in a MODP group.
type modpPair struct {
	group          *modp
	secret, public []byte
}

func (k *modpPair) Public() []byte { return k.public }

// Shared returns peer^secret mod p, padded with zeros on the left to the length of p, as it goes into the PRFs of RFC 2409 §5 (and as
// RFC 7296 §2.14 says it in words). The secret cannot be 1: the order of peer is a multiple of q, and the exponent is shorter than q.
func (k *modpPair) Shared(peer []byte) ([]byte, error) {
	if err := k.group.check(peer); err != nil {
		return nil, err
	}
	return k.group.power(peer, k.secret)
}
