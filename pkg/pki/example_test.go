package pki_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// A peer sent its certificate; the policy accepts one authority and wants a certain peer.
func Example() {
	tb := &testing.B{} // an authority for examples
	root := testpki.Root(tb, "Root")
	peer := root.Issue(tb, "gw", testpki.DNS("gw.example.com"))

	sent, _ := pki.ParseChain([][]byte{peer.Cert.Raw})
	chain, err := pki.Verify(testpki.Now, sent, root.Path(), pki.Rules{})
	fmt.Println(len(chain), "certificates to the authority:", err)

	wanted, _ := pki.ParseName("gw.example.com")
	id, _ := pki.ParseIdentity(pki.IDDN, peer.Cert.RawSubject)
	fmt.Println(id, "accepted:", wanted.Accept(chain[0], id))

	_, err = pki.Verify(testpki.Now.Add(2*365*24*time.Hour), sent, root.Path(), pki.Rules{})
	fmt.Println(err)
	// Output:
	// 2 certificates to the authority: <nil>
	// "C=CH, O=Lab, CN=gw" accepted: <nil>
	// certificate "C=CH, O=Lab, CN=gw": it expired on 2027-06-01 12:00 UTC; this host's clock says 2028-05-31 12:00 UTC
}
