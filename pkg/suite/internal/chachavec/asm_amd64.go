package chachavec

import "golang.org/x/sys/cpu"

// supported asks for all that the assembly uses. The flags of the AVX-512 family are set only if the operating system keeps these registers,
// by XGETBV.
func supported() bool {
	x := &cpu.X86
	return x.HasAVX && x.HasAVX2 && x.HasBMI2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512IFMA
}

// crypt encrypts n bytes of src into dst, which is src or does not overlap it, or decrypts them if opening is not 0, and writes the tag of
// the ciphertext: in opening what it should be, whatever the sender's is.
//
//go:noescape
func crypt(key *[keySize]byte, dst, src *byte, n int, nonce, additional *byte, length int, tag *[tagSize]byte, opening int)
