package suite

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// NewMAC makes a keyed MAC whose Sum appends the truncated ICV (Size is the ICV's length). Reset keeps the key.
// A MAC is not safe for concurrent use; Write, Sum and Reset allocate nothing, but for Sum's growing of its argument: its capacity behind the
// ICV is used for the rest of the value, up to 64 bytes in all.
// It is not for GMAC, which needs an IV: see NewAEAD(NullGMAC).
//
// Deviation: RFC 2403, 2404 and 4868 want HMAC keys as long as the hash and no others. Negotiated keys are (KeyMatLen), but other
// implementations take manual keys of any length, and so does NewMAC for HMAC; only an empty key is refused.
func NewMAC(i Integ, key []byte) (hash.Hash, error) {
	if err := works(i); err != nil {
		return nil, err
	}
	return newMAC(i, key)
}

func newMAC(i Integ, key []byte) (hash.Hash, error) {
	info := i.info()
	if info.Name == "" || i.IsGMAC() {
		return nil, fmt.Errorf("%v is not a MAC of keys alone", i)
	}
	hmacKey := i != AESXCBC96 && i != AESCMAC96
	if len(key) == 0 || !hmacKey && len(key) != info.KeyLen {
		return nil, fmt.Errorf("%v takes a key of %d bytes, not of %d bytes", i, info.KeyLen, len(key))
	}
	mac := &truncated{size: info.ICVLen}
	switch i {
	case HMACMD5_96:
		mac.Hash = hmac.New(md5.New, key)
	case HMACSHA1_96:
		mac.Hash = hmac.New(sha1.New, key)
	case HMACSHA256_128:
		mac.Hash = hmac.New(sha256.New, key)
	case HMACSHA384_192:
		mac.Hash = hmac.New(sha512.New384, key)
	case HMACSHA512_256:
		mac.Hash = hmac.New(sha512.New, key)
	case AESXCBC96, AESCMAC96:
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		if i == AESXCBC96 {
			mac.Hash, err = newXCBC(block)
		} else {
			mac.Hash, err = newCMAC(block), nil
		}
		if err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%v has no code", i)
	}
	mac.Reset() // the first Reset of an HMAC allocates what later ones use again
	return mac, nil
}

// truncated is a MAC of which only the first bytes are used: the ICV.
type truncated struct {
	hash.Hash
	size int
}

func (t *truncated) Size() int { return t.size }

func (t *truncated) Sum(b []byte) []byte { return t.Hash.Sum(b)[:len(b)+t.size] }
