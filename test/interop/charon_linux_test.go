package interop

import (
	"fmt"
	"strings"
)

// A charon is strongSwan's half of an IKEv1 connection, as swanctl.conf. The zero value of a field is what it says.
type charon struct {
	local, remote     string // addresses: 10.1.0.2 and 10.1.0.1
	localTS, remoteTS string // 192.168.2.0/24 and 192.168.1.0/24; "-": none, for transport mode
	ike, proto, esp   string // proposals: aes128-sha256-modp2048, esp, aes128gcm16
	secret            string // that of all the tests
	connection, child []string
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func (c charon) String() string {
	child := append([]string{fmt.Sprintf("%s_proposals = %s", or(c.proto, "esp"), or(c.esp, "aes128gcm16"))}, c.child...)
	if c.localTS != "-" {
		child = append(child, "local_ts = "+or(c.localTS, "192.168.2.0/24"), "remote_ts = "+or(c.remoteTS, "192.168.1.0/24"))
	}
	return fmt.Sprintf(`connections {
  c {
    version = 1
    local_addrs = %s
    remote_addrs = %s
    proposals = %s
    %s
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
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
`, or(c.local, "10.1.0.2"), or(c.remote, "10.1.0.1"), or(c.ike, "aes128-sha256-modp2048"), strings.Join(c.connection, "\n    "),
		strings.Join(child, "\n        "), or(c.secret, psk))
}

// A toCharon is goipsec's half of the same.
type toCharon struct {
	filter    string // {from: 192.168.1.0/24, to: 192.168.2.0/24}
	tunnel    string // {local: 10.1.0.1, remote: 10.1.0.2}; "-": transport mode
	method    string // esp aes-gcm-16-128
	pfs       string // none
	ike       string // aes-cbc-128 sha256 modp2048
	exchange  string // further keys of key_exchange, such as ", quick_modes: 1"
	secret    string // that of all the tests
	auth      string // further keys of auth, such as remote_id
	rule, top []string
}

func (p toCharon) String() string {
	rule := append([]string{fmt.Sprintf("auth: [{psk: %q%s}]", or(p.secret, psk), p.auth),
		fmt.Sprintf("negotiate: {methods: [%s], pfs: %s}", or(p.method, "esp aes-gcm-16-128"), or(p.pfs, "none"))}, p.rule...)
	if p.tunnel != "-" {
		rule = append(rule, "tunnel: "+or(p.tunnel, "{local: 10.1.0.1, remote: 10.1.0.2}"))
	}
	return fmt.Sprintf("policy: test\nkey_exchange: {methods: [%s]%s}\n%s\nrules:\n  - name: charon\n    filters: [%s]\n    %s\n",
		or(p.ike, "aes-cbc-128 sha256 modp2048"), p.exchange, strings.Join(p.top, "\n"), or(p.filter, "{from: 192.168.1.0/24, to: 192.168.2.0/24}"), strings.Join(rule, "\n    "))
}

// inUDP has both ends put ESP into UDP without a NAT: strongSwan in user space has it no other way.
const inUDP = "encapsulation: udp"
