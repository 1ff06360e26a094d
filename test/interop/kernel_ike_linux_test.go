package interop

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// A keyed case is one child SA that strongSwan negotiates for the kernel.
type keyedCase struct {
	proto, charon string // strongSwan's protocol and proposal
	method, pfs   string // goipsec's
	tunnel        bool
	outer6        bool
	inner6        bool
}

func keyedCases() []keyedCase {
	return []keyedCase{
		{proto: "esp", charon: "aes256-sha256", method: "esp aes-cbc-256 hmac-sha256-128"},
		{proto: "ah", charon: "sha256", method: "ah hmac-sha256-128"},
		{proto: "esp", charon: "aes128gcm16", method: "esp aes-gcm-16-128", tunnel: true},
		{proto: "ah", charon: "sha1", method: "ah hmac-sha1-96", tunnel: true},
		{proto: "esp", charon: "aes256gcm16-curve25519", method: "esp aes-gcm-16-256", pfs: "curve25519", outer6: true, inner6: true},
		{proto: "ah", charon: "sha384-ecp256", method: "ah hmac-sha384-192", pfs: "ecp256", outer6: true, inner6: true},
		{proto: "esp", charon: "aes128-sha512-modp2048", method: "esp aes-cbc-128 hmac-sha512-256", pfs: "modp2048", tunnel: true, outer6: true, inner6: true},
		{proto: "ah", charon: "sha512-ecp384", method: "ah hmac-sha512-256", pfs: "ecp384", tunnel: true, outer6: true, inner6: true},
		{proto: "esp", charon: "aes192ctr-sha1", method: "esp aes-ctr-192 hmac-sha1-96", tunnel: true, outer6: true},
		{proto: "esp", charon: "aes128ccm16", method: "esp aes-ccm-16-128", tunnel: true, inner6: true},
		{proto: "esp", charon: "aes128gmac", method: "esp aes-gmac-128", tunnel: true},
		{proto: "esp", charon: "aes256-sha256-esn", method: "esp aes-cbc-256 hmac-sha256-128 esn", tunnel: true},
		{proto: "ah", charon: "sha256-esn", method: "ah hmac-sha256-128 esn"},
		{proto: "esp", charon: "aes256gcm16-ecp256-esn", method: "esp aes-gcm-16-256 esn", pfs: "ecp256", outer6: true, inner6: true},
	}
}

// row describes the case on the page.
func (c keyedCase) row() record.Row {
	r := record.Row{Suite: c.method, Mode: "transport", Family: pick(c.outer6, "IPv4", "IPv6")}
	if c.pfs != "" {
		r.Suite += ", PFS " + c.pfs
	}
	if c.tunnel {
		r.Mode, r.Family = "tunnel", pick(c.inner6, "IPv4", "IPv6")+" in "+r.Family
	}
	return r
}

// halves are the configurations of both ends, and the addresses that talk.
func (c keyedCase) halves() (its charon, ours toCharon, from, to string) {
	outer := func(n int) string { return pick(c.outer6, fmt.Sprintf("10.1.0.%d", n), fmt.Sprintf("fd01::%d", n)) }
	inner := func(n int) string {
		return pick(c.inner6, fmt.Sprintf("192.168.%d.1", n), fmt.Sprintf("fd0%d::1", n+1))
	}
	its = charon{local: outer(2), remote: outer(1), proto: c.proto, esp: c.charon}
	ours = toCharon{method: c.method, pfs: c.pfs}
	if !c.tunnel {
		its.localTS, its.child = "-", []string{"mode = transport"}
		ours.tunnel, ours.filter = "-", quote(outer(1)+" <-> "+outer(2))
		return its, ours, outer(1), outer(2)
	}
	network := func(n int) string { return inner(n) + pick(c.inner6, "/32", "/128") }
	its.localTS, its.remoteTS = network(2), network(1)
	ours.filter = fmt.Sprintf("{from: %q, to: %q}", network(1), network(2))
	ours.tunnel = fmt.Sprintf("{local: %q, remote: %q}", outer(1), outer(2))
	return its, ours, inner(1), inner(2)
}

// TestStrongSwanKeysARealKernel negotiates IKEv1 with strongSwan over a real kernel: AH and ESP, transport and tunnel, both
// families, with and without PFS and extended sequence numbers, started by either side.
func TestStrongSwanKeysARealKernel(t *testing.T) {
	l := lab.New(t)
	k, a := l.Kernel(), l.Host("a")
	k.Connect(a, "10.1.0.1/24", "fd01::1/64")
	k.Address("10.1.0.2/24", "fd01::2/64", "192.168.2.1/32", "fd03::1/128")
	a.Run("ip addr add 192.168.1.1/32 dev lo; ip addr add fd02::1/128 dev lo nodad")
	s := k.StrongSwan(charon{}.String())
	for i, c := range keyedCases() {
		for _, initiator := range bothInitiate {
			if i >= 4 && (i%2 == 0) != (initiator == "goipsec") {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%s/%s initiates", c.row().Mode, c.row().Family, c.row().Suite, initiator), func(t *testing.T) {
				l := lab.New(t)
				s, a, k := s.In(l), a.In(l), k.In(l)
				row := c.row()
				row.Peer, row.Version = "strongSwan and Linux kernel", lab.Peers.Version("strongswan-libcharon")+", "+k.Release
				row.Exchange = "IKEv1 main mode, PSK, " + initiator + " initiates"
				r := record.Begin(t, row)
				its, ours, from, to := c.halves()
				s.Load(its.String())
				g := l.Goipsec(a, ours.String())
				errorsBefore := k.XfrmErrors()
				capture := a.Capture("eth0")
				start(l, a, g, s, initiator)
				echoesBetween(l, a, from, to, g, s, r)
				if its, _ := s.Child("net"); its.Protocol != strings.ToUpper(c.proto) || (its.Values["esn"] == "1") != strings.Contains(c.method, " esn") {
					t.Errorf("strongSwan has negotiated %+v", its)
				}
				if now := k.XfrmErrors(); !maps.Equal(now, errorsBefore) {
					t.Errorf("the kernel refused packets: %v, before the first one %v", now, errorsBefore)
				}
				frames := capture.Stop()
				l.NoClear(frames)
				if kinds := lab.Kinds(frames); kinds[c.proto] < 20 {
					t.Errorf("%v on the wire, want at least 20 of %s", kinds, c.proto)
				}
				g.Stop()
				l.Until(10*time.Second, "strongSwan to hear of the end", func() (bool, string) {
					text, _ := s.Swanctl("--list-sas")
					return len(s.SAs()) == 0, text
				})
			})
		}
	}
}
