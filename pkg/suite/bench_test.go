package suite

import (
	"crypto/rand"
	"fmt"
	"testing"
)

var benchSizes = []int{64, 512, 1420}

// BenchmarkSeal encrypts (and authenticates, where it is one algorithm) packets of three sizes.
func BenchmarkSeal(b *testing.B) { benchmarkEncr(b, true) }

// BenchmarkOpen is the way back.
func BenchmarkOpen(b *testing.B) { benchmarkEncr(b, false) }

func benchmarkEncr(b *testing.B, seal bool) {
	for _, e := range Encrs() {
		info, _ := e.Info()
		keymat := make([]byte, e.KeyMatLen(0))
		for i := range keymat {
			keymat[i] = byte(3 * i)
		}
		for _, size := range benchSizes {
			size = size / info.BlockSize * info.BlockSize
			b.Run(fmt.Sprintf("%v/%d", e, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				if info.Combined {
					benchmarkAEAD(b, e, keymat[:len(keymat)-info.SaltLen], size, seal)
				} else {
					benchmarkCipher(b, e, keymat, size, seal)
				}
			})
		}
	}
}

func benchmarkAEAD(b *testing.B, e Encr, key []byte, size int, seal bool) {
	a, err := NewAEAD(e, key)
	if err != nil {
		b.Fatal(err)
	}
	nonce, aad := make([]byte, a.NonceSize()), make([]byte, 12)
	plain, out := make([]byte, size), make([]byte, 0, size+a.Overhead())
	sealed := a.Seal(nil, nonce, plain, aad)
	for b.Loop() {
		if seal {
			a.Seal(out, nonce, plain, aad)
		} else if _, err := a.Open(out, nonce, sealed, aad); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkCipher(b *testing.B, e Encr, keymat []byte, size int, seal bool) {
	c, err := NewCipher(e, keymat)
	if err != nil {
		b.Fatal(err)
	}
	info, _ := e.Info()
	buf, iv := make([]byte, size), make([]byte, info.IVLen)
	for b.Loop() {
		if seal {
			c.Encrypt(buf, buf, iv)
		} else {
			c.Decrypt(buf, buf, iv)
		}
	}
}

// BenchmarkMAC authenticates packets of three sizes.
func BenchmarkMAC(b *testing.B) {
	for _, i := range Integs() {
		if i.IsGMAC() {
			continue
		}
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%v/%d", i, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				mac, err := NewMAC(i, make([]byte, i.KeyMatLen()))
				if err != nil {
					b.Fatal(err)
				}
				data, out := make([]byte, size), make([]byte, 0, 64)
				for b.Loop() {
					mac.Reset()
					mac.Write(data)
					out = mac.Sum(out[:0])
				}
			})
		}
	}
}

// BenchmarkKeyExchange makes a key pair and computes a shared secret.
func BenchmarkKeyExchange(b *testing.B) {
	for _, g := range Groups() {
		b.Run(g.String(), func(b *testing.B) {
			peer, err := NewKeyExchange(g, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				pair, err := NewKeyExchange(g, rand.Reader)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := pair.Shared(peer.Public()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSelfTest is what the start of a program pays.
func BenchmarkSelfTest(b *testing.B) {
	for b.Loop() {
		if errs := SelfTest(); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}
