package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// Remote access of IKEv1: a client, known to its gateway by no address, logs in (XAUTH) and gets an address inside (mode config).

const (
	accessUser = "carol"
	accessPass = "open sesame"
)

// charonGateway is strongSwan as a gateway that assigns addresses and, with a user, wants a login.
func charonGateway(user bool, connection ...string) string {
	second, secret := "", ""
	if user {
		second = "remote-2 {\n      auth = xauth\n    }"
		secret = fmt.Sprintf("  xauth-1 {\n    id = %s\n    secret = %q\n  }\n", accessUser, accessPass)
	}
	return fmt.Sprintf(`connections {
  c {
    version = 1
    local_addrs = 10.1.0.2
    remote_addrs = 10.1.0.1
    proposals = aes128-sha256-modp2048
    encap = yes
    pools = inside
    %s
    local-1 {
      auth = psk
    }
    remote-1 {
      auth = psk
    }
    %s
    children {
      net {
        esp_proposals = aes128gcm16
        local_ts = 192.168.2.0/24
      }
    }
  }
}
pools {
  inside {
    addrs = 10.9.0.0/24
    dns = 192.168.2.53
  }
}
secrets {
  ike-1 {
    secret = %q
  }
%s}
`, strings.Join(connection, "\n    "), second, psk, secret)
}

// charonClient is strongSwan as a client that asks for an address and, with a user, logs in.
func charonClient(user bool, password string, connection ...string) string {
	second, secret := "", ""
	if user {
		second = fmt.Sprintf("local-2 {\n      auth = xauth-generic\n      xauth_id = %s\n    }", accessUser)
		secret = fmt.Sprintf("  xauth-1 {\n    id = %s\n    secret = %q\n  }\n", accessUser, password)
	}
	return fmt.Sprintf(`connections {
  c {
    version = 1
    local_addrs = 10.1.0.2
    remote_addrs = 10.1.0.1
    proposals = aes128-sha256-modp2048
    encap = yes
    vips = 0.0.0.0
    %s
    local-1 {
      auth = psk
    }
    %s
    remote-1 {
      auth = psk
    }
    children {
      net {
        esp_proposals = aes128gcm16
        remote_ts = 192.168.1.0/24
      }
    }
  }
}
secrets {
  ike-1 {
    secret = %q
  }
%s}
`, strings.Join(connection, "\n    "), second, psk, secret)
}

// accessPolicy is goipsec's half: a client of 10.1.0.2, or a gateway. Files of passwords and users go beside the policy.
func accessPolicy(l *lab.Lab, client, user bool, password string, rule ...string) string {
	auth, tunnel, filter := "", "{remote: 10.1.0.2, address: config}", "me -> 192.168.2.0/24"
	if !client {
		tunnel, filter = "{remote: any, address_pool: 10.9.0.0/24, dns: [192.168.1.53]}", "192.168.1.0/24 -> 10.9.0.0/24"
	}
	if user && client {
		auth = fmt.Sprintf(", xauth: {user: %s, password_file: %s}", accessUser, l.WriteFile("carol.password", password+"\n"))
	}
	if user && !client {
		auth = fmt.Sprintf(", xauth: {users_file: %s}", l.WriteFile("users", usersLine(l)))
	}
	return toCharon{filter: filter, tunnel: tunnel, auth: auth, rule: append([]string{inUDP}, rule...)}.String()
}

// usersLine is made as a user makes it.
func usersLine(l *lab.Lab) string {
	h := l.Host("hasher")
	return h.Run(fmt.Sprintf("echo %q | %s xauth hash %s", accessPass, l.Binary(), accessUser))
}

// TestStrongSwanRemoteAccess: both roles, with a login and without, the address asked for or told.
func TestStrongSwanRemoteAccess(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	for _, what := range []string{"mode config", "XAUTH and mode config", "mode config, pushed"} {
		for _, client := range bothInitiate {
			user, pushed, pull := strings.Contains(what, "XAUTH"), strings.Contains(what, "pushed"), "pull = yes"
			if pushed {
				pull = "pull = no"
			}
			t.Run(what+"/"+client+" is the client", func(t *testing.T) {
				l := lab.New(t)
				s, a, b := s.In(l), a.In(l), b.In(l)
				row := record.Begin(t, userSpace(client, what, "aes-cbc-128 sha256 modp2048; esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
				if client == "goipsec" {
					s.Load(charonGateway(user, pull))
				} else {
					s.Load(charonClient(user, accessPass, pull))
				}
				policy := accessPolicy(l, client == "goipsec", user, accessPass)
				if pushed {
					policy = strings.Replace(policy, "dns: [192.168.1.53]}", "dns: [192.168.1.53], push: true}", 1)
				}
				g := l.Goipsec(a, policy)
				capture := a.Capture("eth0")
				start(l, a, g, s, client)
				if client == "goipsec" {
					echoesBetween(l, a, "10.9.0.1", "192.168.2.1", g, s, row)
				} else {
					echoesBetween(l, b, "10.9.0.1", "192.168.1.1", g, s, row)
				}
				l.NoClear(capture.Stop())
				// What goipsec was told in confidence stands in no log.
				if log := g.Log.String(); strings.Contains(log, accessPass) {
					t.Error("the password stands in goipsec's log")
				}
				g.Stop()
				s.Clear()
			})
		}
	}
}

// TestStrongSwanWrongPassword: neither lets the other in, and goipsec says why.
func TestStrongSwanWrongPassword(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	for _, client := range bothInitiate {
		t.Run(client+" is the client", func(t *testing.T) {
			l := lab.New(t)
			s, a := s.In(l), a.In(l)
			if client == "goipsec" {
				s.Load(charonGateway(true))
			} else {
				s.Load(charonClient(true, "open barley"))
			}
			g := l.Goipsec(a, accessPolicy(l, client == "goipsec", true, "open barley"))
			if client == "goipsec" {
				if text, err := g.Command("connect charon --timeout 20s"); err == nil || !strings.Contains(text, "did not let in") {
					t.Errorf("%v: %s", err, text)
				}
			} else if text, err := s.Swanctl("--initiate --timeout 20 --child net"); err == nil {
				t.Errorf("strongSwan was let in: %s", text)
			}
			l.Until(limit, "goipsec to say why", func() (bool, string) {
				for _, f := range g.Status().Failures {
					if strings.Contains(f.What, "XAUTH") {
						return true, ""
					}
				}
				return false, fmt.Sprint(g.Status().Failures)
			})
			if n := len(g.Status().Children); n != 0 {
				t.Errorf("%d children", n)
			}
			for _, secret := range []string{accessPass, "open barley"} {
				if strings.Contains(g.Log.String(), secret) {
					t.Error("a password stands in goipsec's log")
				}
			}
			g.Stop()
			s.Clear()
		})
	}
}

// bareAggressive has strongSwan answer in aggressive mode with a pre-shared key, which it does not do unless it is told so twice.
const bareAggressive = "i_dont_care_about_security_and_use_aggressive_mode_psk = yes"

// TestStrongSwanAggressiveMode: both roles, alone, and with a login and mode config as remote access often has it.
func TestStrongSwanAggressiveMode(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String(), bareAggressive)
	for _, access := range []bool{false, true} {
		for _, initiator := range bothInitiate {
			what := "aggressive mode"
			if access {
				what += ", XAUTH and mode config"
			}
			t.Run(what+"/"+initiator+" initiates", func(t *testing.T) {
				l := lab.New(t)
				s, a, b := s.In(l), a.In(l), b.In(l)
				row := userSpace(initiator, "", "aes-cbc-128 sha256 modp2048; esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4")
				row.Exchange = strings.Replace(row.Exchange, "main mode, PSK", "aggressive mode, PSK", 1) + strings.TrimPrefix(what, "aggressive mode")
				r := record.Begin(t, row)
				policy := toCharon{rule: []string{inUDP, "exchange_mode: aggressive"}}.String()
				switch {
				case !access:
					s.Load(charon{connection: []string{"encap = yes", "aggressive = yes"}}.String())
				case initiator == "goipsec":
					s.Load(charonGateway(true, "aggressive = yes"))
					policy = accessPolicy(l, true, true, accessPass, "exchange_mode: aggressive")
				default:
					s.Load(charonClient(true, accessPass, "aggressive = yes"))
					policy = accessPolicy(l, false, true, accessPass, "exchange_mode: aggressive")
				}
				g := l.Goipsec(a, policy)
				capture := a.Capture("eth0")
				start(l, a, g, s, initiator)
				switch {
				case !access:
					echoes(l, a, g, s, r)
				case initiator == "goipsec":
					echoesBetween(l, a, "10.9.0.1", "192.168.2.1", g, s, r)
				default:
					echoesBetween(l, b, "10.9.0.1", "192.168.1.1", g, s, r)
				}
				frames := capture.Stop()
				l.NoClear(frames)
				for _, f := range frames {
					if m := ikeMessage(f); m != nil && m[18] == 2 {
						t.Fatal("a message of main mode is on the wire")
					}
				}
				if !strings.Contains(g.Log.String(), "off-line") {
					t.Error("goipsec's log does not warn of aggressive mode")
				}
				g.Stop()
				s.Clear()
			})
		}
	}
}

// TestOwnRemoteAccess has a goipsec call another: nothing leaves in clear while it has no address, the address is on the device while it is up and no longer, it is the same
// after a restart, and a user who is none any more is put out by a reload.
func TestOwnRemoteAccess(t *testing.T) {
	for _, mode := range []string{"main", "aggressive"} {
		t.Run(mode, func(t *testing.T) {
			l := lab.New(t)
			a, b := site(l)
			exchange := "IKEv1 " + mode + " mode, PSK, XAUTH and mode config"
			row := record.Begin(t, record.Row{Peer: "goipsec", Version: "this one", Exchange: exchange, Suite: "aes-cbc-128 sha256 modp2048; esp aes-gcm-16-128", Mode: "tunnel", Family: "IPv4 in IPv4"})
			users := l.WriteFile("users", usersLine(l))
			word := l.WriteFile("carol.password", accessPass+"\n")
			gateway := toCharon{filter: "192.168.2.0/24 -> 10.9.0.0/24", tunnel: "{remote: any, address_pool: 10.9.0.0/24}", auth: fmt.Sprintf(", xauth: {users_file: %s}", users),
				rule: []string{"exchange_mode: " + mode}}.String()
			client := toCharon{filter: "me -> 192.168.2.0/24", tunnel: "{remote: 10.1.0.2, address: config}", auth: fmt.Sprintf(", xauth: {user: %s, password_file: %s}", accessUser, word),
				rule: []string{"exchange_mode: " + mode}}.String()
			gb := l.Goipsec(b, gateway)
			ga := l.Goipsec(a, client)
			capture := a.Capture("eth0")
			a.Try("ping -c 1 -W 1 192.168.2.1") // from an outer address: it waits, and asks for the tunnel
			ga.Established(1, limit)
			sent := a.Echo("10.9.0.1", "192.168.2.1", 10)
			l.Until(limit, "both ends to count", func() (bool, string) {
				x, y := ga.Status().Traffic, gb.Status().Traffic
				return x.Sealed == sent && y.Opened == sent && y.Sealed == sent && x.Opened == sent, fmt.Sprint(x, y)
			})
			row.Counted(gb.Status().Traffic.Opened, gb.Status().Traffic.Sealed)
			if ga.Stop() != 0 {
				t.Error("the client ended badly")
			}
			if left := a.Leftovers(); strings.Contains(left, "10.9.0.") || strings.Contains(left, "goipsec") {
				t.Errorf("the client leaves behind:\n%s", left)
			}
			ga.Restart()
			ga.Must("connect charon --timeout 20s")
			a.Echo("10.9.0.1", "192.168.2.1", 3)
			l.NoClear(capture.Stop())
			l.WriteFile("users", "# nobody\n")
			gb.Must("reload")
			l.Until(limit, "the client to be put out", func() (bool, string) {
				return len(gb.Status().Children) == 0 && len(ga.Status().Children) == 0, fmt.Sprint(gb.Status().Children, ga.Status().Children)
			})
		})
	}
}
