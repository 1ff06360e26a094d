package gcmvec

import "golang.org/x/sys/cpu"

// supported asks for all that the assembly uses. The flags of AVX2 and of the AVX-512 family are set only if the operating system keeps
// these registers, by XGETBV.
func supported() bool {
	x := &cpu.X86
	return x.HasAES && x.HasPCLMULQDQ && x.HasAVX && x.HasAVX2 && x.HasBMI2 &&
		x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VAES && x.HasAVX512VPCLMULQDQ
}

// seal encrypts n bytes of src into dst, which is src or does not overlap it, and writes the whole tag. Of additional it reads at most
// 16 bytes, but length, of the data as a whole, goes into the tag.
//
//go:noescape
func seal(key *gcm, dst, src *byte, n int, nonce, additional *byte, length int, tag *block)

// open is seal's reverse. It writes the plaintext whatever the tag, which is not the sender's but what it should be.
//
//go:noescape
func open(key *gcm, dst, src *byte, n int, nonce, additional *byte, length int, tag *block)

// hash continues GHASH from sum with n bytes, a multiple of 16.
//
//go:noescape
func hash(key *gcm, sum *block, blocks *byte, n int)

// setPowers computes the powers of H from the round keys.
//
//go:noescape
func setPowers(key *gcm)
