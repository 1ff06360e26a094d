package aeskey

import "golang.org/x/sys/cpu"

// Available says whether this processor and its operating system have what it takes.
func Available() bool { return cpu.X86.HasAES && cpu.X86.HasAVX }

// subWord is SubWord of FIPS 197 §5.2.
//
//go:noescape
func subWord(word uint32) uint32

// invMixColumns is InvMixColumns of FIPS 197 §5.3.3.
//
//go:noescape
func invMixColumns(block *[blockSize]byte)
