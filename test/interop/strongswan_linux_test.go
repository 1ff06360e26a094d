package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// In a namespace strongSwan does ESP in user space: tunnel mode in UDP only.
func userSpace(initiator, what, suite, mode, family string) record.Row {
	exchange := "IKEv1 main mode, PSK, " + initiator + " initiates"
	if what != "" {
		exchange += ", " + what
	}
	return record.Row{Peer: "strongSwan, ESP in user space", Version: lab.Peers.Version("strongswan-libcharon"), Exchange: exchange, Suite: suite, Mode: mode, Family: family}
}

var bothInitiate = []string{"goipsec", "strongSwan"}

// An ikeSuite is one set of algorithms: goipsec's names and strongSwan's.
type ikeSuite struct {
	ike, charonIKE string
	esp, charonESP string
	pfs            string
	sees           string // what strongSwan must report of the SAs: algorithms, key sizes, groups
}

func ikeSuites() []ikeSuite {
	return []ikeSuite{
		{"aes-cbc-128 sha256 modp2048", "aes128-sha256-modp2048", "esp aes-gcm-16-128", "aes128gcm16", "none", "AES_CBC 128 HMAC_SHA2_256_128 MODP_2048 / AES_GCM_16 128"},
		{"aes-cbc-256 sha384 ecp384", "aes256-sha384-ecp384", "esp aes-gcm-16-256", "aes256gcm16-ecp384", "ecp384", "AES_CBC 256 HMAC_SHA2_384_192 ECP_384 / AES_GCM_16 256 ECP_384"},
		{"aes-cbc-256 sha512 ecp521", "aes256-sha512-ecp521", "esp aes-cbc-256 hmac-sha512-256", "aes256-sha512-ecp521", "ecp521", "AES_CBC 256 HMAC_SHA2_512_256 ECP_521 / AES_CBC 256 HMAC_SHA2_512_256 ECP_521"},
		{"aes-cbc-128 sha256 ecp256", "aes128-sha256-ecp256", "esp aes-cbc-128 hmac-sha256-128", "aes128-sha256-ecp256", "ecp256", "AES_CBC 128 HMAC_SHA2_256_128 ECP_256 / AES_CBC 128 HMAC_SHA2_256_128 ECP_256"},
		{"aes-cbc-256 sha256 curve25519", "aes256-sha256-curve25519", "esp aes-cbc-256 hmac-sha384-192", "aes256-sha384-curve25519", "curve25519", "AES_CBC 256 HMAC_SHA2_256_128 CURVE_25519 / AES_CBC 256 HMAC_SHA2_384_192 CURVE_25519"},
		{"3des sha1 modp1024", "3des-sha1-modp1024", "esp 3des hmac-sha1-96", "3des-sha1-modp1024", "modp1024", "3DES_CBC HMAC_SHA1_96 MODP_1024 / 3DES_CBC HMAC_SHA1_96 MODP_1024"},
		{"3des md5 modp1536", "3des-md5-modp1536", "esp 3des hmac-md5-96", "3des-md5", "none", "3DES_CBC HMAC_MD5_96 MODP_1536 / 3DES_CBC HMAC_MD5_96"},
		{"aes-cbc-192 sha1 modp3072", "aes192-sha1-modp3072", "esp aes-cbc-192 hmac-sha1-96", "aes192-sha1-modp1536", "modp1536", "AES_CBC 192 HMAC_SHA1_96 MODP_3072 / AES_CBC 192 HMAC_SHA1_96 MODP_1536"},
		{"aes-cbc-128 md5 modp4096", "aes128-md5-modp4096", "esp aes-cbc-128 hmac-md5-96", "aes128-md5-modp2048", "modp2048", "AES_CBC 128 HMAC_MD5_96 MODP_4096 / AES_CBC 128 HMAC_MD5_96 MODP_2048"},
		{"aes-cbc-256 sha1 ecp384", "aes256-sha1-ecp384", "esp aes-ctr-128 hmac-sha256-128", "aes128ctr-sha256-modp3072", "modp3072", "AES_CBC 256 HMAC_SHA1_96 ECP_384 / AES_CTR 128 HMAC_SHA2_256_128 MODP_3072"},
		{"aes-cbc-128 sha512 modp2048", "aes128-sha512-modp2048", "esp aes-ccm-16-128", "aes128ccm16-modp4096", "modp4096", "AES_CBC 128 HMAC_SHA2_512_256 MODP_2048 / AES_CCM_16 128 MODP_4096"},
		{"aes-cbc-128 sha256 modp2048", "aes128-sha256-modp2048", "esp aes-gcm-12-192", "aes192gcm12", "none", "AES_CBC 128 HMAC_SHA2_256_128 MODP_2048 / AES_GCM_12 192"},
	}
}

// String names the suite for the page.
func (x ikeSuite) String() string {
	return fmt.Sprintf("%s; %s; PFS %s", x.ike, x.esp, x.pfs)
}

// algorithms is what strongSwan says that it negotiated, in the form of ikeSuite.sees.
func algorithms(ike lab.IKESA) string {
	words := func(values map[string]string, keys ...string) string {
		var list []string
		for _, key := range keys {
			if v := values[key]; v != "" {
				list = append(list, v)
			}
		}
		return strings.Join(list, " ")
	}
	if len(ike.Children) == 0 {
		return "no child"
	}
	keys := []string{"encr-alg", "encr-keysize", "integ-alg", "dh-group"}
	return words(ike.Values, keys...) + " / " + words(ike.Children[0].Values, keys...)
}

// TestStrongSwanSuites negotiates every kind of algorithm with strongSwan in user space, started by either side.
func TestStrongSwanSuites(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	for i, x := range ikeSuites() {
		for _, initiator := range bothInitiate {
			if initiator == "strongSwan" && i%3 != 0 {
				continue // the algorithms do not know who began
			}
			t.Run(fmt.Sprintf("%v/%s initiates", x, initiator), func(t *testing.T) {
				l := lab.New(t)
				s, a := s.In(l), a.In(l)
				row := record.Begin(t, userSpace(initiator, "", x.String(), "tunnel in UDP", "IPv4 in IPv4"))
				s.Load(charon{ike: x.charonIKE, esp: x.charonESP, connection: []string{"encap = yes"}}.String())
				g := l.Goipsec(a, toCharon{ike: x.ike, method: x.esp, pfs: x.pfs, rule: []string{inUDP}}.String())
				capture := a.Capture("eth0")
				start(l, a, g, s, initiator)
				echoes(l, a, g, s, row)
				if got := algorithms(s.SAs()[0]); got != x.sees {
					t.Errorf("strongSwan negotiated %q, want %q", got, x.sees)
				}
				l.NoClear(capture.Stop())
				if code := g.Stop(); code != 0 {
					t.Errorf("exit status %d", code)
				}
				l.Until(10*time.Second, "strongSwan to hear of the end", func() (bool, string) {
					text, _ := s.Swanctl("--list-sas")
					return len(s.SAs()) == 0, text
				})
			})
		}
	}
}

// start has one side begin, and waits until both have the SAs.
func start(l *lab.Lab, a *lab.Host, g *lab.Goipsec, s *lab.StrongSwan, initiator string) {
	if initiator == "goipsec" {
		g.Must("connect charon --timeout 20s")
	} else {
		s.Initiate("net")
	}
	g.Established(1, limit)
	s.Established("net", limit)
}

// echoes sends ten echoes through the tunnel and wants the same count from goipsec, strongSwan and the sender.
func echoes(l *lab.Lab, a *lab.Host, g *lab.Goipsec, s *lab.StrongSwan, row *record.Row) {
	echoesBetween(l, a, "192.168.1.1", "192.168.2.1", g, s, row)
}

func echoesBetween(l *lab.Lab, a *lab.Host, from, to string, g *lab.Goipsec, s *lab.StrongSwan, row *record.Row) {
	before := both(g, s)
	sent := a.Echo(from, to, 10)
	var now counts
	l.Until(20*time.Second, fmt.Sprintf("both ends to count %d packets each way", sent), func() (bool, string) {
		now = both(g, s).minus(before)
		return now == counts{sent, sent, sent, sent, 0}, fmt.Sprintf("%+v; %v", now, g.Status().Drops)
	})
	row.Counted(now.theirIn, now.theirOut)
}

// counts are packets as both ends count them.
type counts struct{ ourOut, theirIn, theirOut, ourIn, drops uint64 }

func (c counts) minus(b counts) counts {
	return counts{c.ourOut - b.ourOut, c.theirIn - b.theirIn, c.theirOut - b.theirOut, c.ourIn - b.ourIn, c.drops - b.drops}
}

func both(g *lab.Goipsec, s *lab.StrongSwan) (c counts) {
	status := g.Status()
	c.ourOut, c.ourIn = status.Traffic.Sealed, status.Traffic.Opened
	for reason, n := range status.Drops {
		if reason != "device-noise" && reason != "keepalive" {
			c.drops += n
		}
	}
	for _, ike := range s.SAs() {
		for _, child := range ike.Children {
			c.theirIn += child.PacketsIn
			c.theirOut += child.PacketsOut
		}
	}
	return c
}
