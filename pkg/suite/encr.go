package suite

import (
	"fmt"
	"slices"
)

// EncrInfo describes one encryption algorithm. Sizes are in bytes, key sizes in bits.
type EncrInfo struct {
	Name      string // as users write it, for example "aes-gcm-16"
	KeyBits   []int  // allowed key sizes; the first is the default; empty for NULL
	FixedKey  bool   // the size is implied: no key length attribute on the wire (DES, 3DES, ChaCha20, NULL)
	SaltLen   int    // bytes of salt at the end of the keying material
	IVLen     int    // explicit IV in the packet
	BlockSize int    // the payload with padding is a multiple of it; 1 for stream modes
	ICVLen    int    // combined modes only, else 0
	Combined  bool   // encrypts and authenticates: no separate Integ
	Counter   bool   // a repeated IV under one key is fatal: refused with manual keys
	Weak      string // why it is weak, or ""
	Note      string // what a careful reader should know though it is not weak, or ""

	// SafeKilobytes is how much one key should protect at most, in kilobytes of 1024 bytes; 0 is no bound below that of
	// the sequence numbers. SafeReason says where the figure comes from.
	SafeKilobytes uint64
	SafeReason    string
}

// The bounds on the data under one key. A cipher with blocks of n bits shows structure after about 2^(n/2) blocks, with a
// probability of blocks²/2^(n+1) before that.
const (
	// safe64 are the 100,000 kilobytes that are also the usual lifetime of a quick-mode SA: 2^24 blocks of 64 bits, 2^-17.
	safe64       = 100_000
	safe64Reason = "64-bit blocks: two equal cipher blocks, which show the XOR of two plaintexts, are to be expected after 32 GB (Sweet32); " +
		"with 100,000 kilobytes the odds are below 1 in 100,000"
	// safe128 is 2^36 blocks of 128 bits: 2^-57, the margin that RFC 8446 §5.5 takes for TLS.
	safe128       = 1 << 30
	safe128Reason = "128-bit blocks: with 2^36 blocks (1 TiB) the odds of telling the cipher from random stay below 2^-57"
	// CCM enciphers each block twice, once for the CBC-MAC and once for the key stream.
	safeCCM       = 1 << 29
	safeCCMReason = "128-bit blocks, each used twice (CBC-MAC and counter mode): 2^36 blocks are 512 GiB"
)

const shortICV = "8-byte ICV: a forger who may try 2^64 packets succeeds once; RFC 8221 §5 keeps it for small devices"

func aesGCM(name string, icv int, note string) EncrInfo {
	return EncrInfo{Name: name, KeyBits: []int{128, 192, 256}, SaltLen: 4, IVLen: 8, BlockSize: 1, ICVLen: icv,
		Combined: true, Counter: true, Note: note, SafeKilobytes: safe128, SafeReason: safe128Reason}
}

func aesCCM(name string, icv int, note string) EncrInfo {
	info := aesGCM(name, icv, note)
	info.SaltLen, info.SafeKilobytes, info.SafeReason = 3, safeCCM, safeCCMReason // RFC 4309 §4: 11-byte nonce
	return info
}

// encrs is the list of encryption algorithms, the best first.
var encrs = []struct {
	id Encr
	EncrInfo
}{
	{AESGCM16, aesGCM("aes-gcm-16", 16, "")},
	{ChaCha20Poly1305, EncrInfo{Name: "chacha20-poly1305", KeyBits: []int{256}, FixedKey: true, SaltLen: 4, IVLen: 8,
		BlockSize: 1, ICVLen: 16, Combined: true, Counter: true}},
	{AESCCM16, aesCCM("aes-ccm-16", 16, "")},
	{AESGCM12, aesGCM("aes-gcm-12", 12, "")},
	{AESCCM12, aesCCM("aes-ccm-12", 12, "")},
	{AESGCM8, aesGCM("aes-gcm-8", 8, shortICV)},
	{AESCCM8, aesCCM("aes-ccm-8", 8, shortICV)},
	{AESCBC, EncrInfo{Name: "aes-cbc", KeyBits: []int{128, 192, 256}, IVLen: 16, BlockSize: 16,
		SafeKilobytes: safe128, SafeReason: safe128Reason}},
	{AESCTR, EncrInfo{Name: "aes-ctr", KeyBits: []int{128, 192, 256}, SaltLen: 4, IVLen: 8, BlockSize: 1, Counter: true,
		SafeKilobytes: safe128, SafeReason: safe128Reason}},
	{TripleDES, EncrInfo{Name: "3des", KeyBits: []int{192}, FixedKey: true, IVLen: 8, BlockSize: 8,
		Weak:          "64-bit blocks: no more than a small amount of data is safe under one key (Sweet32), and it is slow",
		SafeKilobytes: safe64, SafeReason: safe64Reason}},
	{NullGMAC, func() EncrInfo {
		info := aesGCM("aes-gmac", 16, "authenticates and does not encrypt (RFC 4543)")
		info.Weak = "no encryption: everyone on the way can read the packets"
		return info
	}()},
	{DES, EncrInfo{Name: "des", KeyBits: []int{64}, FixedKey: true, IVLen: 8, BlockSize: 8,
		Weak:          "56-bit keys are found by trying them all, and its blocks have 64 bits",
		SafeKilobytes: safe64, SafeReason: safe64Reason}},
	{Null, EncrInfo{Name: "null", FixedKey: true, BlockSize: 1,
		Weak: "no encryption: everyone on the way can read the packets"}},
}

// Encrs lists the encryption algorithms that work here, the best first.
func Encrs() []Encr {
	var list []Encr
	for _, row := range encrs {
		if works(row.id) == nil {
			list = append(list, row.id)
		}
	}
	return list
}

// Info returns the algorithm's description; ok is false for one that is not known or that failed its self-test.
// The caller may keep the slice KeyBits but not change it.
func (e Encr) Info() (info EncrInfo, ok bool) {
	info = e.info()
	return info, info.Name != "" && works(e) == nil
}

// info describes the algorithm whether or not it passed its self-test.
func (e Encr) info() EncrInfo {
	for i := range encrs {
		if encrs[i].id == e {
			return encrs[i].EncrInfo
		}
	}
	return EncrInfo{}
}

// KeyMatLen returns the bytes of keying material (key and salt) for a key of so many bits; 0 bits mean the default size.
// Algorithms of one size ignore bits. It is 0 for a size that the algorithm does not have (and for NULL).
func (e Encr) KeyMatLen(bits int) int {
	info := e.info()
	if bits, ok := info.keyBits(bits); ok {
		return bits/8 + info.SaltLen
	}
	return 0
}

// keyBits settles the size of a key; ok is false for a size that the algorithm does not have.
func (info *EncrInfo) keyBits(bits int) (n int, ok bool) {
	if len(info.KeyBits) == 0 {
		return 0, info.FixedKey
	}
	if bits == 0 || info.FixedKey {
		return info.KeyBits[0], true
	}
	return bits, slices.Contains(info.KeyBits, bits)
}

// String returns the name that ParseEncr reads.
func (e Encr) String() string { return e.Name(0) }

// Name returns the algorithm's name with the key size, as ParseEncr reads it: "aes-gcm-16-256". With 0 bits, and for
// algorithms of one size, it is the bare name.
func (e Encr) Name(bits int) string {
	if e == EncrNone {
		return none
	}
	info := e.info()
	switch {
	case info.Name == "":
		return fmt.Sprintf("encryption algorithm %d", uint16(e))
	case bits == 0 || info.FixedKey:
		return info.Name
	}
	return fmt.Sprintf("%s-%d", info.Name, bits)
}

// checkKey compares the length of a key, without its salt, with the sizes that the algorithm has.
func (e Encr) checkKey(n int) error {
	info := e.info()
	if bits, ok := info.keyBits(8 * n); ok && bits == 8*n {
		return nil
	}
	return fmt.Errorf("%v takes a key of %s, not of %d bytes", e, info.keySizes(), n)
}

// keySizes writes the key sizes for people: "16, 24 or 32 bytes".
func (info *EncrInfo) keySizes() string {
	text := "0"
	for i, bits := range info.KeyBits {
		switch i {
		case 0:
			text = fmt.Sprint(bits / 8)
		case len(info.KeyBits) - 1:
			text += fmt.Sprint(" or ", bits/8)
		default:
			text += fmt.Sprint(", ", bits/8)
		}
	}
	return text + " bytes"
}
