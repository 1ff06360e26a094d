package ikev1_test

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/ikev1"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// A machine whose policy covers nobody answers nobody.
func Example() {
	m, err := ikev1.New(ikev1.Config{Rand: rand.Reader, Policy: &policy.Compiled{Policy: &policy.Policy{}},
		NewSPI: func(suite.Protocol, int) (uint32, error) { return 0x1001, nil }})
	if err != nil {
		fmt.Println(err)
		return
	}
	header := isakmp.Header{InitiatorCookie: isakmp.Cookie{1}, Version: isakmp.Version1, Exchange: isakmp.MainMode, Length: isakmp.HeaderLen}
	m.Receive(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), isakmp.Datagram{Local: netip.MustParseAddrPort("192.0.2.1:500"),
		Remote: netip.MustParseAddrPort("192.0.2.2:500"), Data: header.Append(nil)})
	_, any := m.Next()
	fmt.Println(any, m.Stats().Uncovered)
	// Output: false 1
}
