package guard_test

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/guard"
)

func ExampleInstall() {
	peer, me := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1")
	protect := classifier.Filter{Src: classifier.HostRange(peer), Dst: classifier.HostRange(me)}
	ssh := protect
	ssh.Proto, ssh.DstPorts = 6, classifier.Port(22)
	err := guard.Install(guard.Config{Instance: "example", Device: "goipsec0", Inbound: []guard.Rule{{ssh, guard.Accept}, {protect, guard.Drop}}})
	if errors.Is(err, guard.ErrUnavailable) {
		fmt.Println("in force, or the host has no firewall for us")
		return
	}
	_, err = guard.Clear("example")
	if err == nil {
		fmt.Println("in force, or the host has no firewall for us")
	}
	// Output: in force, or the host has no firewall for us
}
