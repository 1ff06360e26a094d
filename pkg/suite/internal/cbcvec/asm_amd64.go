package cbcvec

import "golang.org/x/sys/cpu"

// supported asks for all that the assembly uses. The flags of AVX2 and of the AVX-512 family are set only if the operating system keeps
// these registers, by XGETBV.
func supported() bool {
	x := &cpu.X86
	return x.HasAES && x.HasAVX && x.HasAVX2 && x.HasBMI2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VAES
}

// encrypt encrypts n bytes of src, not 0 and a multiple of 16, into dst, which is src or does not overlap it.
//
//go:noescape
func encrypt(key *Encrypter, dst, src *byte, n int, iv *byte)

// decrypt is encrypt's reverse.
//
//go:noescape
func decrypt(key *Decrypter, dst, src *byte, n int, iv *byte)
