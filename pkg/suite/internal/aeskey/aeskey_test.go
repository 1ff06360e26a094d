package aeskey

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func available(t *testing.T) {
	t.Helper()
	if !Available() {
		t.Skip("this processor, or its operating system, has no instructions for AES: there is nothing to test")
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFIPS197AppendixA compares the last round key of each expansion that FIPS 197 writes out: it depends on all that are before it.
func TestFIPS197AppendixA(t *testing.T) {
	available(t)
	for _, v := range []struct{ section, key, last string }{
		{"A.1", "2b7e151628aed2a6abf7158809cf4f3c", "d014f9a8c9ee2589e13f0cc8b6630ca6"},
		{"A.2", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "e98ba06f448c773c8ecc720401002202"},
		{"A.3", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "fe4890d1e6188d0b046df344706c631e"},
	} {
		key := unhex(t, v.key)
		round := make([]byte, blockSize*(7+len(key)/4))
		Expand(round, key)
		if !bytes.HasPrefix(round, key) || !bytes.HasSuffix(round, unhex(t, v.last)) {
			t.Errorf("section %s: %x", v.section, round)
		}
	}
}

// TestFIPS197EquivalentInverse compares with the key schedule that FIPS 197 Appendix C prints for the equivalent inverse cipher: ik_sch.
func TestFIPS197EquivalentInverse(t *testing.T) {
	available(t)
	round := make([]byte, 11*blockSize)
	Expand(round, unhex(t, "000102030405060708090a0b0c0d0e0f"))
	Invert(round)
	for i, want := range map[int]string{
		0:  "13111d7fe3944a17f307a78b4d2b30c5",
		1:  "13aa29be9c8faff6f770f58000f7bf03",
		2:  "1362a4638f2586486bff5a76f7874a83",
		9:  "8c56dff0825dd3f9805ad3fc8659d7fd",
		10: "000102030405060708090a0b0c0d0e0f",
	} {
		if got := hex.EncodeToString(round[i*blockSize:][:blockSize]); got != want {
			t.Errorf("round %d: %s, not %s", i, got, want)
		}
	}
}

// TestWritesNothingElse: the room for the round keys is filled, and no byte beside it.
func TestWritesNothingElse(t *testing.T) {
	available(t)
	for _, n := range []int{16, 24, 32} {
		whole := blockSize * (7 + n/4)
		room := bytes.Repeat([]byte{0xA5}, whole+64)
		Expand(room[32:][:whole], make([]byte, n))
		Invert(room[32:][:whole])
		if beside := append(room[:32:32], room[32+whole:]...); !bytes.Equal(beside, bytes.Repeat([]byte{0xA5}, 64)) {
			t.Errorf("a key of %d bytes: written beside its room", n)
		}
	}
}
