package suite

// Protocol is an IPsec protocol by its IP protocol number.
type Protocol uint8

const (
	ESP Protocol = 50 // RFC 4303
	AH  Protocol = 51 // RFC 4302
)

// Mode is the encapsulation mode of an SA (RFC 4301 §4.1).
type Mode uint8

const (
	Transport Mode = iota + 1
	Tunnel
)

// Encr is an encryption algorithm by its IKEv2 transform type 1 number (IANA); other protocols' numbers are mapped to it.
type Encr uint16

const (
	EncrNone         Encr = 0 // no ESP encryption transform at all (AH)
	DES              Encr = 2
	TripleDES        Encr = 3
	Null             Encr = 11
	AESCBC           Encr = 12
	AESCTR           Encr = 13
	AESCCM8          Encr = 14
	AESCCM12         Encr = 15
	AESCCM16         Encr = 16
	AESGCM8          Encr = 18
	AESGCM12         Encr = 19
	AESGCM16         Encr = 20
	NullGMAC         Encr = 21 // ENCR_NULL_AUTH_AES_GMAC, RFC 4543
	ChaCha20Poly1305 Encr = 28
)

// Integ is an integrity algorithm by its IKEv2 transform type 3 number (IANA).
type Integ uint16

const (
	IntegNone      Integ = 0
	HMACMD5_96     Integ = 1
	HMACSHA1_96    Integ = 2
	AESXCBC96      Integ = 5
	AESCMAC96      Integ = 8
	AES128GMAC     Integ = 9 // AH only, RFC 4543
	AES192GMAC     Integ = 10
	AES256GMAC     Integ = 11
	HMACSHA256_128 Integ = 12
	HMACSHA384_192 Integ = 13
	HMACSHA512_256 Integ = 14
)

// Hash is a hash of IKEv1 phase 1, which also names its HMAC PRF. Numbers are those of RFC 2409 appendix A and IANA.
type Hash uint16

const (
	MD5    Hash = 1
	SHA1   Hash = 2
	SHA256 Hash = 4
	SHA384 Hash = 5
	SHA512 Hash = 6
)

// Group is a key exchange group by its IANA number (the same for IKEv1 and IKEv2).
type Group uint16

const (
	GroupNone  Group = 0
	MODP768    Group = 1
	MODP1024   Group = 2
	MODP1536   Group = 5
	MODP2048   Group = 14
	MODP3072   Group = 15
	MODP4096   Group = 16
	ECP256     Group = 19
	ECP384     Group = 20
	ECP521     Group = 21
	Curve25519 Group = 31
)
