package suite

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// combined are the combined modes.
func combined() []Encr {
	var list []Encr
	for _, e := range Encrs() {
		if info, _ := e.Info(); info.Combined {
			list = append(list, e)
		}
	}
	return list
}

func drawBytes(t *rapid.T, min, max int, label string) []byte {
	return rapid.SliceOfN(rapid.Byte(), min, max).Draw(t, label)
}

// TestAEADRoundTrip seals and opens random packets in all modes and key sizes, in place, and flips a random bit.
func TestAEADRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom(combined()).Draw(t, "algorithm")
		info, _ := e.Info()
		key := drawBytes(t, 32, 32, "key")[:rapid.SampledFrom(info.KeyBits).Draw(t, "bits")/8]
		a, err := NewAEAD(e, key)
		if err != nil {
			t.Fatal(err)
		}
		if a.NonceSize() != info.SaltLen+info.IVLen || a.Overhead() != info.ICVLen {
			t.Fatalf("nonce %d, ICV %d bytes", a.NonceSize(), a.Overhead())
		}
		nonce := drawBytes(t, a.NonceSize(), a.NonceSize(), "nonce")
		aad := drawBytes(t, 0, 40, "additional data")
		plain := drawBytes(t, 0, 200, "plaintext")
		header := drawBytes(t, 0, 20, "header")

		whole := a.Seal(bytes.Clone(header), nonce, plain, aad)
		if !bytes.HasPrefix(whole, header) || len(whole) != len(header)+len(plain)+info.ICVLen {
			t.Fatal("the header is lost or the length is wrong")
		}
		sealed := whole[len(header):]
		buf := append(make([]byte, 0, len(plain)+info.ICVLen), plain...)
		if got := a.Seal(buf[:0], nonce, buf, aad); !bytes.Equal(got, sealed) {
			t.Fatal("sealed in place it is another packet")
		}
		opened, err := a.Open(buf[:0], nonce, buf[:len(sealed)], aad)
		if err != nil || !bytes.Equal(opened, plain) {
			t.Fatalf("open: %x, %v", opened, err)
		}
		bad := bytes.Clone(sealed)
		bit := rapid.IntRange(0, 8*len(bad)-1).Draw(t, "bit")
		bad[bit/8] ^= 1 << (bit % 8)
		if out, err := a.Open(nil, nonce, bad, aad); err == nil || out != nil {
			t.Fatal("a changed packet was opened")
		}
	})
}

// slowGCM is GCM as SP 800-38D §7.1 defines it, bit by bit, for nonces of 12 bytes.
func slowGCM(block cipher.Block, tag int, nonce, plain, aad []byte) []byte {
	var h, j0 [16]byte
	block.Encrypt(h[:], h[:])
	copy(j0[:], nonce)
	j0[15] = 1
	out := make([]byte, len(plain))
	counter := j0
	for i := range plain {
		if i%16 == 0 {
			binary.BigEndian.PutUint32(counter[12:], binary.BigEndian.Uint32(counter[12:])+1)
		}
		var stream [16]byte
		block.Encrypt(stream[:], counter[:])
		out[i] = plain[i] ^ stream[i%16]
	}
	pad := func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, (16-len(b)%16)%16)...) }
	data := append(pad(aad), pad(out)...)
	data = binary.BigEndian.AppendUint64(data, 8*uint64(len(aad)))
	data = binary.BigEndian.AppendUint64(data, 8*uint64(len(out)))
	var y [16]byte
	for ; len(data) > 0; data = data[16:] {
		for i := range y {
			y[i] ^= data[i]
		}
		y = slowMultiply(y, h)
	}
	var mask [16]byte
	block.Encrypt(mask[:], j0[:])
	for i := range y {
		y[i] ^= mask[i]
	}
	return append(out, y[:tag]...)
}

// slowMultiply is the product of SP 800-38D §6.3.
func slowMultiply(x, y [16]byte) (z [16]byte) {
	for i := range 128 {
		if x[i/8]>>(7-i%8)&1 == 1 {
			for j := range z {
				z[j] ^= y[j]
			}
		}
		low := y[15] & 1
		for j := 15; j > 0; j-- {
			y[j] = y[j]>>1 | y[j-1]<<7
		}
		y[0] >>= 1
		if low == 1 {
			y[0] ^= 0xe1
		}
	}
	return z
}

// slowCCM is CCM as SP 800-38C §6.1 defines it: formatted blocks, a CBC-MAC over them, counter mode.
func slowCCM(block cipher.Block, tag int, nonce, plain, aad []byte) []byte {
	q := 15 - len(nonce)
	format := make([]byte, 16)
	if len(aad) > 0 {
		format[0] = 64
	}
	format[0] += byte(8*((tag-2)/2) + q - 1)
	copy(format[1:], nonce)
	for i, n := 15, len(plain); i > 15-q; i, n = i-1, n>>8 {
		format[i] = byte(n)
	}
	pad := func(b []byte) []byte { return append(b, make([]byte, (16-len(b)%16)%16)...) }
	if len(aad) > 0 {
		head := []byte{byte(len(aad) >> 8), byte(len(aad))}
		if len(aad) >= 0xff00 {
			head = binary.BigEndian.AppendUint32([]byte{0xff, 0xfe}, uint32(len(aad)))
		}
		format = append(format, pad(append(head, aad...))...)
	}
	format = append(format, pad(bytes.Clone(plain))...)
	mac := make([]byte, len(format))
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(mac, format)
	stream := make([]byte, 16+len(pad(bytes.Clone(plain))))
	for i := 0; i < len(stream); i += 16 {
		stream[i] = byte(q - 1)
		copy(stream[i+1:], nonce)
		stream[i+14], stream[i+15] = byte(i/16>>8), byte(i/16)
		block.Encrypt(stream[i:i+16], stream[i:i+16])
	}
	out := make([]byte, len(plain), len(plain)+tag)
	for i := range plain {
		out[i] = plain[i] ^ stream[16+i]
	}
	for i := range tag {
		out = append(out, mac[len(mac)-16+i]^stream[i])
	}
	return out
}

// TestAEADAgainstDefinition compares GCM, CCM and GMAC with their definitions.
func TestAEADAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom([]Encr{AESGCM8, AESGCM12, AESGCM16, AESCCM8, AESCCM12, AESCCM16, NullGMAC}).Draw(t, "algorithm")
		key := drawBytes(t, 32, 32, "key")[:rapid.SampledFrom([]int{16, 24, 32}).Draw(t, "key bytes")]
		a, err := NewAEAD(e, key)
		if err != nil {
			t.Fatal(err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		nonce := drawBytes(t, a.NonceSize(), a.NonceSize(), "nonce")
		plain, aad := drawBytes(t, 0, 100, "plaintext"), drawBytes(t, 0, 50, "additional data")
		slow := slowGCM
		if a.NonceSize() == ccmNonce {
			slow = slowCCM
		}
		if want := slow(block, a.Overhead(), nonce, plain, aad); !bytes.Equal(a.Seal(nil, nonce, plain, aad), want) {
			t.Fatalf("%v differs from its definition", e)
		}
	})
}

// TestRFC3610Section2_2LongAdditionalData crosses the border where the length of the additional data takes six bytes.
func TestRFC3610Section2_2LongAdditionalData(t *testing.T) {
	key := bytes.Repeat([]byte{5}, 16)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAEAD(AESCCM16, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0xff00 - 1, 0xff00, 0xff00 + 1, 0x10000} {
		aad, nonce := bytes.Repeat([]byte{9}, n), make([]byte, ccmNonce)
		equal(t, "CCM with long additional data", a.Seal(nil, nonce, []byte("x"), aad), slowCCM(block, 16, nonce, []byte("x"), aad))
	}
}

// TestOpenShowsNothing sees that a packet which is refused leaves the buffer as it was: no plaintext before the ICV has been compared.
func TestOpenShowsNothing(t *testing.T) {
	for _, e := range []Encr{AESGCM8, AESCCM8, AESCCM12, AESCCM16} {
		info, _ := e.Info()
		a, err := NewAEAD(e, make([]byte, 16))
		if err != nil {
			t.Fatal(err)
		}
		nonce := make([]byte, a.NonceSize())
		sealed := a.Seal(nil, nonce, bytes.Repeat([]byte("secret"), 20), nil)
		sealed[len(sealed)-1] ^= 1
		before := bytes.Clone(sealed)
		if _, err := a.Open(sealed[:0], nonce, sealed, nil); err == nil {
			t.Fatalf("%s opened a changed packet", info.Name)
		}
		equal(t, info.Name+": the buffer", sealed, before)
	}
}

// TestCCMForgets sees that what a packet leaves in the memory of CCM, which the next packet uses, is wiped.
func TestCCMForgets(t *testing.T) {
	if raceDetector {
		t.Skip("the pool forgets at random under the race detector")
	}
	a, err := NewAEAD(AESCCM16, make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, ccmNonce)
	for range 3 {
		if _, err := a.Open(nil, nonce, a.Seal(nil, nonce, []byte("secret"), nil), nil); err != nil {
			t.Fatal(err)
		}
		s := ccmStates.Get().(*ccmState)
		if !bytes.Equal(s.plaintext, make([]byte, len(s.plaintext))) || s.stream != nil || s.first != [16]byte{} || s.x != [16]byte{} {
			t.Errorf("the state still holds %q", s.plaintext)
		}
		ccmStates.Put(s)
	}
}

// TestKeySizes offers keys of all lengths from 0 to 70 to every constructor: only those that Info lists are taken.
func TestKeySizes(t *testing.T) {
	for _, e := range Encrs() {
		info, _ := e.Info()
		for n := range 71 {
			key := make([]byte, n)
			for i := range key {
				key[i] = byte(7 * i) // no weak key of DES
			}
			want := false
			for _, bits := range info.KeyBits {
				want = want || n == bits/8
			}
			if e == Null {
				want = n == 0
			}
			var err error
			if info.Combined {
				_, err = NewAEAD(e, key)
			} else {
				_, err = NewCipher(e, append(key, make([]byte, info.SaltLen)...))
			}
			if (err == nil) != want {
				t.Errorf("%v with %d bytes: %v", e, n, err)
			}
			if got := e.KeyMatLen(8 * n); want && got != n+info.SaltLen {
				t.Errorf("%v: KeyMatLen(%d) is %d", e, 8*n, got)
			}
		}
		if bits := e.KeyMatLen(0); len(info.KeyBits) > 0 && bits != info.KeyBits[0]/8+info.SaltLen {
			t.Errorf("%v: KeyMatLen(0) is %d", e, bits)
		}
	}
	for e, bits := range map[Encr]int{AESGCM16: 64, AESCBC: 512, AESCTR: 8, EncrNone: 0, Encr(999): 128} {
		if n := e.KeyMatLen(bits); n != 0 {
			t.Errorf("%v: KeyMatLen(%d) is %d", e, bits, n)
		}
	}
}

// TestWrongConstructor sees that each constructor makes what it is for and nothing else.
func TestWrongConstructor(t *testing.T) {
	key := bytes.Repeat([]byte{1, 2, 3, 4}, 4)
	for _, e := range []Encr{EncrNone, AESCBC, AESCTR, Null, DES, 999} {
		if _, err := NewAEAD(e, key); err == nil {
			t.Errorf("NewAEAD made %v", e)
		}
	}
	for _, e := range []Encr{EncrNone, AESGCM16, ChaCha20Poly1305, NullGMAC, 999} {
		if _, err := NewCipher(e, key); err == nil {
			t.Errorf("NewCipher made %v", e)
		}
	}
	for _, i := range []Integ{IntegNone, AES128GMAC, AES192GMAC, AES256GMAC, 999} {
		if _, err := NewMAC(i, key); err == nil {
			t.Errorf("NewMAC made %v", i)
		}
	}
	if Hash(99).New() != nil || Hash(99).PRF(key) != nil || Hash(99).Size() != 0 {
		t.Error("hash 99 exists")
	}
}

// TestAEADConcurrency uses one AEAD from several tests at a time; the race detector looks on.
func TestAEADConcurrency(t *testing.T) {
	for _, e := range combined() {
		info, _ := e.Info()
		a, err := NewAEAD(e, make([]byte, info.KeyBits[0]/8))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			t.Run(e.String(), func(t *testing.T) {
				t.Parallel()
				plain := bytes.Repeat([]byte{byte(n)}, 100*n)
				nonce := bytes.Repeat([]byte{byte(n)}, a.NonceSize())
				for range 50 {
					opened, err := a.Open(nil, nonce, a.Seal(nil, nonce, plain, nonce), nonce)
					if err != nil || !bytes.Equal(opened, plain) {
						t.Fatalf("opened %d bytes, %v", len(opened), err)
					}
				}
			})
		}
	}
}
