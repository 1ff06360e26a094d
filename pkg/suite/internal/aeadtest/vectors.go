package aeadtest

import (
	"bytes"
	"crypto/cipher"
	"encoding/json"
	"os"
	"testing"

	"github.com/goipsec/goipsec/pkg/testdata"
)

// Vector is a test of Project Wycheproof, in hexadecimal digits.
type Vector struct {
	ID                                  int `json:"tcId"`
	Comment, Key, IV, AAD, Msg, CT, Tag string
	Result                              string
}

// Wycheproof hands each test of a file of Project Wycheproof over; those of AEADs with nonces that are not 12 bytes long, or tags that are not of 16, are left
// out, and said so.
func Wycheproof(t *testing.T, name string, each func(v *Vector)) {
	t.Helper()
	data, err := os.ReadFile(testdata.Dir(t, "vectors", "public", "wycheproof", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		NumberOfTests int
		TestGroups    []struct {
			IVSize, TagSize int
			Tests           []Vector
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	used, left := 0, 0
	for _, group := range file.TestGroups {
		if aead := group.TagSize != 0; aead && (group.IVSize != 96 || group.TagSize != 128) {
			left += len(group.Tests)
			continue
		}
		for i := range group.Tests {
			used++
			each(&group.Tests[i])
		}
	}
	if used+left != file.NumberOfTests || used == 0 {
		t.Errorf("read %d and %d tests of %d", used, left, file.NumberOfTests)
	}
	t.Logf("%d used, %d left: nonces that are not 12 bytes long", used, left)
}

// Known checks one vector: what is valid is sealed and opened, and what is not is refused.
func Known(t *testing.T, name string, aead cipher.AEAD, nonce, additional, text, sealed string, valid bool) {
	t.Helper()
	if valid {
		Check(t, name, aead, Unhex(nonce), Unhex(additional), Unhex(text), Unhex(sealed))
	} else if _, err := aead.Open(nil, Unhex(nonce), Unhex(sealed), Unhex(additional)); err == nil {
		t.Errorf("%s was opened", name)
	}
}

// MonteCarlo is a record of the Monte Carlo test of the AES Algorithm Validation Suite §6.4.2 for CBC: a thousand operations on one block, of which one's output is the input of
// the next but one's. It returns the last output, and changes neither iv nor in.
func MonteCarlo(crypt func(dst, src, iv []byte), decrypting bool, iv, in []byte) []byte {
	last, out := bytes.Clone(iv), make([]byte, len(in))
	iv = bytes.Clone(iv)
	for range 1000 {
		crypt(out, in, iv)
		if decrypting {
			copy(iv, in) // the chain goes on with the last ciphertext
		} else {
			copy(iv, out)
		}
		in, last = last, bytes.Clone(out)
	}
	return out
}
