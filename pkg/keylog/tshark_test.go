package keylog

import (
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/testdata"
)

// lab is what keys.json of one recorded conversation says.
type lab struct {
	Initiator, Responder string
	Packets              int        `json:"esp_packets"`
	Pairs                [][]string `json:"ike_spi_pairs"`
	IKE                  []struct {
		Ka string `json:"encryption key Ka"`
	} `json:"ike_sas"`
	ESP []struct {
		SPI, Src, Encr, Integ string
		Key                   string `json:"encr_key"`
		Salt                  string
		IntegKey              string `json:"integ_key"`
		ICV                   int    `json:"icv_len"`
	} `json:"esp_sas"`
}

var labEncrs = map[string]suite.Encr{"AES-CBC": suite.AESCBC, "3DES": suite.TripleDES, "NULL": suite.Null}
var labIntegs = map[string]suite.Integ{"HMAC-MD5-96": suite.HMACMD5_96, "HMAC-SHA1-96": suite.HMACSHA1_96, "HMAC-SHA2-256-128": suite.HMACSHA256_128,
	"HMAC-SHA2-384-192": suite.HMACSHA384_192, "HMAC-SHA2-512-256": suite.HMACSHA512_256, "NULL": suite.IntegNone}
var labGCM = map[int]suite.Encr{8: suite.AESGCM8, 12: suite.AESGCM12, 16: suite.AESGCM16}

// log writes the conversation's keys as an endpoint at the initiator would. It reports whether Wireshark knows the ciphers.
func (k *lab) log(t *testing.T, dir string) bool {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for i, sa := range k.IKE {
		if sa.Ka != "" {
			if err := l.Peer(isakmp.PeerInfo{InitiatorCookie: [8]byte(unhex(k.Pairs[i][0])), EncryptionKey: unhex(sa.Ka)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	known := true
	for _, sa := range k.ESP {
		p := isakmp.ProtocolKeys{Protocol: suite.ESP}
		var ok bool
		if p.Encr, ok = labEncrs[sa.Encr]; sa.Encr == "AES-GCM" {
			p.Encr, ok = labGCM[sa.ICV], true
		}
		var ok2 bool
		p.Integ, ok2 = labIntegs[sa.Integ]
		known = known && ok && ok2
		spi, err := strconv.ParseUint(sa.SPI, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		p.SPIOut, p.EncrOut, p.IntegOut = uint32(spi), append(unhex(sa.Key), unhex(sa.Salt)...), unhex(sa.IntegKey)
		src, dst := k.Initiator, k.Responder
		if len(sa.Src) == 32 { // IPv6 addresses are in plain hexadecimal
			src, dst = "2001:db8::1", "2001:db8::2"
		}
		if sa.Src == k.Responder || strings.HasSuffix(sa.Src, "0002") {
			src, dst = dst, src
		}
		c := &isakmp.ChildSA{Local: netip.AddrPortFrom(netip.MustParseAddr(src), 0), Remote: netip.AddrPortFrom(netip.MustParseAddr(dst), 0), Protocols: []isakmp.ProtocolKeys{p}}
		if err := l.Child(c); err != nil {
			t.Fatal(err)
		}
	}
	return known
}

// TestTsharkDecryptsWithOurTables: tshark, which shares no code with us, decrypts and authenticates every ESP packet of the conversations
// that strongSwan had, and every encrypted IKEv1 message, with the tables that Log writes.
func TestTsharkDecryptsWithOurTables(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: apt-get install tshark")
	}
	if testing.Short() {
		t.Skip("tshark takes its time")
	}
	root := testdata.Dir(t, "vectors", "own", "strongswan-lab")
	for _, name := range []string{
		"ikev1-main-psk-aes256-sha256-modp2048-pfs", "ikev1-main-psk-aes128-sha256-ecp256-esp-gcm", "ikev1-main-psk-3des-md5-modp1024",
		"ikev1-main-psk-rekey-dpd-delete", "ikev2-psk-null-sha256-esp", "ikev2-psk-aes192cbc-sha384-modp2048s256", "ikev2-psk-aes256gcm12-prfsha1-modp1536",
		"ikev2-psk-aes256gcm8-prfsha512-ecp521", "ikev2-psk-ipv6-outer", "ikev2-psk-chacha20poly1305-prfsha256-x25519",
	} {
		b, err := os.ReadFile(filepath.Join(root, name, "keys.json"))
		if err != nil {
			t.Fatal(err)
		}
		var k lab
		if err := json.Unmarshal(b, &k); err != nil {
			t.Fatal(err)
		}
		home := t.TempDir()
		known := k.log(t, filepath.Join(home, "wireshark"))
		ask := func(filter string) int {
			cmd := exec.Command(tshark, "-r", filepath.Join(root, name, "capture.pcap"), "-o", "esp.enable_encryption_decode:TRUE",
				"-o", "esp.enable_authentication_check:TRUE", "-Y", filter, "-T", "fields", "-e", "frame.number")
			cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home, "HOME="+home)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: tshark: %v", name, err)
			}
			return strings.Count(string(out), "\n")
		}
		// A good ICV and a ping inside, packet for packet.
		if got, want := ask("esp.icv_good == 1 and (icmp or icmpv6)"), k.Packets; known && got != want {
			t.Errorf("%s: tshark decrypted %d of %d ESP packets", name, got, want)
		}
		if !known && ask("icmp or icmpv6") != 0 {
			t.Errorf("%s: tshark reads what it is said not to know: write its name in the table", name)
		}
		if len(k.IKE) > 0 && strings.HasPrefix(name, "ikev1") {
			all := ask("isakmp.flag_e == 1")
			if got := ask("isakmp.flag_e == 1 and isakmp.hash"); got != all || all == 0 {
				t.Errorf("%s: tshark decrypted %d of %d IKE messages", name, got, all)
			}
		}
	}
}
