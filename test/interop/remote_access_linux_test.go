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

// TestStrongSwanRemoteAccess: both roles, with a login and without.
func TestStrongSwanRemoteAccess(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	for _, user := range []bool{false, true} {
		for _, client := range bothInitiate {
			what := "mode config"
			if user {
				what = "XAUTH and mode config"
			}
			t.Run(what+"/"+client+" is the client", func(t *testing.T) {
				l := lab.New(t)
				s, a, b := s.In(l), a.In(l), b.In(l)
				row := record.Begin(t, userSpace(client, what, "aes-cbc-128 sha256 modp2048; esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
				if client == "goipsec" {
					s.Load(charonGateway(user))
				} else {
					s.Load(charonClient(user, accessPass))
				}
				g := l.Goipsec(a, accessPolicy(l, client == "goipsec", user, accessPass))
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
