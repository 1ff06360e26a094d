package suite

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"sync/atomic"

	"github.com/goipsec/goipsec/pkg/suite/internal/chachavec"
	"github.com/goipsec/goipsec/pkg/suite/internal/gcmvec"
)

// implementation is a second way to do an algorithm, which has a self-test of its own: if it fails, the first way is gone.
type implementation string

func (i implementation) String() string { return string(i) }

// The second ways, and what they do: see inVectors.
const (
	vectorGCM    implementation = "AES-GCM on vectors of 512 bits"
	vectorChaCha implementation = "ChaCha20-Poly1305 on vectors of 512 bits"
)

// available says whether the processor and its operating system have what it takes.
func (i implementation) available() bool {
	switch i {
	case vectorGCM:
		return gcmvec.Available()
	case vectorChaCha:
		return chachavec.Available()
	}
	return false
}

// inVectors says how e can be done on vectors, or "".
func inVectors(e Encr) implementation {
	switch e {
	case AESGCM16, AESGCM12, NullGMAC:
		return vectorGCM
	case ChaCha20Poly1305:
		return vectorChaCha
	}
	return ""
}

// scalarOnly is what UseVectors was told, turned round.
var scalarOnly atomic.Bool

// UseVectors says whether AES-GCM, AES-GMAC and ChaCha20-Poly1305 are to be done on vectors of 512 bits where the processor has what it takes,
// as they are unless told otherwise, or always by Go's libraries. It holds for what NewAEAD makes from then on. It is for tests and comparisons.
func UseVectors(use bool) { scalarOnly.Store(!use) }

// VectorsInUse says whether NewAEAD does e on vectors: there is code for it, the processor can, the self-test did not find it wrong, and
// UseVectors was not told otherwise.
func VectorsInUse(e Encr) bool {
	i := inVectors(e)
	return i.available() && !scalarOnly.Load() && works(i) == nil
}

// newVectorAEAD makes what inVectors lists, whether or not it is in use.
func newVectorAEAD(e Encr, key []byte) (cipher.AEAD, error) {
	if e == ChaCha20Poly1305 {
		return chachavec.New(key)
	}
	return gcmvec.New(key, e.info().ICVLen)
}

// compared is what the self-test compares: what is not here is made of the same code.
var compared = []Encr{AESGCM16, ChaCha20Poly1305}

// compareVectors seals and opens with vectors, and without, texts and additional data that take every way through them, and counters of two bytes: the known
// answers are short. What is sealed lies in place, as ESP has it.
func compareVectors(e Encr, constructor newAEADFunc) error {
	text, nonce := make([]byte, 19000), []byte("twelve bytes")
	for i := range text {
		text[i] = byte(i*i>>3 + i) // nothing in it repeats at the length of a vector
	}
	for _, bits := range e.info().KeyBits {
		scalar, err := newScalarAEAD(e, text[:bits/8])
		if err != nil {
			return err
		}
		vector, err := constructor(e, text[:bits/8])
		if err != nil {
			return err
		}
		for _, n := range []int{0, 40, 112, 176, 210, 240, 241, 400, 420, 480, 540, 900, 1000, 1420, 1500, 2272, 9000, 17000} {
			for _, more := range []int{8 + n/16, 600, 1400} {
				if err := compareOne(scalar, vector, nonce, text[:n], text[n:n+more]); err != nil {
					return fmt.Errorf("%d bytes, %d of additional data, a key of %d bits: %w", n, more, bits, err)
				}
			}
		}
	}
	return nil
}

func compareOne(scalar, vector cipher.AEAD, nonce, plain, additional []byte) error {
	want := scalar.Seal(nil, nonce, plain, additional)
	buf := append(make([]byte, 0, len(want)), plain...)
	if got := vector.Seal(buf[:0], nonce, buf, additional); !bytes.Equal(got, want) {
		return fmt.Errorf("seal: %w", errAnswer)
	}
	buf = buf[:len(want)]
	if got, err := vector.Open(buf[:0], nonce, buf, additional); err != nil || !bytes.Equal(got, plain) {
		return fmt.Errorf("open: %w", errAnswer)
	}
	copy(buf, want)
	buf[len(plain)/2] ^= 1
	if _, err := vector.Open(buf[:0], nonce, buf, additional); err == nil {
		return fmt.Errorf("open with a changed bit: %w", errAnswer)
	}
	for _, b := range buf[:len(plain)] {
		if b != 0 {
			return fmt.Errorf("what a forged packet decrypts to is left behind: %w", errAnswer)
		}
	}
	return nil
}
