package esp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
)

// A vector is one ESP packet with its keys and what is inside.
type vector struct {
	id          string
	encr        suite.Encr
	keymat      []byte
	integ       suite.Integ
	integKey    []byte
	esp         []byte
	esn         bool
	high        uint32
	payload     []byte
	next        uint8
	reject      bool
	anyContents bool // only that it opens is known
}

func (v *vector) options() []Option {
	if info, _ := v.encr.Info(); !info.Combined && v.integ == suite.IntegNone {
		return []Option{CoveredByAH}
	}
	return nil
}

// prove opens the packet, compares what is inside, and seals the plaintext again under the packet's own IV, which must give the packet back.
func (v *vector) prove(t *testing.T) {
	t.Helper()
	o, err := NewOpener(v.encr, v.keymat, v.integ, v.integKey, 0, v.esn, v.options()...)
	if err != nil {
		t.Fatalf("%s: %v", v.id, err)
	}
	pkt := append([]byte{0xaa, 0xbb, 0xcc}, v.esp...)
	low, err := o.Sequence(pkt, 3)
	if err != nil {
		t.Fatalf("%s: %v", v.id, err)
	}
	seq := uint64(v.high)<<32 | uint64(low)
	off, n, next, err := o.Open(pkt, 3, seq)
	if v.reject {
		if err != ErrIntegrity {
			t.Fatalf("%s: opened with error %v, want %v", v.id, err, ErrIntegrity)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", v.id, err)
	}
	if !v.anyContents && (next != v.next || !bytes.Equal(pkt[off:off+n], v.payload)) {
		t.Fatalf("%s: opened next header %d, payload %x; want %d, %x", v.id, next, pkt[off:off+n], v.next, v.payload)
	}
	again, icv := pkt[3:], len(v.esp)-o.icv()
	clear(again[icv:])
	s, err := NewSealer(v.encr, v.keymat, v.integ, v.integKey, 0, v.esn, nil, v.options()...)
	if err != nil {
		t.Fatalf("%s: %v", v.id, err)
	}
	s.transform.seal(again, again[o.head():icv], seq)
	if !bytes.Equal(again, v.esp) {
		t.Fatalf("%s: sealed again\n%x, want\n%x", v.id, again, v.esp)
	}
	again[len(again)-1] ^= 1
	if _, _, _, err := o.Open(pkt, 3, seq); o.icv() > 0 && err != ErrIntegrity {
		t.Fatalf("%s: a flipped bit of the ICV gave %v", v.id, err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func load(t testing.TB, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// encrNamed and integNamed read the names of the vector files.
func encrNamed(name string, icv int) (suite.Encr, bool) {
	if strings.HasPrefix(name, "AES-CBC") {
		return suite.AESCBC, true
	}
	gcm := map[int]suite.Encr{8: suite.AESGCM8, 12: suite.AESGCM12, 16: suite.AESGCM16}
	ccm := map[int]suite.Encr{8: suite.AESCCM8, 12: suite.AESCCM12, 16: suite.AESCCM16}
	switch name {
	case "AES-GCM", "AES-GCM-16":
		return gcm[icv], true
	case "AES-CCM":
		return ccm[icv], true
	}
	e, ok := map[string]suite.Encr{"DES": suite.DES, "3DES": suite.TripleDES, "NULL": suite.Null, "AES-CTR": suite.AESCTR,
		"AES-NULL-GMAC": suite.NullGMAC, "CHACHA20-POLY1305": suite.ChaCha20Poly1305}[name]
	return e, ok
}

var integNamed = map[string]suite.Integ{"NULL": suite.IntegNone, "HMAC-MD5-96": suite.HMACMD5_96, "HMAC-SHA1-96": suite.HMACSHA1_96,
	"HMAC-SHA2-256-128": suite.HMACSHA256_128, "HMAC-SHA2-384-192": suite.HMACSHA384_192, "HMAC-SHA2-512-256": suite.HMACSHA512_256,
	"AES-XCBC-96": suite.AESXCBC96, "AES-CMAC-96": suite.AESCMAC96}

// rfcVector is the shape of the files that hold values printed in RFCs.
type rfcVector struct {
	ID, Encr, Key, Salt string
	ESN                 bool   `json:"esn"`
	SeqHi               string `json:"seq_hi"`
	Plain               string `json:"plaintext_with_esp_trailer"`
	Payload             string `json:"decrypted_payload"`
	Plaintext           string `json:"plaintext"`
	Next                uint8  `json:"next_header"`
	Packet              string `json:"esp_packet"`
}

// RFC 4303 §2.2.1 and D8: with ESN the high half is authenticated (vectors 1, 5, 6, 8 to 11, 13, 14).
func TestD8DraftMcGrewGCMTest01(t *testing.T) {
	var file struct{ Vectors []rfcVector }
	load(t, "testdata/draft_mcgrew_gcm_test_01.json", &file)
	if len(file.Vectors) != 14 {
		t.Fatalf("%d vectors, want 14", len(file.Vectors))
	}
	for _, r := range file.Vectors {
		v := vector{id: r.ID, encr: suite.AESGCM16, keymat: unhex(t, r.Key+r.Salt), esp: unhex(t, r.Packet), esn: r.ESN}
		plain := unhex(t, r.Plain)
		v.next = plain[len(plain)-1]
		v.payload = plain[:len(plain)-2-int(plain[len(plain)-2])]
		if r.ESN {
			v.high = uint32(unhex(t, r.SeqHi)[0])<<24 | uint32(unhex(t, r.SeqHi)[1])<<16 | uint32(unhex(t, r.SeqHi)[2])<<8 | uint32(unhex(t, r.SeqHi)[3])
		}
		v.prove(t)
		if v.esn {
			v.high ^= 1
			v.reject = true
			v.prove(t)
		}
	}
}

// RFC 3602 §4, cases 5 to 8, have no ICV: they open only under an AH.
func TestRFC3602Section4(t *testing.T) {
	var file struct{ ESP []rfcVector }
	load(t, "testdata/rfc3602.json", &file)
	if len(file.ESP) != 4 {
		t.Fatalf("%d vectors, want 4", len(file.ESP))
	}
	for _, r := range file.ESP {
		v := vector{id: r.ID, encr: suite.AESCBC, keymat: unhex(t, r.Key), esp: unhex(t, r.Packet), payload: unhex(t, r.Payload), next: r.Next}
		v.prove(t)
	}
}

func TestRFC7634AppendixA(t *testing.T) {
	var file struct{ Vectors []rfcVector }
	load(t, "testdata/rfc7634.json", &file)
	if len(file.Vectors) != 1 {
		t.Fatalf("%d vectors, want 1", len(file.Vectors))
	}
	r := file.Vectors[0]
	plain := unhex(t, r.Plaintext)
	v := vector{id: r.ID, encr: suite.ChaCha20Poly1305, keymat: unhex(t, r.Key+r.Salt), esp: unhex(t, r.Packet),
		payload: plain[:len(plain)-4], next: plain[len(plain)-1]}
	v.prove(t)
}

type labSA struct {
	Capture, SPI, Encr, Salt, Integ string
	EncrKey                         string `json:"encr_key"`
	IntegKey                        string `json:"integ_key"`
	ICVLen                          int    `json:"icv_len"`
	Packets                         []string
}

// Every ESP packet of the captures made with strongSwan: 172 packets of 78 SAs, 14 pairs of algorithms.
func TestStrongSwanLab(t *testing.T) {
	var file struct{ SAs []labSA }
	load(t, "testdata/strongswan_lab.json", &file)
	packets := 0
	for _, s := range file.SAs {
		encr, ok := encrNamed(s.Encr, s.ICVLen)
		integ, known := integNamed[s.Integ]
		if !ok || !known {
			t.Fatalf("%s: algorithms %s, %s", s.Capture, s.Encr, s.Integ)
		}
		for i, p := range s.Packets {
			v := vector{id: s.Capture + "/" + s.SPI, encr: encr, keymat: unhex(t, s.EncrKey+s.Salt), integ: integ, integKey: unhex(t, s.IntegKey), esp: unhex(t, p), anyContents: true}
			o, err := NewOpener(v.encr, v.keymat, v.integ, v.integKey, 0, false)
			if err != nil {
				t.Fatalf("%s: %v", v.id, err)
			}
			pkt := bytes.Clone(v.esp)
			off, n, next, err := o.Open(pkt, 0, uint64(i+1))
			if err != nil || !wholeDatagram(pkt[off:off+n], next) {
				t.Fatalf("%s packet %d: next header %d, payload %x, error %v; want a whole datagram", v.id, i, next, pkt[off:off+n], err)
			}
			v.prove(t)
			packets++
		}
	}
	if packets != 172 || len(file.SAs) != 78 {
		t.Errorf("%d packets of %d SAs, want 172 of 78", packets, len(file.SAs))
	}
}

// wholeDatagram reports whether b is as long as its IP header says and of the family that the next header names.
func wholeDatagram(b []byte, next uint8) bool {
	switch {
	case next == 4 && len(b) >= 20 && b[0]>>4 == 4:
		return int(b[2])<<8|int(b[3]) == len(b)
	case next == 41 && len(b) >= 40 && b[0]>>4 == 6:
		return int(b[4])<<8|int(b[5]) == len(b)-40
	}
	return false
}

// publicRow is the shape of the shared files dpdk_ipsec.json and scapy_ipsec.json.
type publicRow struct {
	ID, Proto, Mode, Encr, Integ, Salt, Outer, Expect string
	EncrKey                                           string  `json:"encr_key"`
	IntegKey                                          string  `json:"integ_key"`
	ICVLen                                            int     `json:"icv_len"`
	ESNHi                                             *uint32 `json:"esn_hi"`
	Payload                                           string  `json:"decrypted_payload"`
	Next                                              uint8   `json:"next_header"`
}

// vector turns a row into one; ok is false for ciphers that goipsec leaves out.
func (r *publicRow) vector(t *testing.T) (v vector, ok bool) {
	v = vector{id: r.ID, integ: integNamed[r.Integ], keymat: unhex(t, r.EncrKey+r.Salt), integKey: unhex(t, r.IntegKey), reject: r.Expect == "reject"}
	if v.encr, ok = encrNamed(r.Encr, r.ICVLen); !ok {
		return v, false
	}
	outer := unhex(t, r.Outer)
	hlen, proto := 40, outer[6]
	if outer[0]>>4 == 4 {
		hlen, proto = int(outer[0]&15)*4, outer[9]
	}
	if proto == 17 {
		hlen += 8
	}
	v.esp, v.payload, v.next = outer[hlen:], unhex(t, r.Payload), r.Next
	if r.ESNHi != nil {
		v.esn, v.high = true, *r.ESNHi
	}
	return v, true
}

// provePublic proves every ESP row of a shared file and returns how many there were, and how many were left out with the reason.
func provePublic(t *testing.T, path string) (proved int, left map[string]int) {
	var file struct{ Vectors []publicRow }
	load(t, path, &file)
	left = map[string]int{}
	for _, r := range file.Vectors {
		if r.Proto != "ESP" {
			left["AH, proved in package ah"]++
			continue
		}
		v, ok := r.vector(t)
		if !ok {
			left["cipher "+r.Encr+" is not offered"]++
			continue
		}
		v.prove(t)
		proved++
	}
	return proved, left
}

func TestDPDK(t *testing.T) {
	proved, left := provePublic(t, shared(t, "dpdk_ipsec.json"))
	t.Logf("%d proved, left: %v", proved, left)
	if proved != 24 || left["AH, proved in package ah"] != 3 {
		t.Errorf("%d proved, left %v", proved, left)
	}
}

func TestScapy(t *testing.T) {
	proved, left := provePublic(t, shared(t, "scapy_ipsec.json"))
	t.Logf("%d proved, left: %v", proved, left)
	if proved+left["AH, proved in package ah"]+left["cipher BLOWFISH is not offered"]+left["cipher CAST is not offered"] != 200 {
		t.Errorf("%d proved, left %v, not 200 in all", proved, left)
	}
}
