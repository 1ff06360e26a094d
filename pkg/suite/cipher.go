package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"fmt"
)

// Cipher is an ESP cipher without integrity: CBC, CTR, NULL. In-place use (dst == src) is allowed; buffers that overlap otherwise
// are not. A Cipher is not safe for concurrent use.
type Cipher interface {
	// Encrypt and Decrypt work on whole blocks. iv is as long as the packet's explicit IV. No allocation for CBC and NULL.
	// They panic where the caller broke these rules: a packet's length is to be checked before.
	Encrypt(dst, src, iv []byte)
	Decrypt(dst, src, iv []byte)
}

// NewCipher makes a Cipher from keymat, the key followed by the salt (CTR: the 4-byte nonce of RFC 3686). AES-CBC is ours where [UseVectors]
// allows it and the processor can; everything else is of Go's libraries.
// It refuses the weak keys of DES and 3DES with ErrWeakKey.
func NewCipher(e Encr, keymat []byte) (Cipher, error) { return checkedCipher(e, keymat, bothWays) }

// NewEncrypter is NewCipher for a Cipher that only encrypts, in half the memory. Its Decrypt panics for CBC.
func NewEncrypter(e Encr, keymat []byte) (Cipher, error) { return checkedCipher(e, keymat, encrypts) }

// NewDecrypter is NewCipher for a Cipher that only decrypts, in half the memory. Its Encrypt panics for CBC.
func NewDecrypter(e Encr, keymat []byte) (Cipher, error) { return checkedCipher(e, keymat, decrypts) }

// ways are the directions that a cipher is for.
type ways uint8

const (
	encrypts ways = 1 << iota
	decrypts
	bothWays = encrypts | decrypts
)

func checkedCipher(e Encr, keymat []byte, w ways) (Cipher, error) {
	if err := works(e); err != nil {
		return nil, err
	}
	c, err := newCipher(e, keymat, w)
	if err != nil {
		return nil, err
	}
	if err := checkWeak(e, keymat); err != nil {
		return nil, fmt.Errorf("%v: %w: take another", e, err)
	}
	return c, nil
}

func newCipher(e Encr, keymat []byte, w ways) (Cipher, error) {
	info := e.info()
	if info.Name == "" || info.Combined {
		return nil, fmt.Errorf("%v is not a cipher without integrity", e)
	}
	if err := e.checkKey(len(keymat) - info.SaltLen); err != nil {
		return nil, err
	}
	if VectorsInUse(e) {
		return newVectorCipher(e, keymat, w)
	}
	return newScalarCipher(e, keymat, w)
}

// newScalarCipher makes what is based on Go's libraries.
func newScalarCipher(e Encr, keymat []byte, w ways) (Cipher, error) {
	if e == Null {
		return null{}, nil
	}
	n := len(keymat) - e.info().SaltLen
	block, err := newBlock(e, keymat[:n])
	if err != nil {
		return nil, err
	}
	if e == AESCTR {
		return newCTR(block, keymat[n:]), nil
	}
	return newCBC(block, w), nil
}

func newBlock(e Encr, key []byte) (cipher.Block, error) {
	switch e {
	case DES:
		return des.NewCipher(key)
	case TripleDES:
		return des.NewTripleDESCipher(key)
	}
	return aes.NewCipher(key)
}

// cbc keeps one mode a direction, nil for one that it is not for, and changes its IV: making one anew would allocate for each packet.
type cbc struct{ encrypt, decrypt ivSetter }

// ivSetter is what the standard library's CBC modes are besides cipher.BlockMode.
type ivSetter interface {
	cipher.BlockMode
	SetIV([]byte)
}

func newCBC(block cipher.Block, w ways) Cipher {
	c, iv := new(cbc), make([]byte, block.BlockSize())
	if w&encrypts != 0 {
		c.encrypt = cipher.NewCBCEncrypter(block, iv).(ivSetter)
	}
	if w&decrypts != 0 {
		c.decrypt = cipher.NewCBCDecrypter(block, iv).(ivSetter)
	}
	return c
}

func (c *cbc) Encrypt(dst, src, iv []byte) {
	c.encrypt.SetIV(iv)
	c.encrypt.CryptBlocks(dst, src)
}

func (c *cbc) Decrypt(dst, src, iv []byte) {
	c.decrypt.SetIV(iv)
	c.decrypt.CryptBlocks(dst, src)
}

// ctr is AES in counter mode: the counter block is the nonce of 4 bytes, the IV of 8 and a block counter that starts at 1 (RFC 3686 §4).
type ctr struct {
	block   cipher.Block
	counter [aes.BlockSize]byte
}

func newCTR(block cipher.Block, nonce []byte) Cipher {
	c := &ctr{block: block}
	copy(c.counter[:4], nonce)
	c.counter[aes.BlockSize-1] = 1
	return c
}

func (c *ctr) Encrypt(dst, src, iv []byte) {
	if len(iv) != 8 {
		panic("suite: AES-CTR takes an IV of 8 bytes")
	}
	copy(c.counter[4:12], iv)
	cipher.NewCTR(c.block, c.counter[:]).XORKeyStream(dst, src)
}

func (c *ctr) Decrypt(dst, src, iv []byte) { c.Encrypt(dst, src, iv) }

// null is ESP's NULL encryption (RFC 2410).
type null struct{}

func (null) Encrypt(dst, src, _ []byte) { copy(dst, src) }
func (null) Decrypt(dst, src, _ []byte) { copy(dst, src) }
