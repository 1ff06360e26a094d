package suite

import "fmt"

// IntegInfo describes one integrity algorithm. Sizes are in bytes.
type IntegInfo struct {
	Name    string
	KeyLen  int
	SaltLen int // GMAC
	IVLen   int // GMAC in AH carries its IV before the ICV
	ICVLen  int
	Counter bool // a repeated IV under one key is fatal: refused with manual keys
	Weak    string
}

// integs is the list of integrity algorithms, the best first. Key lengths are those of RFC 2403, 2404, 4868 §2.1.1, 3566, 4494
// and 4543.
var integs = []struct {
	id Integ
	IntegInfo
}{
	{HMACSHA256_128, IntegInfo{Name: "hmac-sha256-128", KeyLen: 32, ICVLen: 16}},
	{HMACSHA384_192, IntegInfo{Name: "hmac-sha384-192", KeyLen: 48, ICVLen: 24}},
	{HMACSHA512_256, IntegInfo{Name: "hmac-sha512-256", KeyLen: 64, ICVLen: 32}},
	{AES128GMAC, gmacInfo("aes128-gmac", 16)},
	{AES192GMAC, gmacInfo("aes192-gmac", 24)},
	{AES256GMAC, gmacInfo("aes256-gmac", 32)},
	{AESCMAC96, IntegInfo{Name: "aes-cmac-96", KeyLen: 16, ICVLen: 12}},
	{AESXCBC96, IntegInfo{Name: "aes-xcbc-96", KeyLen: 16, ICVLen: 12}},
	{HMACSHA1_96, IntegInfo{Name: "hmac-sha1-96", KeyLen: 20, ICVLen: 12, Weak: weakSHA1}},
	{HMACMD5_96, IntegInfo{Name: "hmac-md5-96", KeyLen: 16, ICVLen: 12,
		Weak: "MD5 is broken; its HMAC has lost its margin, and RFC 8221 §6 forbids it"}},
}

func gmacInfo(name string, keyLen int) IntegInfo {
	return IntegInfo{Name: name, KeyLen: keyLen, SaltLen: 4, IVLen: 8, ICVLen: 16, Counter: true}
}

// Integs lists the integrity algorithms that work here, the best first.
func Integs() []Integ {
	var list []Integ
	for _, row := range integs {
		if works(row.id) == nil {
			list = append(list, row.id)
		}
	}
	return list
}

// Info returns the algorithm's description; ok is false for one that is not known or that failed its self-test.
func (i Integ) Info() (info IntegInfo, ok bool) {
	info = i.info()
	return info, info.Name != "" && works(i) == nil
}

// info describes the algorithm whether or not it passed its self-test.
func (i Integ) info() IntegInfo {
	for n := range integs {
		if integs[n].id == i {
			return integs[n].IntegInfo
		}
	}
	return IntegInfo{}
}

// KeyMatLen returns the bytes of keying material (key and salt).
func (i Integ) KeyMatLen() int {
	info := i.info()
	return info.KeyLen + info.SaltLen
}

// String returns the name that ParseInteg reads.
func (i Integ) String() string {
	if i == IntegNone {
		return none
	}
	if info := i.info(); info.Name != "" {
		return info.Name
	}
	return fmt.Sprintf("integrity algorithm %d", uint16(i))
}

// IsGMAC says whether i is AES-GMAC for AH, which is made with NewAEAD(NullGMAC, key) and needs a nonce for each packet.
func (i Integ) IsGMAC() bool { return i == AES128GMAC || i == AES192GMAC || i == AES256GMAC }
