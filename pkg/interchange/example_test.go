package interchange_test

import (
	"fmt"
	"os"

	"github.com/goipsec/goipsec/pkg/interchange"
)

// A short script becomes a policy file, and its key a file of its own.
func Example() {
	script := `
netsh ipsec static add policy name=Link activatedefaultrule=no assign=yes mmsecmethods="3DES-SHA1-3"
netsh ipsec static add filter filterlist=Peer srcaddr=me dstaddr=192.0.2.2
netsh ipsec static add filteraction name=Protect qmsecmethods="ESP[3DES,SHA1]"
netsh ipsec static add rule name=Peer policy=Link filterlist=Peer filteraction=Protect psk="throw-away key of an example"
netsh ipsec static set policy name=Other assign=yes
`
	r, err := interchange.ImportNetsh("link.cmd", []byte(script), interchange.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(r.Policy)
	for _, k := range r.Keys {
		fmt.Println(k.Name, k.Secret)
	}
	// Output:
	// # Imported from link.cmd, a script of netsh ipsec static commands.
	// #
	// # Not carried over:
	// # - line 6: set policy: there is no policy "Other": the command is left out
	// policy: Link
	// key_exchange:
	//   methods:
	//     - 3des sha1 modp2048
	// filter_actions:
	//   Protect:
	//     methods:
	//       - esp 3des hmac-sha1-96
	//     lifetime: {seconds: 3600, kilobytes: 100000}
	// rules:
	//   - name: Peer
	//     filters:
	//       - me <-> 192.0.2.2
	//     action: Protect
	//     auth:
	//       - psk_file: peer.key
	// peer.key [secret]
}
