package suite

import (
	"bytes"
	"crypto/cipher"
	"fmt"
)

// compared is what the self-test compares: what is not here is made of the same code.
var compared = []Encr{AESGCM16, AESCBC, ChaCha20Poly1305}

// compareVectors compares what is done on vectors with Go's libraries: the known answers are short.
func compareVectors(e Encr) error {
	if e.info().Combined {
		return compareAEADs(e, newVectorAEAD)
	}
	return compareCiphers(e, newVectorCipher)
}

// compareAEADs seals and opens with vectors, and without, texts and additional data that take every way through them, and counters of two bytes.
// What is sealed lies in place, as ESP has it.
func compareAEADs(e Encr, constructor newAEADFunc) error {
	text, nonce := unlike(19000), []byte("twelve bytes")
	for _, bits := range e.info().KeyBits {
		scalar, err := newScalarAEAD(e, text[:bits/8])
		if err != nil {
			return err
		}
		vector, err := constructor(e, text[:bits/8])
		if err != nil {
			return err
		}
		for _, n := range []int{0, 40, 112, 176, 210, 240, 241, 400, 420, 480, 540, 900, 1000, 1420, 1500, 2272, 9000, 17000} {
			for _, more := range []int{8 + n/16, 600, 1400} {
				if err := compareOne(scalar, vector, nonce, text[:n], text[n:n+more]); err != nil {
					return fmt.Errorf("%d bytes, %d of additional data, a key of %d bits: %w", n, more, bits, err)
				}
			}
		}
	}
	return nil
}

// unlike makes n bytes of which nothing repeats at the length of a vector.
func unlike(n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte(i*i>>3 + i)
	}
	return text
}

func compareOne(scalar, vector cipher.AEAD, nonce, plain, additional []byte) error {
	want := scalar.Seal(nil, nonce, plain, additional)
	buf := append(make([]byte, 0, len(want)), plain...)
	if got := vector.Seal(buf[:0], nonce, buf, additional); !bytes.Equal(got, want) {
		return fmt.Errorf("seal: %w", errAnswer)
	}
	buf = buf[:len(want)]
	if got, err := vector.Open(buf[:0], nonce, buf, additional); err != nil || !bytes.Equal(got, plain) {
		return fmt.Errorf("open: %w", errAnswer)
	}
	copy(buf, want)
	buf[len(plain)/2] ^= 1
	if _, err := vector.Open(buf[:0], nonce, buf, additional); err == nil {
		return fmt.Errorf("open with a changed bit: %w", errAnswer)
	}
	for _, b := range buf[:len(plain)] {
		if b != 0 {
			return fmt.Errorf("what a forged packet decrypts to is left behind: %w", errAnswer)
		}
	}
	return nil
}

type newCipherFunc func(e Encr, keymat []byte, w ways) (Cipher, error)

// compareCiphers encrypts and decrypts with vectors, and without, as many blocks as take every way through them, from buffer to buffer and
// in place, as ESP has it outbound and inbound. An SA has a cipher for each direction.
func compareCiphers(e Encr, constructor newCipherFunc) error {
	text := unlike(9100)
	iv := text[9050:][:e.info().IVLen]
	for _, bits := range e.info().KeyBits {
		scalar, err := newScalarCipher(e, text[:bits/8], bothWays)
		if err != nil {
			return err
		}
		encrypter, err := constructor(e, text[:bits/8], encrypts)
		if err != nil {
			return err
		}
		decrypter, err := constructor(e, text[:bits/8], decrypts)
		if err != nil {
			return err
		}
		for _, n := range []int{0, 16, 32, 48, 64, 80, 96, 112, 128, 176, 192, 240, 256, 272, 512, 560, 1008, 1424, 1504, 9008} {
			want, got := make([]byte, n), make([]byte, n)
			scalar.Encrypt(want, text[:n], iv)
			if encrypter.Encrypt(got, text[:n], iv); !bytes.Equal(got, want) {
				return fmt.Errorf("encrypt %d bytes, a key of %d bits: %w", n, bits, errAnswer)
			}
			if decrypter.Decrypt(got, got, iv); !bytes.Equal(got, text[:n]) {
				return fmt.Errorf("decrypt %d bytes, a key of %d bits: %w", n, bits, errAnswer)
			}
		}
	}
	return nil
}
