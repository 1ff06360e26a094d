package interop

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// tunnelUp is a tunnel in UDP between goipsec in a and strongSwan in b.
func tunnelUp(l *lab.Lab, initiator string, options ...string) (a *lab.Host, g *lab.Goipsec, s *lab.StrongSwan) {
	a, b := site(l)
	s = l.StrongSwan(b, charon{esp: "aes128gcm16-curve25519", connection: []string{"encap = yes"}}.String(), options...)
	g = l.Goipsec(a, toCharon{pfs: "curve25519", rule: []string{inUDP}}.String())
	start(l, a, g, s, initiator)
	return a, g, s
}

// identities are what a rekey changes: the cookies of the main-mode SA and the SPIs of the child, as strongSwan reports them of
// its newest ones.
func identities(s *lab.StrongSwan) (cookies, spis string) {
	ikeID, childID := -1, -1
	for _, ike := range s.SAs() {
		if id := number(ike.Values["uniqueid"]); ike.State == "ESTABLISHED" && id > ikeID {
			ikeID, cookies = id, ike.Values["initiator-spi"]+" "+ike.Values["responder-spi"]
		}
		for _, c := range ike.Children {
			if id := number(c.Values["uniqueid"]); c.State == "INSTALLED" && id > childID {
				childID, spis = id, c.SPIIn+" "+c.SPIOut
			}
		}
	}
	return cookies, spis
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// ours are the same as goipsec reports them.
func ours(g *lab.Goipsec) (cookies, spis string) {
	status := g.Status()
	var peer, child uint64
	for _, p := range status.Peers {
		if p.ID >= peer && p.State == "established" {
			peer, cookies = p.ID, p.InitiatorCookie+" "+p.ResponderCookie
		}
	}
	for _, c := range status.Children {
		if c.ID >= child && c.State == "installed" {
			child, spis = c.ID, fmt.Sprintf("%08x %08x", c.Protocols[0].SPIOut, c.Protocols[0].SPIIn)
		}
	}
	return cookies, spis
}

// TestStrongSwanRekeys renews the keys of both phases, begun by either side, while echoes run through the tunnel: none may be lost.
func TestStrongSwanRekeys(t *testing.T) {
	for _, initiator := range bothInitiate {
		t.Run(initiator+" initiates", func(t *testing.T) {
			l := lab.New(t)
			a, g, s := tunnelUp(l, initiator)
			for _, phase := range []string{"child", "ike"} {
				for _, by := range bothInitiate {
					t.Run(fmt.Sprintf("%s rekeyed by %s", phase, by), func(t *testing.T) {
						l := lab.New(t)
						g, s, a := g.In(l), s.In(l), a.In(l)
						what := map[string]string{"child": "quick mode rekeyed by ", "ike": "main mode rekeyed by "}[phase] + by
						row := record.Begin(t, userSpace(initiator, what, "esp aes-gcm-16-128, PFS curve25519", "tunnel in UDP", "IPv4 in IPv4"))
						cookies, spis := identities(s)
						drops := both(g, s).drops
						capture := a.Capture("eth0")
						stream := a.Stream("192.168.1.1", "192.168.2.1")
						stream.Flow(10, 20*time.Second)
						rekey(g, s, phase, by)
						l.Until(limit, "new keys at both ends", func() (bool, string) {
							itsCookies, itsSPIs := identities(s)
							ourCookies, ourSPIs := ours(g)
							seen := fmt.Sprintf("before: %s %s\nstrongSwan: %s %s\ngoipsec: %s %s", cookies, spis, itsCookies, itsSPIs, ourCookies, ourSPIs)
							if phase == "ike" {
								return itsCookies != cookies && ourCookies == itsCookies, seen
							}
							return itsSPIs != spis && ourSPIs == itsSPIs, seen
						})
						stream.Flow(100, 20*time.Second)
						stream.Lossless()
						echoes(l, a, g, s, row)
						if now := both(g, s).drops; now != drops {
							t.Errorf("goipsec dropped %d packets: %v", now-drops, g.Status().Drops)
						}
						l.NoClear(capture.Stop())
					})
				}
			}
		})
	}
}

func rekey(g *lab.Goipsec, s *lab.StrongSwan, phase, by string) {
	if by == "strongSwan" {
		if phase == "ike" { // by number: those that a rekey has replaced have the same name
			newest := 0
			for _, ike := range s.SAs() {
				newest = max(newest, number(ike.Values["uniqueid"]))
			}
			s.Must(fmt.Sprintf("--rekey --ike-id %d", newest))
		} else {
			s.Must("--rekey --child net")
		}
		return
	}
	var id uint64
	status := g.Status()
	for _, p := range status.Peers {
		if phase == "ike" && p.State == "established" {
			id = max(id, p.ID)
		}
	}
	for _, c := range status.Children {
		if phase == "child" && c.State == "installed" {
			id = max(id, c.ID)
		}
	}
	g.Must(fmt.Sprintf("sa rekey %d", id))
}

// TestStrongSwanDeletes has either side delete the SAs of either phase; the other must forget them too, and new traffic must bring
// up new ones.
func TestStrongSwanDeletes(t *testing.T) {
	l := lab.New(t)
	a, g, s := tunnelUp(l, "goipsec")
	for _, phase := range []string{"child", "ike"} {
		for _, by := range bothInitiate {
			t.Run(fmt.Sprintf("%s deleted by %s", phase, by), func(t *testing.T) {
				l := lab.New(t)
				g, s, a := g.In(l), s.In(l), a.In(l)
				what := map[string]string{"child": "quick mode deleted by ", "ike": "main mode deleted by "}[phase] + by
				row := record.Begin(t, userSpace("goipsec", what, "esp aes-gcm-16-128, PFS curve25519", "tunnel in UDP", "IPv4 in IPv4"))
				cookies, spis := identities(s)
				capture := a.Capture("eth0")
				switch {
				case by == "strongSwan" && phase == "ike":
					s.Must("--terminate --ike c")
				case by == "strongSwan":
					s.Must("--terminate --child net")
				case phase == "ike":
					g.Must(fmt.Sprintf("sa delete %d", g.Status().Peers[0].ID))
				default:
					for _, c := range g.Status().Children {
						g.Must(fmt.Sprintf("sa delete %d", c.ID))
					}
				}
				l.Until(10*time.Second, "both ends to forget the SAs", func() (bool, string) {
					status, listed := g.Status(), s.SAs()
					text, _ := s.Swanctl("--list-sas")
					children := 0
					for _, ike := range listed {
						children += len(ike.Children)
					}
					gone := len(status.Children) == 0 && children == 0
					if phase == "ike" {
						gone = gone && len(status.Peers) == 0 && len(listed) == 0
					}
					return gone, g.Must("sa list") + text
				})
				a.Echo("192.168.1.1", "192.168.2.1", 1) // traffic brings them up again
				itsCookies, itsSPIs := identities(s)
				if itsSPIs == spis || phase == "ike" && itsCookies == cookies {
					t.Errorf("after a delete and new traffic the keys are the same: %s, %s", itsCookies, itsSPIs)
				}
				echoes(l, a, g, s, row)
				l.NoClear(capture.Stop())
			})
		}
	}
}

// TestStrongSwanRefusalsAreExplained: what cannot be agreed on must be told to the user with cause and remedy, in either role.
func TestStrongSwanRefusalsAreExplained(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String(), "retransmit_tries = 1", "retransmit_timeout = 1")
	for _, c := range []struct {
		name      string
		initiator string
		charon    charon
		ours      toCharon
		says      []string // in what, why, next or detail of the failure
	}{
		{"no common main-mode method", "goipsec", charon{ike: "aes256-sha512-modp4096"}, toCharon{}, []string{"NO-PROPOSAL-CHOSEN", "aes-cbc-128 sha256 modp2048"}},
		{"no common main-mode method", "strongSwan", charon{ike: "aes256-sha512-modp4096"}, toCharon{}, []string{"first difference", "aes-cbc-256", "sha512"}},
		{"no common quick-mode method", "goipsec", charon{esp: "aes256-sha512"}, toCharon{}, []string{"NO-PROPOSAL-CHOSEN", "aes-gcm-16-128"}},
		{"no common quick-mode method", "strongSwan", charon{esp: "aes256-sha512"}, toCharon{}, []string{"first difference", "aes-cbc", "hmac-sha512-256"}},
		{"PFS on one side only", "strongSwan", charon{}, toCharon{pfs: "ecp256"}, []string{"first difference", "ecp256"}},
		{"other networks", "strongSwan", charon{remoteTS: "192.168.77.0/24"}, toCharon{}, []string{"192.168.77.0"}},
		{"another key", "goipsec", charon{secret: "quite another key 12345678"}, toCharon{}, []string{"pre-shared key"}},
		{"another key", "strongSwan", charon{secret: "quite another key 12345678"}, toCharon{}, []string{"pre-shared key"}},
	} {
		t.Run(c.name+"/"+c.initiator+" initiates", func(t *testing.T) {
			l := lab.New(t)
			s, a := s.In(l), a.In(l)
			c.charon.connection = append(c.charon.connection, "encap = yes")
			c.ours.rule = append(c.ours.rule, inUDP)
			s.Load(c.charon.String())
			g := l.Goipsec(a, c.ours.String())
			if c.initiator == "goipsec" {
				if text, err := g.Command("connect charon --timeout 15s"); err == nil {
					t.Errorf("goipsec connect succeeded: %s", text)
				}
			} else if text, err := s.Swanctl("--initiate --timeout 10 --child net"); err == nil {
				t.Errorf("strongSwan succeeded: %s", text)
			}
			l.Until(10*time.Second, "an explanation with "+strings.Join(c.says, ", "), func() (bool, string) {
				failures := g.Status().Failures
				for _, f := range failures {
					text := strings.Join([]string{f.What, f.Why, f.Next, f.Detail}, "\n")
					if containsAll(text, c.says) && f.Why != "" && f.Next != "" {
						return true, ""
					}
				}
				return false, fmt.Sprintf("%+v", failures)
			})
			if n := len(g.Status().Children); n != 0 {
				t.Errorf("there are %d child SAs", n)
			}
			g.Stop()
			s.Clear()
		})
	}
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
