package suite

import (
	"crypto/cipher"
	"hash"
	"io"
)

// EncrInfo describes one encryption algorithm. Sizes are in bytes, key sizes in bits.
type EncrInfo struct {
	Name      string // as users write it, for example "aes-gcm-16"
	KeyBits   []int  // allowed key sizes; the first is the default; empty for NULL
	FixedKey  bool   // the size is implied: no key length attribute on the wire (DES, 3DES, ChaCha20, NULL)
	SaltLen   int    // bytes of salt at the end of the keying material
	IVLen     int    // explicit IV in the packet
	BlockSize int    // the payload with padding is a multiple of it; 1 for stream modes
	ICVLen    int    // combined modes only, else 0
	Combined  bool   // encrypts and authenticates: no separate Integ
	Counter   bool   // a repeated IV under one key is fatal: refused with manual keys
	Weak      string // why it is weak, or ""
}

// IntegInfo describes one integrity algorithm. Sizes are in bytes.
type IntegInfo struct {
	Name    string
	KeyLen  int
	SaltLen int // GMAC
	IVLen   int // GMAC in AH carries its IV before the ICV
	ICVLen  int
	Counter bool
	Weak    string
}

// Info returns the algorithm's description; ok is false for one that is not known or that failed its self-test.
func (e Encr) Info() (info EncrInfo, ok bool)   { panic("being written") }
func (i Integ) Info() (info IntegInfo, ok bool) { panic("being written") }

// KeyMatLen returns the bytes of keying material (key and salt) for a key of so many bits.
func (e Encr) KeyMatLen(bits int) int { panic("being written") }

// KeyMatLen returns the bytes of keying material (key and salt).
func (i Integ) KeyMatLen() int { panic("being written") }

// NewAEAD makes a combined-mode cipher from key (without the salt). Its nonce is salt and explicit IV together.
// NullGMAC is included: everything is additional data. GCM-8, CCM are ours; the rest the standard library's.
func NewAEAD(e Encr, key []byte) (cipher.AEAD, error) { panic("being written") }

// Cipher is an ESP cipher without integrity: CBC, CTR, NULL. In-place use (dst == src) is allowed.
type Cipher interface {
	// Encrypt and Decrypt work on whole blocks. iv is as long as the packet's explicit IV. No allocation for CBC and NULL.
	Encrypt(dst, src, iv []byte)
	Decrypt(dst, src, iv []byte)
}

// NewCipher makes a Cipher from keymat, the key followed by the salt (CTR: the 4-byte nonce of RFC 3686).
func NewCipher(e Encr, keymat []byte) (Cipher, error) { panic("being written") }

// NewMAC makes a keyed MAC whose Sum appends the truncated ICV (Size is the ICV's length). Reset keeps the key.
// It is not for GMAC, which needs an IV: see NewAEAD(NullGMAC).
func NewMAC(i Integ, key []byte) (hash.Hash, error) { panic("being written") }

// New returns the hash function of an IKEv1 hash; PRF returns its HMAC under key.
func (h Hash) New() hash.Hash                      { panic("being written") }
func (h Hash) PRF(key []byte) hash.Hash            { panic("being written") }
func (h Hash) Size() int                           { panic("being written") }
func (h Hash) Info() (name, weak string, ok bool)  { panic("being written") }
func (g Group) Info() (name, weak string, ok bool) { panic("being written") }

// PublicLen is the length in bytes of the group's public values on the wire.
func (g Group) PublicLen() int { panic("being written") }

// KeyExchange is one side of a Diffie-Hellman exchange.
type KeyExchange interface {
	// Public returns the value for the KE payload.
	Public() []byte
	// Shared checks the peer's public value (length first, then RFC 6989) and returns the shared secret
	// in the form that the IKE KDF uses (ECP: x only, RFC 5903; MODP: padded to the group's length).
	Shared(peer []byte) ([]byte, error)
}

// NewKeyExchange makes a fresh key pair in group g.
func NewKeyExchange(g Group, rand io.Reader) (KeyExchange, error) { panic("being written") }

// ParseEncr and the like turn what users write into algorithms ("aes-gcm-16", "aes128gcm16", "3des", "sha256", "modp2048", "group14").
func ParseEncr(s string) (Encr, int, error) { panic("being written") } // the int is key bits, 0 if not given
func ParseInteg(s string) (Integ, error)    { panic("being written") }
func ParseHash(s string) (Hash, error)      { panic("being written") }
func ParseGroup(s string) (Group, error)    { panic("being written") }

// SelfTest runs a known-answer test of every algorithm and disables those that fail (Info then says ok=false).
// It returns the names that failed with the reason.
func SelfTest() []error { panic("being written") }
