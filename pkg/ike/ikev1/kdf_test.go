package ikev1

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/testdata"
)

var hashNames = map[string]suite.Hash{"SHA-1": suite.SHA1, "SHA-256": suite.SHA256, "SHA-384": suite.SHA384, "SHA-512": suite.SHA512,
	"sha1": suite.SHA1, "sha256": suite.SHA256, "sha384": suite.SHA384, "sha512": suite.SHA512}

// TestNISTCAVSIKEv1 derives the keys of the CAVS 17.3 vectors for IKEv1, with pre-shared keys and with signatures.
func TestNISTCAVSIKEv1(t *testing.T) {
	for name, want := range map[string]int{"ikev1_psk.full.rsp.gz": 1700, "ikev1_dsa.full.rsp.gz": 1700} {
		f, err := os.Open(testdata.Dir(t, "vectors", "public", "nist_cavs", "ike", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		var h suite.Hash
		v := map[string][]byte{}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			line := strings.TrimSpace(lines.Text())
			if known, ok := hashNames[strings.Trim(line, "[]")]; ok {
				h = known
			}
			key, value, ok := strings.Cut(line, " = ")
			if !ok || strings.HasPrefix(line, "[") {
				continue
			}
			if b, err := hex.DecodeString(value); err == nil {
				v[key] = b
			}
			if key != "SKEYID_e" {
				continue
			}
			n++
			var skeyid []byte
			if psk, ok := v["pre-shared-key"]; ok {
				skeyid = auth.SKEYID(h, psk, v["Ni"], v["Nr"])
			} else { // RFC 2409 §5: for signatures SKEYID = prf(Ni_b | Nr_b, g^xy)
				skeyid = auth.SKEYIDSignature(h, v["Ni"], v["Nr"], v["g^xy"])
			}
			k := derivePhase1(h, skeyid, v["g^xy"], isakmp.Cookie(v["CKY_I"]), isakmp.Cookie(v["CKY_R"]))
			if !bytes.Equal(skeyid, v["SKEYID"]) || !bytes.Equal(k.derive, v["SKEYID_d"]) || !bytes.Equal(k.auth, v["SKEYID_a"]) || !bytes.Equal(k.encrypt, v["SKEYID_e"]) {
				t.Errorf("%s: count %d differs", name, n)
			}
		}
		if n != want {
			t.Errorf("%s: %d vectors, want %d", name, n, want)
		}
		t.Logf("%s: %d vectors", name, n)
	}
}

// TestNSSKeyExpansion takes the vectors of NSS for RFC 2409 appendix B and quick mode's KEYMAT; those with AES-XCBC are not ours.
func TestNSSKeyExpansion(t *testing.T) {
	b, err := os.ReadFile(testdata.Dir(t, "vectors", "public", "ike_kdf", "nss_ike_vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			PRF, Type, IKM, GXYKM, PrevKM, OKM, Ni, Nr string
			SeedData                                   string `json:"seed_data"`
			KeyNumber                                  int    `json:"key_number"`
			Size                                       int
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	done := map[string]int{}
	for i, v := range file.Vectors {
		h, ok := hashNames[v.PRF]
		if !ok {
			continue
		}
		ikm, gxy, prev, seed := unhex(t, v.IKM), unhex(t, v.GXYKM), unhex(t, v.PrevKM), unhex(t, v.SeedData)
		var got []byte
		switch v.Type {
		case "ikeV1Psk":
			got = auth.SKEYID(h, ikm, unhex(t, v.Ni), unhex(t, v.Nr))
		case "ikeV1":
			k := derivePhase1(h, ikm, gxy, isakmp.Cookie(unhex(t, v.Ni)), isakmp.Cookie(unhex(t, v.Nr)))
			got = [][]byte{k.derive, k.auth, k.encrypt}[v.KeyNumber]
			_ = prev
		case "ikeV1AppB":
			// Where the key is long enough NSS asks for the expansion all the same; ours starts only where it is needed.
			if v.Size <= len(ikm) {
				continue
			}
			got = encryptionKey(h, ikm, v.Size)
		case "ikeV1AppBQuick":
			if len(gxy) != 0 || len(seed) != 1 {
				continue
			}
			// The seed of one octet stands where protocol | SPI | Ni_b | Nr_b would.
			got = expand(h, ikm, v.Size, seed)
		default:
			continue
		}
		if hex.EncodeToString(got) != v.OKM {
			t.Errorf("vector %d (%s, %s): %x, want %s", i, v.Type, v.PRF, got, v.OKM)
		}
		done[v.Type]++
	}
	t.Logf("%v", done)
	if done["ikeV1"] != 12 || done["ikeV1Psk"] != 4 || done["ikeV1AppB"] < 4 {
		t.Errorf("%v", done)
	}
}

// TestP13OnlyProofEstablishes tries every state, exchange, role, completeness, proof and whether XAUTH is to follow: one combination leads to Established in each role
// without XAUTH; with it, it leads to the examination, and only a transaction leads on.
func TestP13OnlyProofEstablishes(t *testing.T) {
	ways := 0
	for s := State(0); s < 8; s++ {
		for x := range 256 {
			for r := isakmp.Role(0); r < 4; r++ {
				for flags := range 8 {
					complete, authenticated, extended := flags&1 != 0, flags&2 != 0, flags&4 != 0
					got := afterMessage(s, isakmp.ExchangeType(x), r, complete, authenticated, extended)
					want := s
					if (r == isakmp.Initiator || r == isakmp.Responder) && complete && authenticated {
						phase1 := x == int(isakmp.MainMode) || x == int(isakmp.Aggressive)
						switch {
						case s == Negotiating && phase1 && extended:
							want = Examining
						case s == Negotiating && phase1, s == Examining && x == int(isakmp.Transaction) && extended:
							want = Established
						}
					}
					if got == Established && s != Established {
						ways++
					}
					if got != want {
						t.Errorf("%v, exchange %d, %v, %v, %v, %v leads to %v", s, x, r, complete, authenticated, extended, got)
					}
				}
			}
		}
	}
	if ways != 6 {
		t.Errorf("%d ways to be established, want for each role one by main mode, one by aggressive mode and one by XAUTH", ways)
	}
	for s, want := range map[State]bool{0: false, Negotiating: false, Examining: false, Established: true, Retiring: true, Dying: false} {
		if s.obeys() != want {
			t.Errorf("%v", s)
		}
	}
}
