package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// minToken is the least number of characters of a token: at four bits each, 128 bits need 32, and nobody types it.
const minToken = 32

// Token is what somebody must know who wants to change something. The zero value fits nothing. Only its sum is kept, and that is never printed.
type Token struct {
	sum [sha256.Size]byte
	set bool
}

// ReadToken reads a token from a file that only its owner may read. A line end behind it does not count.
func ReadToken(path string) (Token, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Token{}, fmt.Errorf("the web token: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return Token{}, fmt.Errorf("the web token's file %s may be read by others (mode %04o): chmod 600 it, and make a new token, for this one may be known", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Token{}, fmt.Errorf("the web token: %w", err)
	}
	token := strings.TrimRight(string(text), "\r\n")
	if len(token) < minToken {
		return Token{}, fmt.Errorf("the web token in %s has %d characters and needs %d, random ones: goipsec psk prints some", path, len(token), minToken)
	}
	return Token{sum: sha256.Sum256([]byte(token)), set: true}, nil
}

// fits compares in a time that tells nothing about the token, nor about how much of it was right.
func (t *Token) fits(given string) bool {
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1 && t.set
}

// Format prints nothing of the token, whatever the verb.
func (t Token) Format(s fmt.State, _ rune) { fmt.Fprint(s, "(a token)") }
