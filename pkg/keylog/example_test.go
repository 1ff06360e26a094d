package keylog_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/keylog"
	"github.com/goipsec/goipsec/pkg/suite"
)

func Example() {
	tmp, err := os.MkdirTemp("", "keylog")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "keys")
	l, err := keylog.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	err = l.Child(&isakmp.ChildSA{
		Local: netip.MustParseAddrPort("192.0.2.1:0"), Remote: netip.MustParseAddrPort("192.0.2.2:0"),
		Protocols: []isakmp.ProtocolKeys{{Protocol: suite.ESP, SPIIn: 0x1001, SPIOut: 0x2002, Encr: suite.AESGCM16, EncrIn: make([]byte, 20), EncrOut: make([]byte, 20)}},
	})
	if err != nil {
		fmt.Println(err)
	}
	tables, err := keylog.Read(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	sa, ok := tables.Find(suite.ESP, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), 0x2002)
	fmt.Println(sa, ok)
	// Output: protocol 50 SA 00002002 192.0.2.1 > 192.0.2.2 true
}
