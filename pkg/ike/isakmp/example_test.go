package isakmp_test

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// A message is built from payloads and read again.
func Example() {
	body, _ := isakmp.AppendPayloads(nil, []isakmp.Payload{{Type: isakmp.PayloadVendor, Body: isakmp.VendorDPD}})
	h := isakmp.Header{InitiatorCookie: isakmp.Cookie{1}, NextPayload: isakmp.PayloadVendor, Version: isakmp.Version1,
		Exchange: isakmp.MainMode, Length: isakmp.HeaderLen + len(body)}
	datagram := append(h.Append(nil), body...)

	got, err := isakmp.ParseHeader(datagram)
	if err != nil {
		fmt.Println(err)
		return
	}
	payloads, err := isakmp.ParsePayloads(got.NextPayload, datagram[isakmp.HeaderLen:], false)
	fmt.Println(got.Exchange, len(payloads), len(payloads[0].Body), err)
	// Output: main mode 1 16 <nil>
}
