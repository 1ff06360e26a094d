package interop

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// natted is a host behind a NAT and one outside of it: inside is 10.3.0.2, outside 10.1.0.2; whatever inside sends arrives from
// 10.1.0.1 and a port from 20000 to 20999.
func natted(l *lab.Lab) (inside, router, outside *lab.Host) {
	inside, router, outside = l.Host("inside"), l.Host("router"), l.Host("outside")
	l.Link(inside, "eth0=10.3.0.2/24", router, "in=10.3.0.1/24")
	l.Link(router, "eth0=10.1.0.1/24", outside, "eth0=10.1.0.2/24")
	router.Forward()
	inside.Run("ip route add default via 10.3.0.1")
	router.Run(`nft -f - <<END
table ip nat {
	chain post {
		type nat hook postrouting priority srcnat
		oifname eth0 ip protocol udp masquerade to :20000-20999
		oifname eth0 masquerade
	}
}
END`)
	inside.Run("ip addr add 192.168.1.1/32 dev lo")
	outside.Run("ip addr add 192.168.2.1/32 dev lo")
	return inside, router, outside
}

// isKeepalive is one octet 0xff in UDP between the NAT traversal ports (RFC 3948 §2.3).
func isKeepalive(f *lab.Frame) bool {
	return f.Protocol == 17 && f.DstPort == 4500 && len(f.Payload) >= 9 && f.Payload[8] == 0xff && f.Payload[4] == 0 && f.Payload[5] == 9
}

// TestStrongSwanOutsideOfANAT has goipsec behind a NAT call strongSwan outside; the NAT must be found by both, and kept alive.
func TestStrongSwanOutsideOfANAT(t *testing.T) {
	t.Parallel() // most of it is waiting for a keepalive
	l := lab.New(t)
	inside, _, outside := natted(l)
	row := record.Begin(t, userSpace("goipsec", "goipsec behind a NAT", "esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
	s := l.StrongSwan(outside, charon{remote: "%any"}.String())
	g := l.Goipsec(inside, toCharon{tunnel: "{local: 10.3.0.2, remote: 10.1.0.2}"}.String())
	capture := outside.Capture("eth0")
	start(l, inside, g, s, "goipsec")
	wantNAT(t, g, s, "local")
	echoes(l, inside, g, s, row)
	if frame, ok := capture.Await(30*time.Second, 0, isKeepalive); !ok {
		t.Error("no keepalive within 30 s")
	} else if frame.SrcPort < 20000 || frame.SrcPort > 20999 {
		t.Errorf("the NAT let a keepalive through as it was: %v", frame)
	}
	echoes(l, inside, g, s, row)
	wantPorts(t, capture.Stop())
}

// TestStrongSwanBehindANAT has strongSwan behind a NAT call goipsec outside, which knows neither its address nor its port.
func TestStrongSwanBehindANAT(t *testing.T) {
	l := lab.New(t)
	inside, _, outside := natted(l)
	row := record.Begin(t, userSpace("strongSwan", "strongSwan behind a NAT", "esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
	s := l.StrongSwan(inside, charon{local: "10.3.0.2", remote: "10.1.0.2", localTS: "192.168.1.1/32", remoteTS: "192.168.2.0/24"}.String(), "keep_alive = 1s")
	g := l.Goipsec(outside, toCharon{filter: "{from: 192.168.2.0/24, to: 192.168.1.1}", tunnel: "{local: 10.1.0.2, remote: any}"}.String())
	capture := outside.Capture("eth0")
	start(l, inside, g, s, "strongSwan")
	wantNAT(t, g, s, "remote")
	echoes(l, inside, g, s, row)
	l.Until(10*time.Second, "goipsec to count a keepalive", func() (bool, string) {
		status := g.Status()
		return status.Traffic.Keepalives > 0, fmt.Sprintf("%+v %v", status.Traffic, status.Drops)
	})
	if _, ok := capture.Await(0, 0, isKeepalive); !ok {
		t.Error("goipsec counts keepalives that were not on the wire")
	}
	if n := outside.Echo("192.168.2.1", "192.168.1.1", 3); n != 3 {
		t.Errorf("%d requests for 3 answers from outside", n)
	}
	frames := capture.Stop()
	wantPorts(t, frames)
}

// TestStrongSwanBehindANATMoves has the NAT forget its mapping: strongSwan's packets come from another port, and goipsec must follow.
func TestStrongSwanBehindANATMoves(t *testing.T) {
	l := lab.New(t)
	inside, router, outside := natted(l)
	row := record.Begin(t, userSpace("strongSwan", "strongSwan behind a NAT that changes its mapping", "esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
	s := l.StrongSwan(inside, charon{local: "10.3.0.2", remote: "10.1.0.2", localTS: "192.168.1.1/32", remoteTS: "192.168.2.0/24",
		connection: []string{"dpd_delay = 1s"}}.String())
	g := l.Goipsec(outside, toCharon{filter: "{from: 192.168.2.0/24, to: 192.168.1.1}", tunnel: "{local: 10.1.0.2, remote: any}"}.String())
	start(l, inside, g, s, "strongSwan")
	echoes(l, inside, g, s, row)
	port := func() uint16 { return remote(g).Port() }
	before := port()
	router.Run("nft flush chain ip nat post; nft add rule ip nat post oifname eth0 ip protocol udp masquerade to :30000-30999")
	router.Run("ip link set in down; ip link set in up") // masquerading forgets the mappings of a device that goes down
	router.Run("ip link set eth0 down; ip link set eth0 up")
	l.Until(limit, "goipsec to follow to another port", func() (bool, string) {
		inside.Try("ping -n -c 1 -W 1 -I 192.168.1.1 192.168.2.1")
		return port() >= 30000, fmt.Sprintf("port %d, before %d", port(), before)
	})
	echoes(l, inside, g, s, row)
	if n := outside.Echo("192.168.2.1", "192.168.1.1", 3); n != 3 {
		t.Errorf("%d requests for 3 answers from outside", n)
	}
}

// remote is where goipsec's only child sends to.
func remote(g *lab.Goipsec) (at netip.AddrPort) {
	for _, c := range g.Status().Children {
		at = c.Remote
	}
	return at
}

// wantNAT checks that both ends know on which side the NAT is, seen from goipsec.
func wantNAT(t *testing.T, g *lab.Goipsec, s *lab.StrongSwan, side string) {
	t.Helper()
	var peer endpoint.Peer
	for _, p := range g.Status().Peers {
		peer = p
	}
	// strongSwan pretends to be behind a NAT where it has no other way than UDP, so NATRemote is true in any case.
	if peer.NATLocal != (side == "local") || !peer.NATRemote {
		t.Errorf("goipsec finds a NAT before itself: %v, before its peer: %v; the NAT is the %s one", peer.NATLocal, peer.NATRemote, side)
	}
	values := s.SAs()[0].Values
	here, there := values["nat-local"] == "yes", values["nat-remote"] == "yes"
	if here != (side == "remote") || there != (side == "local") {
		t.Errorf("strongSwan finds a NAT before itself: %v, before its peer: %v; the NAT is %s to goipsec", here, there, side)
	}
	for _, c := range g.Status().Children {
		if c.Encap != "udp" {
			t.Errorf("ESP goes without UDP: %+v", c)
		}
	}
}

// wantPorts checks a capture outside of the NAT: everything is IKE or ESP in UDP, and what comes from the NAT has one of its ports.
func wantPorts(t *testing.T, frames []lab.Frame) {
	t.Helper()
	translated := 0
	var strange strings.Builder
	for i := range frames {
		f := &frames[i]
		switch {
		case f.Kind() == "arp" || f.Kind() == "nd":
		case f.Kind() != "ike":
			fmt.Fprintln(&strange, f)
		case f.Src == netip.MustParseAddr("10.1.0.1"):
			if translated++; f.SrcPort < 20000 || f.SrcPort > 20999 {
				fmt.Fprintln(&strange, f)
			}
		}
	}
	if strange.Len() > 0 {
		t.Errorf("frames that should not be outside of the NAT:\n%s", strange.String())
	}
	if translated == 0 {
		t.Error("nothing came through the NAT")
	}
}
