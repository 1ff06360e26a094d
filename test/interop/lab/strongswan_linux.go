package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A StrongSwan is one charon with its own configuration directory, in a host or inside the kernel's machine. In a host it does
// ESP in user space (kernel-libipsec: tunnel mode in UDP only); in the kernel's machine it uses the kernel's AH and ESP.
type StrongSwan struct {
	Shell // where it runs
	lab   *Lab
	dir   string
	proc  *Process // nil inside the kernel's machine
}

const strongswanConf = `charon-systemd {
  load = random nonce aes sha1 sha2 hmac kdf pem pkcs1 pkcs8 x509 pubkey openssl gmp curve25519 gcm chapoly ctr ccm %[2]s kernel-netlink socket-default vici updown constraints revocation xcbc cmac xauth-generic eap-identity eap-mschapv2 eap-md5 eap-tls des md5
  filelog {
    f {
      path = %[1]s/charon.log
      default = 1
      ike = 2
      cfg = 2
      flush_line = yes
    }
  }
  plugins {
    vici {
      socket = unix://%[1]s/run/vici
    }
    kernel-libipsec {
      allow_peer_ts = yes
    }
    openssl {
      load_legacy = yes
    }
  }
  retransmit_tries = 3
  retransmit_timeout = 2
%[3]s
}
swanctl {
  socket = unix://%[1]s/run/vici
}
`

// StrongSwan starts charon in a host and loads swanctl.conf (connections and secrets). Options are further lines of its
// charon-systemd section.
func (l *Lab) StrongSwan(h *Host, swanctlConf string, options ...string) *StrongSwan {
	l.t.Helper()
	s := &StrongSwan{Shell: h, lab: l, dir: l.strongSwanDir(swanctlConf, "kernel-libipsec", options)}
	s.proc = h.Start("charon", "env", "STRONGSWAN_CONF="+s.dir+"/strongswan.conf", "SWANCTL_DIR="+s.dir+"/swanctl",
		"unshare", "-m", "sh", "-c", "mount --bind "+s.dir+"/run /run && exec charon-systemd")
	s.begin()
	return s
}

// StrongSwan starts charon in the kernel's machine, where it keys the kernel's own AH and ESP.
func (k *Kernel) StrongSwan(swanctlConf string, options ...string) *StrongSwan {
	l := k.lab
	l.t.Helper()
	s := &StrongSwan{Shell: k, lab: l, dir: l.strongSwanDir(swanctlConf, "", options)}
	k.Run(fmt.Sprintf("STRONGSWAN_CONF=%[1]s/strongswan.conf SWANCTL_DIR=%[1]s/swanctl charon-systemd >%[1]s/console 2>&1 </dev/null & echo $! >%[1]s/pid", s.dir))
	l.t.Cleanup(func() {
		k.Try(fmt.Sprintf("kill $(cat %s/pid); for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $(cat %[1]s/pid) 2>/dev/null || exit 0; sleep 0.2; done; kill -9 $(cat %[1]s/pid)", s.dir))
	})
	s.begin()
	return s
}

func (l *Lab) strongSwanDir(swanctlConf, plugin string, options []string) string {
	l.t.Helper()
	dir := l.Subdir("strongswan")
	l.command("mkdir", "-p", dir+"/run", dir+"/swanctl")
	base := strings.TrimPrefix(dir, l.dir+"/")
	l.WriteFile(base+"/strongswan.conf", fmt.Sprintf(strongswanConf, dir, plugin, "  "+strings.Join(options, "\n  ")))
	l.WriteFile(base+"/swanctl/swanctl.conf", swanctlConf)
	return dir
}

// begin waits for charon's control socket and loads the configuration.
func (s *StrongSwan) begin() {
	s.lab.t.Helper()
	s.lab.t.Cleanup(func() {
		if s.lab.t.Failed() {
			s.lab.t.Logf("strongSwan's log:\n%s", tail(s.Log(), 8000))
		}
	})
	s.lab.Until(20*time.Second, "strongSwan's control socket", func() (bool, string) {
		text, err := s.Swanctl("--stats")
		return err == nil, text
	})
	s.Must("--load-all")
}

// In is the same charon for the lab of a subtest.
func (s *StrongSwan) In(l *Lab) *StrongSwan {
	from := len(s.Log())
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("strongSwan's log:\n%s", tail(s.Log()[from:], 8000))
		}
	})
	return &StrongSwan{Shell: s.Shell, lab: l, dir: s.dir, proc: s.proc}
}

// Load replaces the configuration. SAs stay.
func (s *StrongSwan) Load(swanctlConf string) {
	s.lab.t.Helper()
	if err := os.WriteFile(s.dir+"/swanctl/swanctl.conf", []byte(swanctlConf), 0o600); err != nil {
		s.lab.t.Fatal(err)
	}
	s.Must("--load-all --clear")
}

// Credentials takes the place of all certificates and keys in strongSwan's directory; names are such as x509ca/root.pem. Load reads them.
func (s *StrongSwan) Credentials(files map[string]string) {
	s.lab.t.Helper()
	for _, kind := range []string{"x509", "x509ca", "x509crl", "private"} {
		if err := os.RemoveAll(s.dir + "/swanctl/" + kind); err != nil {
			s.lab.t.Fatal(err)
		}
	}
	for name, text := range files {
		if text != "" {
			s.Credential(name, text)
		}
	}
}

// Credential adds a certificate, key or list to strongSwan's directory.
func (s *StrongSwan) Credential(name, text string) {
	s.lab.t.Helper()
	path := s.dir + "/swanctl/" + name
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.lab.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.lab.t.Fatal(err)
	}
}

// Clear ends every SA without telling the peer, and waits until they are gone.
func (s *StrongSwan) Clear() {
	s.lab.t.Helper()
	s.lab.Until(20*time.Second, "strongSwan to have no SA", func() (bool, string) {
		for _, ike := range s.SAs() {
			s.Swanctl("--terminate --force --timeout 1 --ike-id " + ike.Values["uniqueid"])
		}
		text, _ := s.Swanctl("--list-sas")
		return len(s.SAs()) == 0, text
	})
}

// Swanctl runs swanctl with arguments.
func (s *StrongSwan) Swanctl(args string) (string, error) {
	return s.Try(fmt.Sprintf("STRONGSWAN_CONF=%[1]s/strongswan.conf SWANCTL_DIR=%[1]s/swanctl swanctl %[2]s", s.dir, args))
}

// Must is Swanctl that fails the test on an error.
func (s *StrongSwan) Must(args string) string {
	s.lab.t.Helper()
	text, err := s.Swanctl(args)
	if err != nil {
		s.lab.t.Fatalf("swanctl %s: %v\n%s", args, err, text)
	}
	return text
}

// Initiate negotiates a child of the configuration.
func (s *StrongSwan) Initiate(child string) {
	s.lab.t.Helper()
	s.Must("--initiate --timeout 20 --child " + child)
}

// Log is what charon has logged so far.
func (s *StrongSwan) Log() string { return s.lab.ReadFile(filepath.Join(s.dir, "charon.log")) }

// Process is charon in a host; nil inside the kernel's machine.
func (s *StrongSwan) Process() *Process { return s.proc }

// SAs returns what swanctl --list-sas tells.
func (s *StrongSwan) SAs() []IKESA {
	s.lab.t.Helper()
	return parseSAs(s.Must("--list-sas --raw"))
}

// Child returns the newest installed child SA of a name; ok is false where there is none.
func (s *StrongSwan) Child(name string) (child ChildSA, ok bool) {
	s.lab.t.Helper()
	for _, ike := range s.SAs() {
		for _, c := range ike.Children {
			if c.Name == name && c.State == "INSTALLED" {
				child, ok = c, true
			}
		}
	}
	return child, ok
}

// Established waits until a child SA is installed.
func (s *StrongSwan) Established(name string, limit time.Duration) ChildSA {
	s.lab.t.Helper()
	var child ChildSA
	s.lab.Until(limit, "strongSwan's child SA "+name, func() (ok bool, seen string) {
		child, ok = s.Child(name)
		seen, _ = s.Swanctl("--list-sas")
		return ok, seen
	})
	return child
}
