package sa_test

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// The receiver chooses the SPI; then both ends have keys, and packets flow.
func Example() {
	db := sa.NewDB(rand.Reader, 1024)
	spi, err := db.Reserve()
	if err != nil {
		fmt.Println(err)
		return
	}

	keymat, now := []byte("sixteen byte key"+"salt"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sealer, err := esp.NewSealer(suite.AESGCM16, keymat, suite.IntegNone, nil, spi, false, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	opener, err := esp.NewOpener(suite.AESGCM16, keymat, suite.IntegNone, nil, spi, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	lifetime := sa.Limits(3600, 0, suite.AESGCM16, false, 0.3)
	out := sa.NewOutbound(sa.OutboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Sealer: sealer, Lifetime: lifetime}, now)
	if err := db.Install(sa.NewInbound(sa.InboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Opener: opener, Lifetime: lifetime}, now)); err != nil {
		fmt.Println(err)
		return
	}

	pkt := make([]byte, sealer.SealedLen(5))
	copy(pkt[sealer.Head():], "hello")
	out.Lock()
	err = out.Seal(pkt, 0, 5, 4)
	out.Unlock()
	again := append([]byte(nil), pkt...)

	in := db.Lookup(spi, suite.ESP)
	off, n, next, _, openErr := in.Open(pkt, 0, now)
	fmt.Printf("%q, next header %d, %v, %v\n", pkt[off:off+n], next, err, openErr)
	_, _, _, _, err = in.Open(again, 0, now)
	fmt.Println(err)
	fmt.Println(out.Check(now), out.Check(now.Add(55*time.Minute)), out.Check(now.Add(time.Hour)))
	// Output:
	// "hello", next header 4, <nil>, <nil>
	// sa: sequence number was received before
	// live soft hard
}
