package diagnose

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// question is a pair of first messages, in IKEv2 and in IKEv1, that every implementation of one of them answers.
type question struct {
	marker bool // the non-ESP marker of RFC 3948 §2.2 goes before each
	cookie isakmp.Cookie
	v2, v1 []byte
}

const (
	version2 = 0x20
	saInit   = 34 // IKE_SA_INIT, RFC 7296 §3.1
)

func newQuestion(marker bool) (*question, error) {
	q := &question{marker: marker}
	random := make([]byte, 8+32+32+32)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	copy(q.cookie[:], random)
	q.v2 = q.message(version2, saInit, isakmp.FlagV2Initiator, saPayload2, saInitBody(random[8:40], random[40:72]))
	body, err := isakmp.AppendPayloads(nil, []isakmp.Payload{{Type: isakmp.PayloadSA, Body: offer1().Append(nil)}})
	q.v1 = q.message(isakmp.Version1, isakmp.MainMode, 0, isakmp.PayloadSA, body)
	return q, err
}

// Payload types of IKEv2 (RFC 7296 §3.2).
const (
	saPayload2 = 33
	keyPayload = 34
	noncePay   = 40
)

// saInitBody is an IKE_SA_INIT whose one proposal nobody accepts: DES with an IV of 64 bits, which never had a use. The refusal is one small notification, and a
// responder keeps nothing (RFC 7296 §2.7).
func saInitBody(key, nonce []byte) []byte {
	transform := func(last bool, kind uint8, id uint16) []byte {
		more := uint8(3)
		if last {
			more = 0
		}
		return []byte{more, 0, 0, 8, kind, 0, uint8(id >> 8), uint8(id)}
	}
	transforms := bytes.Join([][]byte{transform(false, 1, 1), transform(false, 2, 2), transform(false, 3, 2), transform(true, 4, 31)}, nil)
	proposal := append([]byte{0, 0, 0, uint8(8 + len(transforms)), 1, 1, 0, 4}, transforms...)
	payload := func(next uint8, body []byte) []byte {
		return append([]byte{next, 0, uint8((4 + len(body)) >> 8), uint8(4 + len(body))}, body...)
	}
	return bytes.Join([][]byte{payload(keyPayload, proposal), payload(noncePay, append([]byte{0, 31, 0, 0}, key...)), payload(0, nonce)}, nil)
}

// offer1 is a main-mode offer of what is in common use, so that also those answer who are silent to what they do not like.
func offer1() isakmp.SA {
	p := isakmp.Proposal{Number: 1, Protocol: isakmp.ProtoISAKMP}
	for _, encr := range [][]isakmp.Attribute{{isakmp.BasicAttribute(1, 7), isakmp.BasicAttribute(14, 256)}, {isakmp.BasicAttribute(1, 7), isakmp.BasicAttribute(14, 128)},
		{isakmp.BasicAttribute(1, 5)}} {
		for _, hash := range []uint16{4, 2} { // SHA-256, SHA-1
			for _, group := range []uint16{14, 19, 2} {
				for _, auth := range []uint16{1, 3} { // pre-shared key, RSA signature
					p.Transforms = append(p.Transforms, isakmp.Transform{Number: uint8(len(p.Transforms) + 1), ID: 1, // KEY_IKE
						Attributes: append(append([]isakmp.Attribute(nil), encr...), isakmp.BasicAttribute(2, hash), isakmp.BasicAttribute(3, auth), isakmp.BasicAttribute(4, group))})
				}
			}
		}
	}
	return isakmp.SA{DOI: isakmp.DOIIPsec, Situation: isakmp.SituationIdentityOnly, Proposals: []isakmp.Proposal{p}}
}

func (q *question) message(version uint8, x isakmp.ExchangeType, flags uint8, first isakmp.PayloadType, body []byte) []byte {
	h := isakmp.Header{InitiatorCookie: q.cookie, NextPayload: first, Version: version, Exchange: x, Flags: flags, Length: isakmp.HeaderLen + len(body)}
	m := append(h.Append(nil), body...)
	if q.marker {
		m = append(make([]byte, 4), m...)
	}
	return m
}

// round is what to send in the nth round.
func (q *question) round(n int) [][]byte {
	if n == 0 {
		return [][]byte{q.v2}
	}
	return [][]byte{q.v2, q.v1}
}

// answered reports whether a datagram answers the question, and what it says.
func (q *question) answered(b []byte) (string, bool) {
	if q.marker {
		if len(b) < 4 || binary.BigEndian.Uint32(b) != 0 {
			return "", false
		}
		b = b[4:]
	}
	if len(b) < isakmp.HeaderLen || !bytes.Equal(b[:8], q.cookie[:]) {
		return "", false
	}
	switch b[17] >> 4 {
	case 1:
		return "it speaks IKEv1", true
	case 2:
		return "it speaks IKEv2, perhaps IKEv1 too", true
	}
	return "it speaks IKE", true
}
