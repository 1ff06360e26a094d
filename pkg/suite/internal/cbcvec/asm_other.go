//go:build !amd64

package cbcvec

func supported() bool { return false }

// NewEncrypter and NewDecrypter make nothing that could call these.

const unreachable = "cbcvec: no vectors on this architecture"

func encrypt(key *Encrypter, dst, src *byte, n int, iv *byte) { panic(unreachable) }
func decrypt(key *Decrypter, dst, src *byte, n int, iv *byte) { panic(unreachable) }
