package interop

import (
	"fmt"
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// charon is strongSwan's half of an IKEv1 tunnel between 192.168.2.0/24 (its own) and 192.168.1.0/24 (goipsec's).
func charon(ike, esp string, more string) string {
	return fmt.Sprintf(`connections {
  c {
    version = 1
    local_addrs = 10.1.0.2
    remote_addrs = 10.1.0.1
    proposals = %s
    encap = yes
    dpd_delay = 5s
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
        local_ts = 192.168.2.0/24
        remote_ts = 192.168.1.0/24
        esp_proposals = %s
        %s
      }
    }
  }
}
secrets {
  ike-1 {
    secret = %q
  }
}
`, ike, esp, more, psk)
}

// tunnelTo is goipsec's half.
const tunnelTo = `policy: test
rules:
  - name: charon
    filters: [{from: 192.168.1.0/24, to: 192.168.2.0/24}]
    tunnel: {local: 10.1.0.1, remote: 10.1.0.2}
    encapsulation: udp
    negotiate: {methods: [%s]}
    auth: [{psk: %q}]
key_exchange: {methods: [%s]}
`

// TestStrongSwanIKEv1 negotiates a tunnel with strongSwan in user space, started by either side, and rekeys and deletes from both.
func TestStrongSwanIKEv1(t *testing.T) {
	for _, initiator := range []string{"goipsec", "strongSwan"} {
		t.Run(initiator+" initiates", func(t *testing.T) {
			l := lab.New(t)
			a, b := site(l)
			row := record.Begin(t, record.Row{Peer: "strongSwan, ESP in user space", Version: lab.Peers.Version("strongswan-libcharon"),
				Exchange: "IKEv1 main mode, PSK, " + initiator + " initiates", Suite: "esp aes-gcm-16-128", Mode: "tunnel in UDP", Family: "IPv4 in IPv4"})
			s := l.StrongSwan(b, charon("aes128-sha256-modp2048", "aes128gcm16", ""))
			g := l.Goipsec(a, fmt.Sprintf(tunnelTo, "esp aes-gcm-16-128", psk, "{encryption: aes-cbc-128, hash: sha256, group: modp2048}"))
			capture := a.Capture("eth0")
			if initiator == "goipsec" {
				l.Until(limit, "an answer through the tunnel", func() (bool, string) {
					return a.Ping("192.168.2.1", 1, "-I", "192.168.1.1") == 1, fmt.Sprintf("%+v", g.Status().Failures)
				})
			} else {
				s.Initiate("net")
			}
			g.Established(1, limit)
			before := s.Established("net", limit)
			if n := a.Ping("192.168.2.1", 5, "-I", "192.168.1.1"); n != 5 {
				t.Errorf("%d of 5 pings answered", n)
			}
			after, _ := s.Child("net")
			row.Counted(after.PacketsIn-before.PacketsIn, after.PacketsOut-before.PacketsOut)
			if after.PacketsIn-before.PacketsIn != 5 {
				t.Errorf("strongSwan decrypted %d packets, want 5", after.PacketsIn-before.PacketsIn)
			}
			l.NoClear(capture.Stop())
		})
	}
}
