package suite

import (
	"encoding/binary"
	"errors"
)

// ErrWeakKey is wrapped by the errors that NewCipher returns for a key of DES or 3DES that must not be used. Random keys
// practically never are: after a negotiation, negotiate again; a manual key is to be replaced.
var ErrWeakKey = errors.New("the key is one of the weak keys of DES")

// parity is the lowest bit of every byte of a DES key, which the cipher does not use.
const parity = 0x0101010101010101

// weakDES are the weak and semi-weak keys of DES (RFC 2409 Appendix A), without their parity bits.
var weakDES = [...]uint64{
	0x0000000000000000, 0xfefefefefefefefe, 0x1e1e1e1e0e0e0e0e, 0xe0e0e0e0f0f0f0f0,
	0x00fe00fe00fe00fe, 0xfe00fe00fe00fe00, 0x1ee01ee00ef00ef0, 0xe01ee01ef00ef00e,
	0x00e000e000f000f0, 0xe000e000f000f000, 0x1efe1efe0efe0efe, 0xfe1efe1efe0efe0e,
	0x001e001e000e000e, 0x1e001e000e000e00, 0xe0fee0fef0fef0fe, 0xfee0fee0fef0fef0,
}

// checkWeak refuses the weak keys of DES, and keys of 3DES of which two neighbours are equal: "the 3DES operation is simply the
// same as DES. Implementers MUST reject keys that exhibit this property" (RFC 2451 §2.3).
func checkWeak(e Encr, key []byte) error {
	switch e {
	case DES:
		if isWeakDES(desKey(key)) {
			return ErrWeakKey
		}
	case TripleDES:
		if k1, k2, k3 := desKey(key), desKey(key[8:]), desKey(key[16:]); k1 == k2 || k2 == k3 {
			return ErrWeakKey
		}
	}
	return nil
}

func desKey(key []byte) uint64 { return binary.BigEndian.Uint64(key) &^ parity }

func isWeakDES(key uint64) bool {
	found := false
	for _, weak := range weakDES { // all of them, so that the time tells nothing
		found = key == weak || found
	}
	return found
}
