package suite

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"pgregory.net/rapid"
)

// slowHMAC is RFC 2104 §2.
func slowHMAC(h Hash, key, message []byte) []byte {
	hash := h.New()
	if len(key) > hash.BlockSize() {
		hash.Write(key)
		key = hash.Sum(nil)
	}
	padded := make([]byte, hash.BlockSize())
	copy(padded, key)
	sum := func(pad byte, data []byte) []byte {
		hash.Reset()
		for _, b := range padded {
			hash.Write([]byte{b ^ pad})
		}
		hash.Write(data)
		return hash.Sum(nil)
	}
	return sum(0x5c, sum(0x36, message))
}

// slowCBCMAC is the CBC-MAC of whole blocks.
func slowCBCMAC(block cipher.Block, data []byte) []byte {
	out := make([]byte, len(data))
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(out, data)
	return out[len(out)-16:]
}

// slowMasked pads and masks the last block: with whole where it is complete, else with partial after 10*.
func slowMasked(message, whole, partial []byte) []byte {
	data, mask := bytes.Clone(message), whole
	if len(data) == 0 || len(data)%16 != 0 {
		mask = partial
		data = append(data, 0x80)
		for len(data)%16 != 0 {
			data = append(data, 0)
		}
	}
	for i := range 16 {
		data[len(data)-16+i] ^= mask[i]
	}
	return data
}

// slowCMAC is RFC 4493 §2.4; the doubling is done with a bit string.
func slowCMAC(t *rapid.T, key, message []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	double := func(b []byte) []byte {
		out := make([]byte, 16)
		for i := range 127 {
			if b[(i+1)/8]>>(7-(i+1)%8)&1 == 1 {
				out[i/8] |= 1 << (7 - i%8)
			}
		}
		if b[0]&0x80 != 0 {
			out[15] ^= 0x87
		}
		return out
	}
	l := make([]byte, 16)
	block.Encrypt(l, l)
	return slowCBCMAC(block, slowMasked(message, double(l), double(double(l))))
}

// slowXCBC is RFC 3566 §4.
func slowXCBC(t *rapid.T, key, message []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	derive := func(n byte) []byte {
		out := make([]byte, 16)
		block.Encrypt(out, bytes.Repeat([]byte{n}, 16))
		return out
	}
	first, err := aes.NewCipher(derive(1))
	if err != nil {
		t.Fatal(err)
	}
	return slowCBCMAC(first, slowMasked(message, derive(2), derive(3)))
}

// TestMACsAgainstDefinition compares every MAC with its definition, written in random pieces, over several packets with Reset between.
func TestMACsAgainstDefinition(t *testing.T) {
	hmacs := map[Integ]Hash{HMACMD5_96: MD5, HMACSHA1_96: SHA1, HMACSHA256_128: SHA256, HMACSHA384_192: SHA384, HMACSHA512_256: SHA512}
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.SampledFrom([]Integ{HMACMD5_96, HMACSHA1_96, HMACSHA256_128, HMACSHA384_192, HMACSHA512_256, AESXCBC96, AESCMAC96}).Draw(t, "algorithm")
		info, _ := i.Info()
		n := info.KeyLen
		h, isHMAC := hmacs[i]
		if isHMAC {
			n = rapid.IntRange(1, 200).Draw(t, "key length")
		}
		key := drawBytes(t, n, n, "key")
		mac, err := NewMAC(i, key)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			message := drawBytes(t, 0, 100, "message")
			var want []byte
			switch {
			case isHMAC:
				want = slowHMAC(h, key, message)
			case i == AESXCBC96:
				want = slowXCBC(t, key, message)
			default:
				want = slowCMAC(t, key, message)
			}
			mac.Reset()
			for rest := message; len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
				if done, err := mac.Write(rest[:n]); done != n || err != nil {
					t.Fatal(done, err)
				}
				rest = rest[n:]
				if rapid.Bool().Draw(t, "look") {
					mac.Sum(nil) // must not change what follows
				}
			}
			if got := mac.Sum([]byte("before")); !bytes.Equal(got, append([]byte("before"), want[:info.ICVLen]...)) {
				t.Fatalf("%v differs from its definition", i)
			}
			if mac.Size() != info.ICVLen || mac.BlockSize() == 0 {
				t.Fatalf("%v: Size %d, BlockSize %d", i, mac.Size(), mac.BlockSize())
			}
		}
	})
}

// TestMACKeyLengths: HMAC takes manual keys of any length but none; the AES MACs take 16 bytes.
func TestMACKeyLengths(t *testing.T) {
	for _, i := range Integs() {
		info, _ := i.Info()
		for n := range 140 {
			_, err := NewMAC(i, make([]byte, n))
			want := n > 0 && !i.IsGMAC()
			if i == AESXCBC96 || i == AESCMAC96 {
				want = n == 16
			}
			if (err == nil) != want {
				t.Errorf("%s with %d bytes: %v", info.Name, n, err)
			}
		}
		if i.KeyMatLen() != info.KeyLen+info.SaltLen || info.KeyLen == 0 {
			t.Errorf("%s: KeyMatLen %d", info.Name, i.KeyMatLen())
		}
	}
	if IntegNone.KeyMatLen() != 0 {
		t.Error("no integrity needs keying material")
	}
}
