package system

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// TestDefaultExemptions: with everything blocked, at each level that passes which the level exempts, in both directions, and nothing else does.
func TestDefaultExemptions(t *testing.T) {
	for level, passes := range []struct{ multicast, kerberos bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		t.Run(fmt.Sprint("level ", level), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			listen := w.udp(w.a, ":4242")
			kerberos, other := w.udp(w.a, "10.1.0.1:88"), w.udp(w.b, "10.1.0.2:4243")
			fromKerberos := w.udp(w.b, "10.1.0.2:88")
			w.a.Run("ip route add 224.0.0.0/4 dev eth0; ip neigh replace 10.1.0.2 lladdr $(ip netns exec " + w.b.NS + " cat /sys/class/net/eth0/address) dev eth0")
			g := w.Goipsec(w.a, fmt.Sprintf("policy: test\nexemptions: %d\nrules: [{name: closed, filters: [any <-> any], action: block}]\n", level))

			// What arrives.
			for _, c := range []struct {
				name string
				from *net.UDPConn
				to   string
				pass bool
			}{
				{"from port 88", fromKerberos, "10.1.0.1:4242", passes.kerberos},
				{"from another port", other, "10.1.0.1:4242", false},
				{"to port 88", other, "10.1.0.1:88", passes.kerberos},
				{"to the subnet's broadcast address", other, "10.1.0.255:4242", passes.multicast},
			} {
				to := listen
				if c.to == "10.1.0.1:88" {
					to = kerberos
				}
				if got := arrives(t, c.from, to, c.to, c.pass); got != c.pass {
					t.Errorf("%s: arrives %v, want %v", c.name, got, c.pass)
				}
			}

			// What leaves: seen on the wire at the other end.
			capture := w.b.Capture("eth0")
			for _, c := range []struct {
				name string
				from *net.UDPConn
				to   string
				pass bool
			}{
				{"to port 88", listen, "10.1.0.2:88", passes.kerberos},
				{"from port 88", kerberos, "10.1.0.2:4243", passes.kerberos},
				{"to another port", listen, "10.1.0.2:4244", false},
				{"to a multicast group", listen, "224.0.0.99:4245", passes.multicast},
			} {
				from := len(capture.Frames())
				addr, err := net.ResolveUDPAddr("udp4", c.to)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = c.from.WriteToUDP([]byte("x"), addr) // the guard makes the system refuse some
				wait := 500 * time.Millisecond
				if c.pass {
					wait = 20 * time.Second
				}
				_, got := capture.Await(wait, from, func(f *lab.Frame) bool {
					return f.Protocol == 17 && int(f.DstPort) == addr.Port && f.Src.String() == "10.1.0.1"
				})
				if got != c.pass {
					t.Errorf("%s: leaves %v, want %v; %s", c.name, got, c.pass, traffic(g.Status()))
				}
			}
		})
	}
}

// udp is a socket in a host.
func (w *world) udp(h *lab.Host, at string) (c *net.UDPConn) {
	w.t.Helper()
	h.Inside(func() error {
		addr, err := net.ResolveUDPAddr("udp4", at)
		if err == nil {
			c, err = net.ListenUDP("udp4", addr)
		}
		return err
	})
	w.t.Cleanup(func() { c.Close() })
	return c
}

// arrives sends a datagram and reports whether it comes. One that ought to is given more time: on a busy machine it may be late, and if a neighbour is asked for twice it is.
func arrives(t *testing.T, from, to *net.UDPConn, addr string, ought bool) bool {
	t.Helper()
	a, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := from.WriteToUDP([]byte("x"), a); err != nil {
		t.Fatal(err)
	}
	wait := time.Second
	if ought {
		wait = 20 * time.Second
	}
	_ = to.SetReadDeadline(time.Now().Add(wait))
	_, _, err = to.ReadFromUDP(make([]byte, 10))
	return err == nil
}
