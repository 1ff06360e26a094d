package ah

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/testdata"
)

// publicRow is the shape of the shared files dpdk_ipsec.json and scapy_ipsec.json.
type publicRow struct {
	ID, Proto, Integ, Salt, Outer, Expect, Origin string
	IntegKey                                      string  `json:"integ_key"`
	ESNHi                                         *uint32 `json:"esn_hi"`
	Payload                                       string  `json:"decrypted_payload"`
	Next                                          *uint8  `json:"next_header"`
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var integNamed = map[string]suite.Integ{"HMAC-MD5-96": suite.HMACMD5_96, "HMAC-SHA1-96": suite.HMACSHA1_96,
	"HMAC-SHA2-256-128": suite.HMACSHA256_128, "HMAC-SHA2-384-192": suite.HMACSHA384_192, "HMAC-SHA2-512-256": suite.HMACSHA512_256,
	"AES-XCBC-96": suite.AESXCBC96, "AES-CMAC-96": suite.AESCMAC96, "AES-GMAC": suite.AES128GMAC}

// headerBefore returns the length of what stands before the AH.
func headerBefore(t testing.TB, pkt []byte) int {
	if pkt[0]>>4 == 4 {
		return int(pkt[0]&15) * 4
	}
	next, at := pkt[6], 40
	for next != protocol {
		if at+8 > len(pkt) {
			t.Fatalf("no AH in %x", pkt)
		}
		next, at = pkt[at], at+(int(pkt[at+1])+1)*8
	}
	return at
}

// prove verifies the row's packet, and where it is good computes its ICV again and breaks it by a bit of the payload.
func (r *publicRow) prove(t *testing.T) {
	integ, ok := integNamed[r.Integ]
	if !ok {
		t.Fatalf("%s: algorithm %s", r.ID, r.Integ)
	}
	o, err := NewOpener(integ, unhex(t, r.IntegKey+r.Salt), 0, r.ESNHi != nil)
	if err != nil {
		t.Fatalf("%s: %v", r.ID, err)
	}
	pkt := unhex(t, r.Outer)
	hlen := headerBefore(t, pkt)
	low, err := o.Sequence(pkt, hlen)
	if err != nil {
		t.Fatalf("%s: %v", r.ID, err)
	}
	seq := uint64(low)
	if r.ESNHi != nil {
		seq |= uint64(*r.ESNHi) << 32
	}
	off, n, next, err := o.Open(pkt, hlen, seq)
	if r.Expect == "reject" {
		if err != ErrIntegrity {
			t.Errorf("%s: %v, want %v", r.ID, err, ErrIntegrity)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", r.ID, err)
		return
	}
	if r.Next != nil && (next != *r.Next || !bytes.Equal(pkt[off:off+n], unhex(t, r.Payload))) {
		t.Errorf("%s: next header %d, payload %x", r.ID, next, pkt[off:off+n])
	}
	r.again(t, integ, pkt, hlen, off, seq)
	pkt[len(pkt)-1] ^= 1
	if _, _, _, err := o.Open(pkt, hlen, seq); err != ErrIntegrity {
		t.Errorf("%s: with a flipped bit: %v", r.ID, err)
	}
}

// again seals the same payload behind the same header and compares. The IV of a GMAC is ours to choose, so there it cannot be compared.
func (r *publicRow) again(t *testing.T, integ suite.Integ, pkt []byte, hlen, off int, seq uint64) {
	info, _ := integ.Info()
	s, err := NewSealer(integ, unhex(t, r.IntegKey+r.Salt), binary.BigEndian.Uint32(pkt[hlen+4:]), r.ESNHi != nil, pkt[0]>>4 == 6)
	if err != nil {
		t.Fatal(err)
	}
	made := bytes.Clone(pkt)
	clear(made[hlen:off])
	if err := s.Seal(made, hlen, len(pkt)-off, pkt[hlen], seq); err != nil {
		t.Errorf("%s: %v", r.ID, err)
	}
	if !info.Counter && !bytes.Equal(made, pkt) {
		t.Errorf("%s: sealed\n%x, want\n%x", r.ID, made, pkt)
	}
}

func provePublic(t *testing.T, name string) (counts map[string]int) {
	b, err := os.ReadFile(testdata.Dir(t, "vectors", "public", "esp_ah", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []publicRow }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	counts = map[string]int{}
	for _, r := range file.Vectors {
		if r.Proto == "AH" {
			r.prove(t)
			counts[r.Expect]++
			counts[r.Origin]++
		}
	}
	t.Log(counts)
	return counts
}

func TestDPDK(t *testing.T) {
	if n := provePublic(t, "dpdk_ipsec.json"); n["accept"] != 3 {
		t.Errorf("%v, want 3 accepted", n)
	}
}

// D15: packets with altered mutable fields are accepted, tampered ones are not; IPv6 extension headers and a routing header are among them.
func TestD15Scapy(t *testing.T) {
	n := provePublic(t, "scapy_ipsec.json")
	if n["accept"]+n["reject"] != 75 || n["mutable-field-altered"] != 19 || n["tampered"] == 0 {
		t.Errorf("%v, want 75 in all and 19 with altered mutable fields", n)
	}
}
