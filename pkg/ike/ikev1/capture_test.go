package ikev1

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// testdata/strongswan.json.gz holds complete exchanges of strongSwan 5.9.8 with itself, recorded for this project, with the secrets
// that it wrote to its log.

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type capture struct {
	Name      string
	Initiator string
	Responder string
	PSK       string
	Messages  []struct {
		From         string
		Sport, Dport int
		Data         hexBytes
	}
	IKESAs []map[string]string `json:"ike_sas"`
	ESPSAs []struct {
		SPI, Src   string
		EncrKey    string  `json:"encr_key"`
		Salt       *string `json:"salt"`
		IntegKey   *string `json:"integ_key"`
		EncrName   string  `json:"encr"`
		ESPPropose string  `json:"esp_proposal"`
	} `json:"esp_sas"`
}

func captures(tb testing.TB) []capture {
	tb.Helper()
	f, err := os.Open("testdata/strongswan.json.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var out []capture
	if err := json.NewDecoder(z).Decode(&out); err != nil {
		tb.Fatal(err)
	}
	return out
}

// TestStrongSwanCaptures derives every key of every capture again, from the shared secret and what was on the wire, decrypts each
// phase 1 and phase 2 message, verifies each hash and proof, and compares the keys of the ESP SAs.
func TestStrongSwanCaptures(t *testing.T) {
	totals := map[string]int{}
	for _, c := range captures(t) {
		t.Run(c.Name, func(t *testing.T) {
			r := &reader{t: t, c: &c, sas: map[cookiePair]*mainMode{}, totals: totals, spis: map[string][]byte{}, ivs: map[string]bool{}}
			for _, m := range c.Messages {
				r.message(m.From == c.Initiator, m.Data)
			}
			r.compareESP()
		})
	}
	t.Logf("verified: %v", totals)
	for name, least := range map[string]int{"phase 1 keys": 9, "proofs": 14, "quick mode hashes": 27, "informational hashes": 20, "ESP keys": 8, "IVs of the log": 1} {
		if totals[name] < least {
			t.Errorf("%s: %d, want at least %d", name, totals[name], least)
		}
	}
}

// reader follows an exchange from outside.
type reader struct {
	t      *testing.T
	c      *capture
	sas    map[cookiePair]*mainMode
	begun  int
	totals map[string]int
	spis   map[string][]byte // SPI to keying material
	ivs    map[string]bool   // that ended a phase 2 message
}

func (r *reader) message(fromInitiator bool, data []byte) {
	h, err := isakmp.ParseHeader(data)
	if err != nil {
		r.t.Fatal(err)
	}
	s := r.sas[pairOf(h)]
	if s == nil {
		s = r.sas[cookiePair{initiator: h.InitiatorCookie}]
		if s == nil {
			s = &mainMode{cookies: pairOf(h), phase2: map[uint32]*quickMode{}}
		}
		s.cookies = pairOf(h)
		r.sas[s.cookies] = s
	}
	switch {
	case h.Flags&isakmp.FlagEncryption == 0:
		r.plain(s, h, data)
	case h.MessageID == 0:
		r.proof(s, h, data)
	case h.Exchange == isakmp.QuickMode:
		r.quickMode(s, h, data)
	default:
		r.informational(s, h, data)
	}
}

// sender tells whose message it is by what is known already: the first of each kind is the initiator's.
func (r *reader) plain(s *mainMode, h isakmp.Header, data []byte) {
	ps, err := isakmp.ParsePayloads(h.NextPayload, data[isakmp.HeaderLen:], false)
	if err != nil {
		r.t.Fatalf("%v: %v", h, err)
	}
	again, err := isakmp.AppendPayloads(nil, ps)
	if err != nil || !bytes.Equal(again, data[isakmp.HeaderLen:]) {
		r.t.Errorf("payloads encoded again differ: %v", err)
	}
	msg := &isakmp.Message{Header: h, Payloads: ps}
	if h.Exchange == isakmp.Informational {
		if _, err := isakmp.ParseNotify(msg.First(isakmp.PayloadNotify)); err != nil {
			r.t.Error(err)
		}
		return
	}
	if b := msg.First(isakmp.PayloadSA); b != nil {
		sa, err := isakmp.ParseSA(b)
		if err != nil {
			r.t.Fatal(err)
		}
		if !bytes.Equal(sa.Append(nil), b) {
			r.t.Error("the SA payload encoded again differs")
		}
		if s.sa == nil {
			s.sa = b
		}
		if s.suite, err = parsePhase1Transform(sa.Proposals[0].Transforms[0]); err != nil {
			r.t.Errorf("%v", err)
		}
	}
	ke, nonce := msg.First(isakmp.PayloadKE), msg.First(isakmp.PayloadNonce)
	if id := msg.First(isakmp.PayloadID); id != nil { // aggressive mode
		if s.idI == nil {
			s.idI = id
		} else {
			s.idR = id
		}
	}
	if ke == nil {
		return
	}
	if s.gxi == nil {
		s.gxi, s.ni = ke, nonce
		return
	}
	s.gxr, s.nr = ke, nonce
	r.keys(s)
	if hash := msg.First(isakmp.PayloadHash); hash != nil {
		if !auth.Equal(s.proof(isakmp.Responder), hash) {
			r.t.Error("HASH_R of aggressive mode")
		}
		r.totals["proofs"]++
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keys derives the SA's keys from the logged shared secret, and compares with the log.
func (r *reader) keys(s *mainMode) {
	log := r.c.IKESAs[r.begun]
	r.begun++
	hash := s.suite.hash
	gxy := unhex(r.t, log["dh_shared_secret"])
	skeyid := unhex(r.t, log["SKEYID"])
	if r.c.PSK != "" {
		skeyid = auth.SKEYID(hash, []byte(r.c.PSK), s.ni, s.nr)
	}
	s.keys = derivePhase1(hash, skeyid, gxy, s.cookies.initiator, s.cookies.responder)
	s.key = encryptionKey(hash, s.keys.encrypt, s.suite.encr.KeyMatLen(s.suite.keyBits))
	var err error
	if s.cipher, err = newMessageCipher(s.suite.encr, s.key); err != nil {
		r.t.Fatal(err)
	}
	s.iv = phase1IV(hash, s.gxi, s.gxr, s.cipher.block)
	for name, got := range map[string][]byte{"SKEYID": s.keys.skeyid, "SKEYID_d": s.keys.derive, "SKEYID_a": s.keys.auth, "SKEYID_e": s.keys.encrypt,
		"encryption key Ka": s.key, "initial IV": s.iv} {
		if hex.EncodeToString(got) != log[name] {
			r.t.Errorf("%s: %x, the log has %s", name, got, log[name])
		}
	}
	r.totals["phase 1 keys"]++
	if len(s.gxi) != s.suite.group.PublicLen() {
		r.t.Errorf("public value of %d bytes for %v", len(s.gxi), s.suite.group)
	}
}

func (r *reader) proof(s *mainMode, h isakmp.Header, data []byte) {
	plain, next, err := s.cipher.open(data[isakmp.HeaderLen:], s.iv)
	if err != nil {
		r.t.Fatal(err)
	}
	ps, err := isakmp.ParsePayloads(h.NextPayload, plain, true)
	if err != nil {
		if strings.Contains(r.c.Name, "wrong-psk") {
			return // message 5, sent three times, is noise to the responder; the log here is the initiator's
		}
		r.t.Fatal(err)
	}
	msg := &isakmp.Message{Payloads: ps}
	if h.Exchange == isakmp.Aggressive {
		if !auth.Equal(s.proof(isakmp.Initiator), msg.First(isakmp.PayloadHash)) {
			r.t.Error("HASH_I of aggressive mode")
		}
		r.totals["proofs"]++
		s.iv = next
		return
	}
	id, role := msg.First(isakmp.PayloadID), isakmp.Responder
	if s.idI == nil {
		s.idI, role = id, isakmp.Initiator
	} else {
		s.idR = id
	}
	if strings.Contains(r.c.Name, "wrong-psk") {
		return
	}
	if !auth.Equal(s.proof(role), msg.First(isakmp.PayloadHash)) {
		r.t.Errorf("the proof of the %v does not fit", role)
	}
	s.iv = next
	r.totals["proofs"]++
}

func (r *reader) quickMode(s *mainMode, h isakmp.Header, data []byte) {
	q := s.phase2[h.MessageID]
	if q == nil {
		q = &quickMode{s: s, id: h.MessageID, iv: s.firstIV(h.MessageID), run: isakmp.Run[*quickMode]{Script: quickModeScript}}
		s.phase2[h.MessageID] = q
	}
	msg, next, err := s.openPhase2(isakmp.Datagram{Data: data}, h, q.iv)
	if err != nil {
		r.t.Fatal(err)
	}
	q.iv = next
	r.ivs[hex.EncodeToString(next)] = true
	if !hmac.Equal(msg.Payloads[0].Body, q.hash(q.run.At, afterHash(msg))) {
		r.t.Errorf("HASH(%d) does not fit", q.run.At+1)
	}
	r.totals["quick mode hashes"]++
	if q.run.At < 2 {
		if err := r.quickPayloads(q, msg); err != nil {
			r.t.Error(err)
		}
	}
	q.run.At++
}

func (r *reader) quickPayloads(q *quickMode, msg *isakmp.Message) error {
	sa, err := isakmp.ParseSA(msg.First(isakmp.PayloadSA))
	if err != nil {
		return err
	}
	if !bytes.Equal(sa.Append(nil), msg.First(isakmp.PayloadSA)) {
		r.t.Error("the SA payload encoded again differs")
	}
	nonce := msg.First(isakmp.PayloadNonce)
	if q.run.At == 0 {
		q.ni, q.public = nonce, msg.First(isakmp.PayloadKE)
		ci, err := isakmp.ParseIdentification(msg.All(isakmp.PayloadID)[0])
		if err != nil {
			return err
		}
		rg, err := ci.Range()
		if err != nil || rg.From.Compare(rg.To) >= 0 {
			r.t.Errorf("IDci: %v %v", rg, err)
		}
		q.spiIn = map[isakmp.ProtocolID]uint32{isakmp.ProtoESP: spiNumber(sa.Proposals[0].SPI)}
		return nil
	}
	q.nr = nonce
	c, ok, seen := chooseOne(sa.Proposals, nil)
	if ok || len(seen) != 1 || seen[0].err != nil {
		r.t.Errorf("the answer is not one alternative: %v", seen)
	}
	t, err := parsePhase2Transform(isakmp.ProtoESP, sa.Proposals[0].Transforms[0])
	if err != nil {
		return err
	}
	c.suite = phase2Suite{esp: &t}
	if err := c.suite.check(); err != nil {
		return err
	}
	c.spiOut = map[isakmp.ProtocolID]uint32{isakmp.ProtoESP: spiNumber(sa.Proposals[0].SPI)}
	q.choice = c
	if q.public != nil {
		q.gxy = r.pfsSecret(q)
		if q.gxy == nil {
			return nil // the log does not hold the secret of this exchange
		}
	}
	k := q.keys(isakmp.ProtoESP)
	r.spis[fmt.Sprintf("%08x", k.SPIIn)] = append(k.EncrIn, k.IntegIn...)
	r.spis[fmt.Sprintf("%08x", k.SPIOut)] = append(k.EncrOut, k.IntegOut...)
	return nil
}

// pfsSecret would be the shared secret of quick mode with PFS, which the log does not hold.
func (r *reader) pfsSecret(*quickMode) []byte { return nil }

func (r *reader) informational(s *mainMode, h isakmp.Header, data []byte) {
	msg, _, err := s.openPhase2(isakmp.Datagram{Data: data}, h, s.firstIV(h.MessageID))
	if strings.Contains(r.c.Name, "wrong-psk") {
		if err == nil {
			r.t.Error("the complaint of a peer with another key could be read")
		}
		return
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if !hmac.Equal(msg.Payloads[0].Body, hash12(s.suite.hash, s.keys.auth, h.MessageID, nil, afterHash(msg))) {
		r.t.Error("HASH(1) of an informational message does not fit")
	}
	if _, _, ok := parseInformational(msg); !ok {
		r.t.Error("an informational message was not understood")
	}
	r.totals["informational hashes"]++
}

func (r *reader) compareESP() {
	for _, sa := range r.c.ESPSAs {
		want := sa.EncrKey
		for _, more := range []*string{sa.Salt, sa.IntegKey} {
			if more != nil {
				want += *more
			}
		}
		got, ok := r.spis[sa.SPI]
		if !ok && strings.Contains(r.c.Name, "pfs") || !ok && strings.Contains(r.c.Name, "rekey") {
			r.totals["ESP keys with PFS, secret not logged"]++
			continue
		}
		if hex.EncodeToString(got) != want {
			r.t.Errorf("keys of ESP SPI %s: %x, strongSwan has %s", sa.SPI, got, want)
		}
		r.totals["ESP keys"]++
	}
	for _, log := range r.c.IKESAs {
		for name, iv := range log {
			if strings.HasPrefix(name, "next IV for MID") && r.ivs[iv] {
				r.totals["IVs of the log"]++
			}
		}
	}
}
