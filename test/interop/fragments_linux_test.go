package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// TestStrongSwanFragments has both ends send their long IKE messages in parts of the smallest size, whoever begins. strongSwan's default is to do so when the peer
// announces it.
func TestStrongSwanFragments(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String(), "fragment_size = 300")
	for _, initiator := range bothInitiate {
		t.Run(initiator+" initiates", func(t *testing.T) {
			l := lab.New(t)
			s, a := s.In(l), a.In(l)
			x := ikeSuites()[0]
			x.ike, x.charonIKE, x.pfs, x.charonESP = "aes-cbc-256 sha512 modp3072", "aes256-sha512-modp3072", "modp2048", "aes128gcm16-modp2048"
			row := record.Begin(t, userSpace(initiator, "messages in fragments of 300 bytes", x.String(), "tunnel in UDP", "IPv4 in IPv4"))
			s.Load(charon{ike: x.charonIKE, esp: x.charonESP, connection: []string{"encap = yes", "fragmentation = yes"}}.String())
			g := l.Goipsec(a, toCharon{ike: x.ike, method: x.esp, pfs: x.pfs, rule: []string{inUDP, "fragmentation: 300"}}.String())
			capture := a.Capture("eth0")
			start(l, a, g, s, initiator)
			echoes(l, a, g, s, row)
			frames := capture.Stop()
			l.NoClear(frames)
			parts := fragmentsIn(frames)
			if parts["10.1.0.1"] < 4 || parts["10.1.0.2"] < 4 {
				t.Errorf("fragments on the wire: %v, want some of main mode and of quick mode from each", parts)
			}
			if longest := longestIKE(frames, "10.1.0.1"); longest > 300 {
				t.Errorf("an IKE datagram of %d bytes", longest)
			}
			g.Stop()
			s.Clear()
		})
	}
}

// fragmentsIn counts IKE fragments by sender.
func fragmentsIn(frames []lab.Frame) map[string]int {
	n := map[string]int{}
	for _, f := range frames {
		if m := ikeMessage(f); m != nil && m[16] == 132 {
			n[fmt.Sprint(f.Src)]++
		}
	}
	return n
}

// longestIKE is the length of the longest IPv4 datagram with an IKE message that a sender sent.
func longestIKE(frames []lab.Frame, sender string) (longest int) {
	for _, f := range frames {
		if f.Src.String() == sender && ikeMessage(f) != nil {
			longest = max(longest, 20+len(f.Payload))
		}
	}
	return longest
}

// ikeMessage is the IKE message in a frame, nil if there is none.
func ikeMessage(f lab.Frame) []byte {
	if f.Protocol != 17 || f.Fragment || len(f.Payload) < 8 {
		return nil
	}
	m := f.Payload[8:]
	if f.SrcPort == 4500 || f.DstPort == 4500 {
		if len(m) < 4 || m[0]|m[1]|m[2]|m[3] != 0 {
			return nil
		}
		m = m[4:]
	} else if f.SrcPort != 500 && f.DstPort != 500 {
		return nil
	}
	if len(m) < 28 {
		return nil
	}
	return m
}

// TestStrongSwanFragmentsOfCertificates: messages with RSA certificates and the CA between are longer than a datagram of 1280 bytes, and go in parts by both ends' defaults.
func TestStrongSwanFragmentsOfCertificates(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	c := publicKeys()[1]
	root, alice, bob := c.world(t)
	for _, initiator := range bothInitiate {
		t.Run(initiator+" initiates", func(t *testing.T) {
			l := lab.New(t)
			s, a := s.In(l), a.In(l)
			row := record.Begin(t, userSpace(initiator, "RSA certificates in fragments", c.ike+"; esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
			row.Exchange = strings.Replace(row.Exchange, "PSK, ", "", 1)
			s.Load(certified(s, charon{ike: c.charon, connection: []string{"encap = yes", "fragmentation = yes", "send_cert = always"}}, root, bob, t, "C=CH, O=Lab, CN=alice"))
			g := l.Goipsec(a, certifiedRule(l, t, toCharon{ike: c.ike, rule: []string{inUDP}}, root, alice, ""))
			capture := a.Capture("eth0")
			start(l, a, g, s, initiator)
			echoes(l, a, g, s, row)
			frames := capture.Stop()
			l.NoClear(frames)
			if parts := fragmentsIn(frames); parts["10.1.0.1"] < 2 || parts["10.1.0.2"] < 2 {
				t.Errorf("fragments on the wire: %v, want some of each", parts)
			}
			if longest := longestIKE(frames, "10.1.0.1"); longest > 1280 || longest < 1000 {
				t.Errorf("the longest IKE datagram has %d bytes", longest)
			}
			g.Stop()
			s.Clear()
		})
	}
}
