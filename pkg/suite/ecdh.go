package suite

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"
)

// ecp is a NIST curve as RFC 5903 uses it: public values are x and y without a prefix, the secret is x.
type ecp struct {
	curve ecdh.Curve
	size  int  // bytes of a coordinate and of a private scalar
	top   byte // mask of a scalar's first byte: the order of P-521 has one bit there
}

var (
	ecp256 = &ecp{ecdh.P256(), 32, 0xff}
	ecp384 = &ecp{ecdh.P384(), 48, 0xff}
	ecp521 = &ecp{ecdh.P521(), 66, 0x01}
)

func (g *ecp) publicLen() int { return 2 * g.size }

// generate draws scalars until one lies between 1 and the order (FIPS 186-5 A.2.2). The standard library's own GenerateKey would not
// read rand. A first draw fails with a probability below 2^-32; a source that fails so often is broken.
func (g *ecp) generate(rand io.Reader) (KeyExchange, error) {
	for range 16 {
		scalar := make([]byte, g.size)
		if err := readRandom(rand, scalar); err != nil {
			return nil, err
		}
		scalar[0] &= g.top
		if pair, err := g.keyPair(scalar); err == nil {
			return pair, nil
		}
	}
	return nil, errors.New("no Diffie-Hellman key: the source of randomness gave no usable number in 16 draws")
}

func (g *ecp) keyPair(scalar []byte) (KeyExchange, error) {
	key, err := g.curve.NewPrivateKey(scalar)
	if err != nil {
		return nil, err
	}
	return &ecpPair{group: g, key: key, public: key.PublicKey().Bytes()[1:]}, nil
}

// ecpPair is a key pair on a NIST curve.
type ecpPair struct {
	group  *ecp
	key    *ecdh.PrivateKey
	public []byte
}

func (k *ecpPair) Public() []byte { return k.public }

// Shared returns the x coordinate only: RFC 5903 §9 corrected RFC 4753, which had x and y.
func (k *ecpPair) Shared(peer []byte) ([]byte, error) {
	if err := checkLen(peer, k.group.publicLen()); err != nil {
		return nil, err
	}
	point, err := k.group.curve.NewPublicKey(append([]byte{4}, peer...)) // the prefix of an uncompressed point
	if err != nil {
		return nil, fmt.Errorf("%w: it is no point of the curve (RFC 6989 §2.3)", ErrPeerValue)
	}
	z, err := k.key.ECDH(point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeerValue, err)
	}
	return z, nil
}

// x25519 is the group of RFC 8031 and RFC 7748.
type x25519 struct{}

func (x25519) publicLen() int { return 32 }

func (g x25519) generate(rand io.Reader) (KeyExchange, error) {
	scalar := make([]byte, 32)
	if err := readRandom(rand, scalar); err != nil {
		return nil, err
	}
	return g.keyPair(scalar)
}

func (x25519) keyPair(scalar []byte) (KeyExchange, error) {
	key, err := ecdh.X25519().NewPrivateKey(scalar)
	if err != nil {
		return nil, err
	}
	return &x25519Pair{key}, nil
}

// x25519Pair is a key pair on Curve25519.
type x25519Pair struct{ key *ecdh.PrivateKey }

func (k *x25519Pair) Public() []byte { return k.key.PublicKey().Bytes() }

// Shared refuses points of small order, which make the secret zero (RFC 8031 §5, RFC 7748 §6.1).
func (k *x25519Pair) Shared(peer []byte) ([]byte, error) {
	if err := checkLen(peer, 32); err != nil {
		return nil, err
	}
	point, err := ecdh.X25519().NewPublicKey(peer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeerValue, err)
	}
	z, err := k.key.ECDH(point)
	if err != nil {
		return nil, fmt.Errorf("%w: it is a point of small order (RFC 8031 §5)", ErrPeerValue)
	}
	return z, nil
}
