package interop

import (
	"fmt"
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// charonInKernel is strongSwan's half where the kernel does AH and ESP: between 10.1.0.2, its own, and 10.1.0.1.
const charonInKernel = `connections {
  c {
    version = 1
    local_addrs = 10.1.0.2
    remote_addrs = 10.1.0.1
    proposals = aes128-sha256-modp2048
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
        mode = %s
        %s
        %s_proposals = %s
      }
    }
  }
}
secrets {
  ike-1 {
    secret = %q
  }
}
`

// TestStrongSwanKeysARealKernel negotiates IKEv1 with strongSwan over a real kernel: AH and ESP, transport and tunnel, started
// by either side.
func TestStrongSwanKeysARealKernel(t *testing.T) {
	const tunnelSelectors = "local_ts = 192.168.2.0/24\n        remote_ts = 192.168.1.0/24"
	for _, c := range []struct{ mode, proto, proposal, method string }{
		{"transport", "esp", "aes256-sha256", "esp aes-cbc-256 hmac-sha256-128"},
		{"transport", "ah", "sha256", "ah hmac-sha256-128"},
		{"tunnel", "esp", "aes128gcm16", "esp aes-gcm-16-128"},
		{"tunnel", "ah", "sha1", "ah hmac-sha1-96"},
	} {
		for _, initiator := range []string{"goipsec", "strongSwan"} {
			t.Run(fmt.Sprintf("%s/%s/%s initiates", c.mode, c.proto, initiator), func(t *testing.T) {
				l := lab.New(t)
				k, a := l.Kernel(), l.Host("a")
				k.Connect(a, "10.1.0.1/24")
				k.Address("10.1.0.2/24", "192.168.2.1/32")
				a.Run("ip addr add 192.168.1.1/32 dev lo")
				row := record.Begin(t, record.Row{Peer: "strongSwan and Linux kernel", Version: lab.Peers.Version("strongswan-libcharon") + ", " + k.Release,
					Exchange: "IKEv1 main mode, PSK, " + initiator + " initiates", Suite: c.method, Mode: c.mode, Family: "IPv4"})
				selectors, from, to := "", "10.1.0.1", "10.1.0.2"
				filters := "filters: [\"10.1.0.1 <-> 10.1.0.2\"]"
				if c.mode == "tunnel" {
					selectors, from, to = tunnelSelectors, "192.168.1.1", "192.168.2.1"
					filters = "filters: [{from: 192.168.1.0/24, to: 192.168.2.0/24}]\n    tunnel: {local: 10.1.0.1, remote: 10.1.0.2}"
				}
				s := k.StrongSwan(fmt.Sprintf(charonInKernel, c.mode, selectors, c.proto, c.proposal, psk))
				g := l.Goipsec(a, fmt.Sprintf("policy: test\nrules:\n  - name: kernel\n    %s\n    negotiate: {methods: [%s]}\n    auth: [{psk: %q}]\n"+
					"key_exchange: {methods: [{encryption: aes-cbc-128, hash: sha256, group: modp2048}]}\n", filters, c.method, psk))
				capture := a.Capture("eth0")
				if initiator == "goipsec" {
					l.Until(limit, "an answer of the kernel", func() (bool, string) {
						return a.Ping(to, 1, "-I", from) == 1, fmt.Sprintf("%+v", g.Status().Failures)
					})
				} else {
					s.Initiate("net")
				}
				g.Established(1, limit)
				before := s.Established("net", limit)
				if n := a.Ping(to, 5, "-I", from); n != 5 {
					t.Errorf("%d of 5 pings answered", n)
				}
				after, _ := s.Child("net")
				row.Counted(after.PacketsIn-before.PacketsIn, after.PacketsOut-before.PacketsOut)
				if after.PacketsIn-before.PacketsIn != 5 || after.PacketsOut-before.PacketsOut != 5 {
					t.Errorf("strongSwan reports %d packets in and %d out, want 5 and 5", after.PacketsIn-before.PacketsIn, after.PacketsOut-before.PacketsOut)
				}
				l.NoClear(capture.Stop())
			})
		}
	}
}
