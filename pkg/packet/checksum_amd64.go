package packet

import "golang.org/x/sys/cpu"

// vectors says that sumVector may be called: it needs AVX2.
var vectors = cpu.X86.HasAVX2

// sumVector adds up the n bytes at p as little-endian words of 32 bits. n must be a multiple of 32, and 128 at least.
//
//go:noescape
func sumVector(p *byte, n int) uint64
