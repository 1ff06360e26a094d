package suite

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// broken holds the algorithms that failed their self-test, by identifier (Encr, Integ, Hash or Group). It is replaced as a whole.
var broken atomic.Pointer[map[fmt.Stringer]error]

// works returns nil, or why the algorithm is disabled.
func works(id fmt.Stringer) error {
	if failed := broken.Load(); failed != nil {
		return (*failed)[id]
	}
	return nil
}

// SelfTest runs a known-answer test of every algorithm and disables those that fail (Info then says ok=false, constructors fail,
// and the lists of algorithms leave them out). What can be done on vectors is tested twice; if only these fail, they are not used. It returns the names that failed with the reason; the caller says it loudly and
// refuses to start if the policy needs one of them. It takes some milliseconds and may be called at any time.
func SelfTest() []error { return selfTest(kats) }

// selfTest is SelfTest with the known answers as its argument.
func selfTest(table []kat) []error {
	failed := map[fmt.Stringer]error{}
	var all []error
	fail := func(id fmt.Stringer, err error) {
		if failed[id] == nil {
			failed[id] = fmt.Errorf("%v is disabled, because its self-test failed: %w: this program or this machine is broken", id, err)
			all = append(all, failed[id])
		}
	}
	tested := map[fmt.Stringer]bool{}
	for _, test := range table {
		tested[test.id] = true
		if err := test.check(); err != nil {
			fail(test.id, fmt.Errorf("%s: %w", test.source, err))
		}
		if test.vector != nil && test.by.available() {
			if err := guarded(test.vector); err != nil {
				fail(test.by, fmt.Errorf("%s: %w", test.source, err))
			}
		}
	}
	for _, e := range compared {
		if by := inVectors(e); by.available() {
			if err := guarded(func() error { return compareVectors(e) }); err != nil {
				fail(by, err)
			}
		}
	}
	for _, id := range algorithms() {
		if !tested[id] {
			fail(id, errors.New("there is no known answer to compare with"))
		}
	}
	broken.Store(&failed)
	return all
}

// algorithms lists every algorithm, whether it works or not.
func algorithms() []fmt.Stringer {
	var all []fmt.Stringer
	for _, row := range encrs {
		all = append(all, row.id)
	}
	for _, row := range integs {
		all = append(all, row.id)
	}
	for _, row := range hashes {
		all = append(all, row.id)
	}
	for _, row := range groups {
		all = append(all, row.id)
	}
	return all
}

// kat is a known-answer test of one algorithm.
type kat struct {
	id     fmt.Stringer
	source string
	run    func() error
	by     implementation // the second way to do it, or ""
	vector func() error   // the same of that
}

func (k kat) check() error { return guarded(k.run) }

// guarded runs a test. Code that panics has failed it.
func guarded(run func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return run()
}

// errAnswer is a wrong answer. The answers themselves are not shown: nobody can do anything with them.
var errAnswer = errors.New("wrong answer")

// unhex reads the hexadecimal digits of the table; a wrong one fails the test.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// same compares an answer with the known one.
func same(what string, got []byte, want string) error {
	if hex.EncodeToString(got) != want {
		return fmt.Errorf("%s: %w", what, errAnswer)
	}
	return nil
}

// aeadKAT seals and opens, and must refuse the packet with one bit changed.
func aeadKAT(e Encr, source, key, nonce, additional, plaintext, sealed string) kat {
	run := func(constructor newAEADFunc) func() error {
		return func() error { return runAEAD(constructor, e, key, nonce, additional, plaintext, sealed) }
	}
	by := inVectors(e)
	if by == "" {
		return kat{id: e, source: source, run: run(newScalarAEAD)}
	}
	return kat{id: e, source: source, run: run(newScalarAEAD), by: by, vector: run(newVectorAEAD)}
}

// gmacKAT is for AH what aeadKAT is for ESP.
func gmacKAT(i Integ, source, key, nonce, data, icv string) kat {
	k := aeadKAT(NullGMAC, source, key, nonce, data, "", icv)
	k.id = i
	return k
}

type newAEADFunc func(e Encr, key []byte) (cipher.AEAD, error)

func runAEAD(constructor newAEADFunc, e Encr, key, nonce, additional, plaintext, sealed string) error {
	aead, err := constructor(e, unhex(key))
	if err != nil {
		return err
	}
	got := aead.Seal(nil, unhex(nonce), unhex(plaintext), unhex(additional))
	if err := same("seal", got, sealed); err != nil {
		return err
	}
	opened, err := aead.Open(nil, unhex(nonce), got, unhex(additional))
	if err != nil {
		return err
	}
	if err := same("open", opened, plaintext); err != nil {
		return err
	}
	got[len(got)-1] ^= 1
	if _, err := aead.Open(nil, unhex(nonce), got, unhex(additional)); err == nil {
		return fmt.Errorf("open with a changed ICV: %w", errAnswer)
	}
	return nil
}

// cipherKAT encrypts and decrypts in place.
func cipherKAT(e Encr, source, keymat, iv, plaintext, ciphertext string) kat {
	run := func(constructor newCipherFunc) func() error {
		return func() error { return runCipher(constructor, e, keymat, iv, plaintext, ciphertext) }
	}
	by := inVectors(e)
	if by == "" {
		return kat{id: e, source: source, run: run(newScalarCipher)}
	}
	return kat{id: e, source: source, run: run(newScalarCipher), by: by, vector: run(newVectorCipher)}
}

func runCipher(constructor newCipherFunc, e Encr, keymat, iv, plaintext, ciphertext string) error {
	c, err := constructor(e, unhex(keymat), bothWays)
	if err != nil {
		return err
	}
	buf := unhex(plaintext)
	c.Encrypt(buf, buf, unhex(iv))
	if err := same("encrypt", buf, ciphertext); err != nil {
		return err
	}
	c.Decrypt(buf, buf, unhex(iv))
	return same("decrypt", buf, plaintext)
}

// macKAT writes the message at once, and after Reset byte by byte.
func macKAT(i Integ, source, key, message, icv string) kat {
	return kat{id: i, source: source, run: func() error {
		mac, err := newMAC(i, unhex(key))
		if err != nil {
			return err
		}
		mac.Write(unhex(message))
		if err := same("ICV", mac.Sum(nil), icv); err != nil {
			return err
		}
		mac.Reset()
		for _, b := range unhex(message) {
			mac.Write([]byte{b})
		}
		return same("ICV byte by byte", mac.Sum(nil), icv)
	}}
}

// hashKAT hashes "abc", and has the PRF answer the question of RFC 2202 and RFC 4231.
func hashKAT(h Hash, source, abc, jefe string) kat {
	return kat{id: h, source: source, run: func() error {
		hash := h.New()
		hash.Write([]byte("abc"))
		if err := same("hash", hash.Sum(nil), abc); err != nil {
			return err
		}
		prf := h.PRF([]byte("Jefe"))
		prf.Write([]byte("what do ya want for nothing?"))
		return same("PRF", prf.Sum(nil), jefe)
	}}
}

func groupKAT(g Group, source, secret, public, peer, shared string) kat {
	return kat{id: g, source: source, run: func() error {
		pair, err := g.row().method.keyPair(unhex(secret))
		if err != nil {
			return err
		}
		if err := same("public value", pair.Public(), public); err != nil {
			return err
		}
		z, err := pair.Shared(unhex(peer))
		if err != nil {
			return err
		}
		return same("shared secret", z, shared)
	}}
}

// modpKAT knows the SHA-256 of 2^secret and of 5^secret modulo the prime, as Python's pow computes them. No RFC prints any.
func modpKAT(g Group, secret, public, shared string) kat {
	return kat{id: g, source: "computed with Python", run: func() error {
		pair, err := g.row().method.keyPair(unhex(secret))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(pair.Public())
		if err := same("public value", sum[:], public); err != nil {
			return err
		}
		five := unhex(strings.Repeat("00", g.PublicLen()-1) + "05")
		z, err := pair.Shared(five)
		if err != nil {
			return err
		}
		if sum = sha256.Sum256(z); !bytes.Equal(sum[:], unhex(shared)) {
			return fmt.Errorf("shared secret: %w", errAnswer)
		}
		return nil
	}}
}
