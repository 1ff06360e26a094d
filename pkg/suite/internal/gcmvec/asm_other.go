//go:build !amd64

package gcmvec

func supported() bool { return false }

// New makes nothing that could call these.

const unreachable = "gcmvec: no vectors on this architecture"

func seal(key *gcm, dst, src *byte, n int, nonce, additional *byte, length int, tag *block) {
	panic(unreachable)
}

func open(key *gcm, dst, src *byte, n int, nonce, additional *byte, length int, tag *block) {
	panic(unreachable)
}

func hash(key *gcm, sum *block, blocks *byte, n int) { panic(unreachable) }
func setPowers(key *gcm)                             { panic(unreachable) }
