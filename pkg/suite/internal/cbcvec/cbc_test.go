package cbcvec

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// rfc3602 is what RFC 3602 §4 prints of the bare cipher.
var rfc3602 = []struct{ number, key, iv, text, ciphertext string }{
	{"1", "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41", "53696e676c6520626c6f636b206d7367", "e353779c1079aeb82708942dbe77181a"},
	{"2", "c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"},
	{"3", "6c3ea0477630ce21a2ce334aa746c2cd", "c782dc4c098c66cbd9cd27d825682c81",
		"5468697320697320612034382d62797465206d657373616765202865786163746c7920332041455320626c6f636b7329",
		"d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5021c19216bad525c8579695d83ba2684"},
	{"4", "56e47a38c5598974bc46903dba290349", "8ce82eefbea0da3c44699ed7db51b7d9",
		"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
		"c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55"},
}

func TestRFC3602(t *testing.T) {
	for _, v := range rfc3602 {
		ours(t, aeadtest.Unhex(v.key)).check(t, "case "+v.number, aeadtest.Unhex(v.iv), aeadtest.Unhex(v.text), aeadtest.Unhex(v.ciphertext))
	}
}

// TestSP80038A is what SP 800-38A Appendix F.2 prints: each size of key.
func TestSP80038A(t *testing.T) {
	iv := aeadtest.Unhex("000102030405060708090a0b0c0d0e0f")
	text := aeadtest.Unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	for _, v := range []struct{ section, key, ciphertext string }{
		{"F.2.1", "2b7e151628aed2a6abf7158809cf4f3c",
			"7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
		{"F.2.3", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
			"4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"},
		{"F.2.5", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
			"f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"},
	} {
		ours(t, aeadtest.Unhex(v.key)).check(t, "section "+v.section, iv, text, aeadtest.Unhex(v.ciphertext))
	}
}

func TestPanics(t *testing.T) {
	m := ours(t, aeadtest.Pattern(16, 1))
	buf, iv := make([]byte, 300), make([]byte, 16)
	for name, run := range map[string]func(crypt func(dst, src, iv []byte)){
		"short IV":               func(crypt func(dst, src, iv []byte)) { crypt(buf[:32], buf[:32], iv[:15]) },
		"long IV":                func(crypt func(dst, src, iv []byte)) { crypt(buf[:32], buf[:32], make([]byte, 17)) },
		"no IV and nothing":      func(crypt func(dst, src, iv []byte)) { crypt(nil, nil, nil) },
		"part of a block":        func(crypt func(dst, src, iv []byte)) { crypt(buf[:32], buf[:31], iv) },
		"less than a block":      func(crypt func(dst, src, iv []byte)) { crypt(buf[:32], buf[:1], iv) },
		"output is shorter":      func(crypt func(dst, src, iv []byte)) { crypt(buf[:31], buf[100:132], iv) },
		"no output":              func(crypt func(dst, src, iv []byte)) { crypt(nil, buf[:16], iv) },
		"overlap by one":         func(crypt func(dst, src, iv []byte)) { crypt(buf[31:63], buf[:32], iv) },
		"overlap from behind":    func(crypt func(dst, src, iv []byte)) { crypt(buf[:32], buf[1:33], iv) },
		"overlap by whole block": func(crypt func(dst, src, iv []byte)) { crypt(buf[16:48], buf[:32], iv) },
	} {
		for _, crypt := range []func(dst, src, iv []byte){m.encrypt, m.decrypt} {
			func() {
				defer func() {
					if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "cbcvec: ") {
						t.Errorf("%s: no panic of ours: %q", name, text)
					}
				}()
				run(crypt)
			}()
		}
	}
	for _, crypt := range []func(dst, src, iv []byte){m.encrypt, m.decrypt} { // neighbours are no overlap, and there may be more room than is needed
		crypt(buf[32:64], buf[:32], iv)
		crypt(buf[:200], buf[16:16], iv)
		crypt(buf[:100], buf[:96], iv)
		crypt(buf[:33], buf[32:64], iv)
	}
}

// TestMoreRoom: of an output that is longer than the text only the beginning is written.
func TestMoreRoom(t *testing.T) {
	m := ours(t, aeadtest.Pattern(16, 1))
	for _, crypt := range []func(dst, src, iv []byte){m.encrypt, m.decrypt} {
		for n := 0; n < 600; n += 16 {
			dst := bytes.Repeat([]byte{0xA5}, n+100)
			crypt(dst, make([]byte, n), make([]byte, 16))
			if !bytes.Equal(dst[n:], bytes.Repeat([]byte{0xA5}, 100)) {
				t.Fatalf("%d bytes: more was written", n)
			}
		}
	}
}

// TestIVAnywhere: the IV may be a part of what is overwritten, as the standard library allows.
func TestIVAnywhere(t *testing.T) {
	key := aeadtest.Pattern(16, 1)
	m, other := ours(t, key), standard(t, key)
	for place := range 64 {
		iv, text := aeadtest.Pattern(16, place), aeadtest.Pattern(80, 5)
		copy(text[place:], iv)
		want := other.Seal(nil, iv, text, nil)
		sealed := bytes.Clone(text)
		if m.encrypt(sealed, sealed, sealed[place:place+16]); !bytes.Equal(sealed, want) {
			t.Fatalf("encrypted with the IV at %d: %x, not %x", place, sealed, want)
		}
		want, _ = other.Open(nil, iv, text, nil)
		opened := bytes.Clone(text)
		if m.decrypt(opened, opened, opened[place:place+16]); !bytes.Equal(opened, want) {
			t.Fatalf("decrypted with the IV at %d: %x, not %x", place, opened, want)
		}
	}
}

func TestNew(t *testing.T) {
	for n := range 70 {
		e, err1 := NewEncrypter(make([]byte, n))
		d, err2 := NewDecrypter(make([]byte, n))
		want := Available() && (n == 16 || n == 24 || n == 32)
		if (err1 == nil) != want || (err2 == nil) != want || (e != nil) != want || (d != nil) != want {
			t.Fatalf("a key of %d bytes: %v, %v", n, err1, err2)
		}
	}
}

// TestUnavailable: what this processor can do is not used where it says that it cannot.
func TestUnavailable(t *testing.T) {
	defer func(was bool) { available = was }(available)
	available = false
	if _, err := NewEncrypter(make([]byte, 16)); err == nil || Available() {
		t.Error("made without the instructions")
	}
	if _, err := NewDecrypter(make([]byte, 16)); err == nil {
		t.Error("made without the instructions")
	}
}

// TestKeepsNothingOfTheCaller: the key may be overwritten.
func TestKeepsNothingOfTheCaller(t *testing.T) {
	key, iv, text := aeadtest.Pattern(16, 1), aeadtest.Pattern(16, 2), aeadtest.Pattern(400, 3)
	m, sealed := ours(t, key), standard(t, key).Seal(nil, iv, text, nil)
	clear(key)
	m.check(t, "after the key was cleared", iv, text, sealed)
}

// TestSizes: one object of a size class of the allocator for a direction of a key, and nothing for a packet.
func TestSizes(t *testing.T) {
	for size, most := range map[uintptr]uintptr{unsafe.Sizeof(schedule128{}): 192, unsafe.Sizeof(schedule192{}): 224, unsafe.Sizeof(schedule256{}): 256} {
		if size > most {
			t.Errorf("%d bytes, more than %d", size, most)
		}
	}
	for _, size := range []int{16, 24, 32} {
		key := aeadtest.Pattern(size, 1)
		m := ours(t, key)
		if n := testing.AllocsPerRun(100, func() { NewEncrypter(key); NewDecrypter(key) }); n != 2 {
			t.Errorf("%v allocations for both directions of a key", n)
		}
		buf, out, iv := make([]byte, 1424), make([]byte, 1424), make([]byte, 16)
		if n := testing.AllocsPerRun(100, func() {
			for _, n := range []int{0, 16, 48, 1424} {
				m.encrypt(buf[:n], buf[:n], iv)
				m.decrypt(buf[:n], buf[:n], iv)
				m.encrypt(out, buf[:n], iv)
				m.decrypt(out, buf[:n], iv)
			}
		}); n != 0 {
			t.Errorf("%v allocations for 16 packets", n)
		}
	}
}

// TestConcurrency uses one key from several tests at a time.
func TestConcurrency(t *testing.T) {
	key := aeadtest.Pattern(32, 1)
	m := ours(t, key)
	for n := range 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			iv, text := aeadtest.Pattern(16, n), aeadtest.Pattern(496*n, n)
			want := standard(t, key).Seal(nil, iv, text, nil)
			for range 200 {
				m.check(t, "at the same time", iv, text, want)
			}
		})
	}
}
