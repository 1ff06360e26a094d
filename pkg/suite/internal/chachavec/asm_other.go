//go:build !amd64

package chachavec

func supported() bool { return false }

// crypt is never called: New makes nothing that could.
func crypt(key *[keySize]byte, dst, src *byte, n int, nonce, additional *byte, length int, tag *[tagSize]byte, opening int) {
	panic("chachavec: no vectors on this architecture")
}
