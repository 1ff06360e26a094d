package ikev1

import (
	"crypto/sha256"
	"net/netip"
	"time"
)

// guesses bounds how often passwords may be wrong: a few times for each name and source network, then one try in a while.
type guesses struct{ failures map[guessKey]*failures }

// guessKey is whose guesses are counted together. Names that are nobody's are treated as users are: else whoever guesses would see by the limit which is which.
type guessKey struct {
	prefix netip.Prefix
	name   uint8 // a few bits of the name's hash, so that no network has many of them
}

type failures struct {
	count int
	last  time.Time
}

const (
	freeGuesses = 5
	guessEvery  = 30 * time.Second
	// guessMemory is how long wrong passwords are remembered after the last one.
	guessMemory = 10 * time.Minute
	maxGuessers = 1024
	// namesApart is how many counts a network has at most: with one for each name, made-up names would push those of users out of memory.
	namesApart = 16
)

// guessKey goes by the network that main mode came from. A client behind a NAT, or one that says so, may send its login from anywhere.
func (s *mainMode) guessKey() guessKey {
	sum := sha256.Sum256([]byte(s.exam.user))
	return guessKey{s.prefix, sum[0] % namesApart}
}

// may reports whether a password may be looked at.
func (g *guesses) may(now time.Time, k guessKey) bool {
	f := g.failures[k]
	return f == nil || f.count < freeGuesses || now.Sub(f.last) >= guessEvery
}

// try reports whether a password may be looked at, and counts it as wrong until it proves right: many at once are no more than one after the other.
func (g *guesses) try(now time.Time, k guessKey) bool {
	if !g.may(now, k) {
		return false
	}
	if g.failures == nil {
		g.failures = map[guessKey]*failures{}
	}
	f := g.failures[k]
	if f == nil || now.Sub(f.last) >= guessMemory {
		if f == nil && len(g.failures) >= maxGuessers {
			g.forgetOldest()
		}
		f = &failures{}
		g.failures[k] = f
	}
	f.count++
	f.last = now
	return true
}

// right takes back a try.
func (g *guesses) right(k guessKey) {
	f := g.failures[k]
	if f == nil {
		return
	}
	if f.count--; f.count <= 0 {
		delete(g.failures, k)
	}
}

func (g *guesses) forgetOldest() {
	var oldest guessKey
	var at time.Time
	for k, f := range g.failures {
		if at.IsZero() || f.last.Before(at) {
			oldest, at = k, f.last
		}
	}
	delete(g.failures, oldest)
}
