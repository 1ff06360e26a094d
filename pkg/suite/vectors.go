package suite

import (
	"crypto/cipher"
	"sync/atomic"

	"github.com/goipsec/goipsec/pkg/suite/internal/cbcvec"
	"github.com/goipsec/goipsec/pkg/suite/internal/chachavec"
	"github.com/goipsec/goipsec/pkg/suite/internal/gcmvec"
)

// implementation is a second way to do an algorithm, which has a self-test of its own: if it fails, the first way is gone.
type implementation string

func (i implementation) String() string { return string(i) }

// The second ways, and what they do: see inVectors.
const (
	vectorGCM    implementation = "AES-GCM on vectors of 512 bits"
	vectorCBC    implementation = "AES-CBC on vectors of 512 bits"
	vectorChaCha implementation = "ChaCha20-Poly1305 on vectors of 512 bits"
)

// available says whether the processor and its operating system have what it takes.
func (i implementation) available() bool {
	switch i {
	case vectorGCM:
		return gcmvec.Available()
	case vectorCBC:
		return cbcvec.Available()
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
	case AESCBC:
		return vectorCBC
	case ChaCha20Poly1305:
		return vectorChaCha
	}
	return ""
}

// scalarOnly is what UseVectors was told, turned round.
var scalarOnly atomic.Bool

// UseVectors says whether AES-GCM, AES-GMAC, AES-CBC and ChaCha20-Poly1305 are to be done on vectors of 512 bits where the processor has what it
// takes, as they are unless told otherwise, or always by Go's libraries. It holds for what NewAEAD and NewCipher make from then on. It is for
// tests and comparisons.
func UseVectors(use bool) { scalarOnly.Store(!use) }

// VectorsInUse says whether NewAEAD or NewCipher does e on vectors: there is code for it, the processor can, the self-test did not find it wrong, and
// UseVectors was not told otherwise.
func VectorsInUse(e Encr) bool {
	i := inVectors(e)
	return i.available() && !scalarOnly.Load() && works(i) == nil
}

// newVectorAEAD makes the AEADs that inVectors lists, whether or not they are in use.
func newVectorAEAD(e Encr, key []byte) (cipher.AEAD, error) {
	if e == ChaCha20Poly1305 {
		return chachavec.New(key)
	}
	return gcmvec.New(key, e.info().ICVLen)
}

// newVectorCipher makes AES-CBC, whether or not it is in use.
func newVectorCipher(_ Encr, key []byte, w ways) (Cipher, error) {
	c, err := new(cbcOnVectors), error(nil)
	if w&encrypts != 0 {
		if c.encrypt, err = cbcvec.NewEncrypter(key); err != nil {
			return nil, err
		}
	}
	if w&decrypts != 0 {
		if c.decrypt, err = cbcvec.NewDecrypter(key); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// cbcOnVectors has nil for a direction that it is not for.
type cbcOnVectors struct {
	encrypt *cbcvec.Encrypter
	decrypt *cbcvec.Decrypter
}

const panicWay = "suite: this cipher is for the other direction"

func (c *cbcOnVectors) Encrypt(dst, src, iv []byte) {
	if c.encrypt == nil {
		panic(panicWay)
	}
	c.encrypt.Encrypt(dst, src, iv)
}

func (c *cbcOnVectors) Decrypt(dst, src, iv []byte) {
	if c.decrypt == nil {
		panic(panicWay)
	}
	c.decrypt.Decrypt(dst, src, iv)
}
