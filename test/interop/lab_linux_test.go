package interop

import (
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
		if n := a.Ping(address, 3, lab.Patient...); n != 3 {
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
	a.Echo("10.2.0.1", "10.2.0.2", 3)
	if _, err := k.Echo([]string{"fd02::1"}); err != nil {
		t.Fatal(err)
	}
	k.Run(`ip xfrm state add src 10.2.0.2 dst 10.2.0.1 proto ah spi 0x101 mode transport auth 'hmac(sha1)' 0x000102030405060708090a0b0c0d0e0f10111213
		ip xfrm policy add src 10.2.0.2 dst 10.2.0.1 dir out tmpl src 10.2.0.2 dst 10.2.0.1 proto ah mode transport`)
	capture := a.Capture("eth0")
	if n := k.Ping("10.2.0.1", 2); n != 0 {
		t.Errorf("%d answers to AH that nobody can open", n)
	}
	if n := k.Packets("ah", "10.2.0.1"); n != 2 {
		t.Errorf("the kernel counts %d packets, want 2", n)
	}
	if kinds := lab.Kinds(capture.Stop()); kinds["ah"] != 2 {
		t.Errorf("captured %v, want 2 AH packets", kinds)
	}
}

// other is strongSwan's half at goipsec's place.
var other = charon{local: "10.1.0.1", remote: "10.1.0.2", localTS: "192.168.1.0/24", remoteTS: "192.168.2.0/24", connection: []string{"encap = yes"}}

func TestLabStrongSwanMeetsStrongSwan(t *testing.T) {
	l := lab.New(t)
	a, b := l.Pair()
	a.Run("ip addr add 192.168.1.1/24 dev lo")
	b.Run("ip addr add 192.168.2.1/24 dev lo")
	left := l.StrongSwan(a, other.String())
	right := l.StrongSwan(b, charon{connection: other.connection}.String())
	left.Initiate("net")
	right.Established("net", 10*time.Second)
	capture := a.Capture("eth0")
	sent := a.Echo("192.168.1.1", "192.168.2.1", 5)
	l.NoClear(capture.Stop())
	if child, _ := right.Child("net"); child.PacketsIn != sent || child.PacketsOut != sent || child.Mode != "TUNNEL" {
		t.Errorf("strongSwan reports %+v, want %d packets each way in tunnel mode", child, sent)
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
	left := l.StrongSwan(a, other.String())
	right := k.StrongSwan(charon{connection: other.connection}.String())
	left.Initiate("net")
	right.Established("net", 10*time.Second)
	sent := a.Echo("192.168.1.1", "192.168.2.1", 5)
	if child, _ := right.Child("net"); child.PacketsIn != sent {
		t.Errorf("strongSwan in the kernel's machine reports %+v, want %d packets in", child, sent)
	}
	if n := k.Packets("esp", "10.1.0.2"); n != sent {
		t.Errorf("the kernel counts %d inbound packets, want %d", n, sent)
	}
}
