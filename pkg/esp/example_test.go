package esp_test

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// A payload travels from the sealer to the opener that has its key.
func Example() {
	keymat := []byte("sixteen byte key" + "salt")
	sealer, err := esp.NewSealer(suite.AESGCM16, keymat, suite.IntegNone, nil, 0x1001, false, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	opener, err := esp.NewOpener(suite.AESGCM16, keymat, suite.IntegNone, nil, 0x1001, false)
	if err != nil {
		fmt.Println(err)
		return
	}

	payload := "hello"
	pkt := make([]byte, sealer.SealedLen(len(payload)))
	copy(pkt[sealer.Head():], payload)
	if err := sealer.Seal(pkt, 0, len(payload), 6, 1); err != nil {
		fmt.Println(err)
	}

	low, _ := opener.Sequence(pkt, 0)
	off, n, next, err := opener.Open(pkt, 0, uint64(low))
	fmt.Printf("%d bytes on the wire, sequence number %d, next header %d: %q %v\n", len(pkt), low, next, pkt[off:off+n], err)
	// Output: 40 bytes on the wire, sequence number 1, next header 6: "hello" <nil>
}
