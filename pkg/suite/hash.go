package suite

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// hashRow describes one hash.
type hashRow struct {
	id         Hash
	name, weak string
	size       int
	make       func() hash.Hash
}

const weakSHA1 = "SHA-1 is broken where collisions matter; no attack on its HMAC is known, but there is no reason left to choose it"

// hashes is the list of IKEv1 hashes, the best first.
var hashes = []hashRow{
	{SHA256, "sha256", "", sha256.Size, sha256.New},
	{SHA384, "sha384", "", sha512.Size384, sha512.New384},
	{SHA512, "sha512", "", sha512.Size, sha512.New},
	{SHA1, "sha1", weakSHA1, sha1.Size, sha1.New},
	{MD5, "md5", "MD5 is broken, and its HMAC has lost its margin", md5.Size, md5.New},
}

// Hashes lists the hashes that work here, the best first.
func Hashes() []Hash {
	var list []Hash
	for _, row := range hashes {
		if works(row.id) == nil {
			list = append(list, row.id)
		}
	}
	return list
}

// row returns the hash's description, with no name for one that is not known.
func (h Hash) row() hashRow {
	for i := range hashes {
		if hashes[i].id == h {
			return hashes[i]
		}
	}
	return hashRow{}
}

// New returns the hash function, or nil for a hash that is not known.
func (h Hash) New() hash.Hash {
	if row := h.row(); row.make != nil {
		return row.make()
	}
	return nil
}

// PRF returns the HMAC of the hash under key (RFC 2409 §4), or nil for a hash that is not known. The key may have any length.
// Reset keeps the key. For a hash that failed its self-test there is one all the same: ask Info.
func (h Hash) PRF(key []byte) hash.Hash {
	if row := h.row(); row.make != nil {
		return hmac.New(row.make, key)
	}
	return nil
}

// Size returns the bytes of a hash value and of the PRF's output, 0 for a hash that is not known.
func (h Hash) Size() int { return h.row().size }

// Info returns the hash's name and why it is weak; ok is false for one that is not known or that failed its self-test.
func (h Hash) Info() (name, weak string, ok bool) {
	row := h.row()
	return row.name, row.weak, row.name != "" && works(h) == nil
}

// String returns the name that ParseHash reads.
func (h Hash) String() string {
	if row := h.row(); row.name != "" {
		return row.name
	}
	return fmt.Sprintf("hash %d", uint16(h))
}
