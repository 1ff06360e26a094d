package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// The laboratory proves itself before goipsec is asked: real peers against each other.

func TestLabHostsHaveALinkOfTheirOwn(t *testing.T) {
	l := lab.New(t)
	a, _ := l.Pair()
	capture := a.Capture("eth0")
	for _, address := range []string{"10.1.0.2", "fd01::2"} {
		if n := a.Ping(address, 3); n != 3 {
			t.Errorf("%d of 3 pings to %s answered", n, address)
		}
	}
	if kinds := lab.Kinds(capture.Stop()); kinds["clear"] != 12 {
		t.Errorf("captured %v, want 12 clear frames: three requests and replies of each family", kinds)
	}
}

func TestLabKernelChecksWhatItReceives(t *testing.T) {
	l := lab.New(t)
	k := l.Kernel()
	a := l.Host("a")
	k.Connect(a, "10.2.0.1/24", "fd02::1/64")
	k.Address("10.2.0.2/24", "fd02::2/64")
	if n := a.Ping("10.2.0.2", 3); n != 3 {
		t.Fatalf("%d of 3 pings answered", n)
	}
	if n := k.Ping("fd02::1", 3); n != 3 {
		t.Fatalf("%d of 3 pings from the kernel answered", n)
	}
	k.Run(`ip xfrm state add src 10.2.0.2 dst 10.2.0.1 proto ah spi 0x101 mode transport auth 'hmac(sha1)' 0x000102030405060708090a0b0c0d0e0f10111213
		ip xfrm policy add src 10.2.0.2 dst 10.2.0.1 dir out tmpl src 10.2.0.2 dst 10.2.0.1 proto ah mode transport`)
	capture := a.Capture("eth0")
	k.Ping("10.2.0.1", 2)
	if kinds := lab.Kinds(capture.Stop()); kinds["ah"] != 2 {
		t.Errorf("captured %v, want 2 AH packets", kinds)
	}
	if n := k.Packets("ah", "10.2.0.1"); n != 2 {
		t.Errorf("the kernel counts %d packets, want 2", n)
	}
}

const strongSwanPair = `connections {
  c {
    version = %[4]d
    local_addrs = %[1]s
    remote_addrs = %[2]s
    proposals = aes128-sha256-modp2048
    encap = yes
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
        local_ts = %[3]s
        remote_ts = %[5]s
        esp_proposals = aes128gcm16-modp2048
      }
    }
  }
}
secrets {
  ike-1 {
    secret = "a key for tests only"
  }
}
`

func TestLabStrongSwanMeetsStrongSwan(t *testing.T) {
	l := lab.New(t)
	a, b := l.Pair()
	a.Run("ip addr add 192.168.1.1/24 dev lo")
	b.Run("ip addr add 192.168.2.1/24 dev lo")
	left := l.StrongSwan(a, fmt.Sprintf(strongSwanPair, "10.1.0.1", "10.1.0.2", "192.168.1.0/24", 1, "192.168.2.0/24"))
	right := l.StrongSwan(b, fmt.Sprintf(strongSwanPair, "10.1.0.2", "10.1.0.1", "192.168.2.0/24", 1, "192.168.1.0/24"))
	left.Initiate("net")
	right.Established("net", 10*time.Second)
	capture := a.Capture("eth0")
	if n := a.Ping("192.168.2.1", 5, "-I", "192.168.1.1"); n != 5 {
		t.Errorf("%d of 5 pings through the tunnel answered", n)
	}
	l.NoClear(capture.Stop())
	if child, _ := right.Child("net"); child.PacketsIn != 5 || child.PacketsOut != 5 || child.Mode != "TUNNEL" {
		t.Errorf("strongSwan reports %+v, want 5 packets each way in tunnel mode", child)
	}
}

func TestLabStrongSwanKeysTheKernel(t *testing.T) {
	l := lab.New(t)
	k := l.Kernel()
	a := l.Host("a")
	k.Connect(a, "10.1.0.1/24")
	k.Address("10.1.0.2/24")
	a.Run("ip addr add 192.168.1.1/24 dev lo")
	k.Run("ip addr add 192.168.2.1/24 dev vec0")
	left := l.StrongSwan(a, fmt.Sprintf(strongSwanPair, "10.1.0.1", "10.1.0.2", "192.168.1.0/24", 1, "192.168.2.0/24"))
	right := k.StrongSwan(fmt.Sprintf(strongSwanPair, "10.1.0.2", "10.1.0.1", "192.168.2.0/24", 1, "192.168.1.0/24"))
	left.Initiate("net")
	right.Established("net", 10*time.Second)
	if n := a.Ping("192.168.2.1", 5, "-I", "192.168.1.1"); n != 5 {
		t.Errorf("%d of 5 pings through the tunnel answered", n)
	}
	if child, _ := right.Child("net"); child.PacketsIn != 5 {
		t.Errorf("strongSwan in the kernel's machine reports %+v, want 5 packets in", child)
	}
	if n := k.Packets("esp", "10.1.0.2"); n != 5 {
		t.Errorf("the kernel counts %d inbound packets, want 5", n)
	}
}
