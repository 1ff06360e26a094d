//go:build !amd64

package aeskey

// Available says whether this processor and its operating system have what it takes.
func Available() bool { return false }

const unreachable = "aeskey: no assembly for this architecture"

func subWord(word uint32) uint32           { panic(unreachable) }
func invMixColumns(block *[blockSize]byte) { panic(unreachable) }
