package ah_test

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/ah"
	"github.com/goipsec/goipsec/pkg/suite"
)

// A router may count the TTL down; nobody may change an address.
func Example() {
	key := []byte("0123456789abcdef0123456789abcdef")
	sealer, err := ah.NewSealer(suite.HMACSHA256_128, key, 0x2001, false, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	opener, err := ah.NewOpener(suite.HMACSHA256_128, key, 0x2001, false)
	if err != nil {
		fmt.Println(err)
		return
	}

	ip := []byte{0x45, 0, 0, 53, 0, 1, 0, 0, 64, 51, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}
	payload := "hello"
	pkt := make([]byte, len(ip)+sealer.SealedLen(len(payload)))
	copy(pkt, ip)
	copy(pkt[len(ip)+sealer.Head():], payload)
	if err := sealer.Seal(pkt, len(ip), len(payload), 17, 1); err != nil {
		fmt.Println(err)
	}

	pkt[8]-- // TTL
	off, n, next, err := opener.Open(pkt, len(ip), 1)
	fmt.Printf("next header %d: %q %v\n", next, pkt[off:off+n], err)
	pkt[15] = 9 // source address
	_, _, _, err = opener.Open(pkt, len(ip), 1)
	fmt.Println(err)
	// Output:
	// next header 17: "hello" <nil>
	// ah: integrity check failed
}
