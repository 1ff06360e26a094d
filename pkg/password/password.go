package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Hash is a salted hash of a password. It is never printed. The zero value matches nothing, at no cost.
type Hash struct{ text **string }

// Parameters of the hashes that Make makes: memory in KiB, passes, lanes, and lengths in bytes. They cost some 50 ms and 32 MiB.
const (
	memory  = 32 << 10
	passes  = 3
	lanes   = 1
	saltLen = 16
	keyLen  = 32
)

// Bounds of what Parse takes.
const (
	maxMemory   = 256 << 10
	maxPasses   = 16
	maxLanes    = 16
	maxBcrypt   = 14
	maxPassword = 1024
)

// MaxLen is the longest password, in bytes.
const MaxLen = maxPassword

const phcPrefix = "$argon2id$v=19$"

// Make hashes a password with a fresh salt from rand.
func Make(rand io.Reader, password []byte) (string, error) {
	if len(password) == 0 || len(password) > maxPassword {
		return "", fmt.Errorf("a password has 1 to %d bytes", maxPassword)
	}
	salt := make([]byte, saltLen)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return "", fmt.Errorf("no randomness for the salt: %w", err)
	}
	key := argon2.IDKey(password, salt, passes, memory, lanes, keyLen)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("%sm=%d,t=%d,p=%d$%s$%s", phcPrefix, memory, passes, lanes, b64(salt), b64(key)), nil
}

// Parse reads a hash: $argon2id$v=19$m=…,t=…,p=…$SALT$HASH, or bcrypt's $2a$, $2b$ and $2y$.
func Parse(s string) (Hash, error) {
	if strings.HasPrefix(s, "$2") {
		cost, err := bcrypt.Cost([]byte(s))
		if err != nil {
			return Hash{}, errors.New("it is no bcrypt hash")
		}
		if cost > maxBcrypt {
			return Hash{}, fmt.Errorf("a bcrypt hash of cost %d takes too long to check: at most %d", cost, maxBcrypt)
		}
	} else if _, err := parseArgon2(s); err != nil {
		return Hash{}, err
	}
	p := &s
	return Hash{&p}, nil
}

// Nobody is a hash that no password matches. Checking it costs as much as checking one that Make made, so that the time does not tell which users there are.
func Nobody() Hash {
	zeros := func(n int) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	s := fmt.Sprintf("%sm=%d,t=%d,p=%d$%s$%s", phcPrefix, memory, passes, lanes, zeros(saltLen), zeros(keyLen))
	p := &s
	return Hash{&p}
}

// Matches reports whether the hash is that of a password.
func (h Hash) Matches(password []byte) bool {
	if h.text == nil || len(password) == 0 || len(password) > maxPassword {
		return false
	}
	s := **h.text
	if strings.HasPrefix(s, "$2") {
		return bcrypt.CompareHashAndPassword([]byte(s), password) == nil
	}
	a, err := parseArgon2(s)
	if err != nil {
		return false
	}
	key := argon2.IDKey(password, a.salt, a.passes, a.memory, a.lanes, uint32(len(a.key)))
	return subtle.ConstantTimeCompare(key, a.key) == 1
}

// Bytes is the hash as it was written, for comparing two lists of them. The caller neither changes nor prints it.
func (h Hash) Bytes() []byte {
	if h.text == nil {
		return nil
	}
	return []byte(**h.text)
}

// Format writes a placeholder for every verb and flag.
func (h Hash) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

type argon2id struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

var errArgon2 = errors.New("it is no hash that is known here: $argon2id$v=19$m=…,t=…,p=…$SALT$HASH or bcrypt's $2b$…; goipsec xauth hash makes one")

func parseArgon2(s string) (a argon2id, err error) {
	rest, ok := strings.CutPrefix(s, phcPrefix)
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 {
		return a, errArgon2
	}
	var n [3]uint64
	settings := strings.Split(parts[0], ",")
	if len(settings) != len(n) {
		return a, errArgon2
	}
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(settings[i], name)
		if n[i], err = strconv.ParseUint(digits, 10, 32); !ok || err != nil {
			return a, errArgon2
		}
	}
	if n[0] < 8*n[2] || n[0] > maxMemory || n[1] < 1 || n[1] > maxPasses || n[2] < 1 || n[2] > maxLanes {
		return a, fmt.Errorf("its parameters are out of bounds: m up to %d, t up to %d, p up to %d", maxMemory, maxPasses, maxLanes)
	}
	a = argon2id{memory: uint32(n[0]), passes: uint32(n[1]), lanes: uint8(n[2])}
	var err1, err2 error
	a.salt, err1 = base64.RawStdEncoding.DecodeString(parts[1])
	a.key, err2 = base64.RawStdEncoding.DecodeString(parts[2])
	if err1 != nil || err2 != nil || len(a.salt) < 8 || len(a.salt) > 64 || len(a.key) < 16 || len(a.key) > 64 {
		return a, errArgon2
	}
	return a, nil
}
