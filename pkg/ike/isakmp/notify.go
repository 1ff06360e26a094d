package isakmp

import (
	"encoding/binary"
	"fmt"
)

// NotifyType is the type of a notification (RFC 2408 §3.14.1, RFC 2407 §4.6.3, RFC 3706).
type NotifyType uint16

const (
	InvalidPayloadType       NotifyType = 1
	DOINotSupported          NotifyType = 2
	SituationNotSupported    NotifyType = 3
	InvalidCookie            NotifyType = 4
	InvalidMajorVersion      NotifyType = 5
	InvalidExchangeType      NotifyType = 7
	InvalidMessageID         NotifyType = 9
	InvalidSPI               NotifyType = 11
	AttributesNotSupported   NotifyType = 13
	NoProposalChosen         NotifyType = 14
	BadProposalSyntax        NotifyType = 15
	PayloadMalformed         NotifyType = 16
	InvalidKeyInformation    NotifyType = 17
	InvalidIDInformation     NotifyType = 18
	InvalidCertEncoding      NotifyType = 19
	InvalidCertificate       NotifyType = 20
	CertTypeUnsupported      NotifyType = 21
	InvalidCertAuthority     NotifyType = 22
	InvalidHashInformation   NotifyType = 23
	AuthenticationFailed     NotifyType = 24
	InvalidSignature         NotifyType = 25
	CertificateUnavailable   NotifyType = 28
	Connected                NotifyType = 16384
	ResponderLifetime        NotifyType = 24576
	ReplayStatus             NotifyType = 24577
	InitialContact           NotifyType = 24578
	DPDRequest               NotifyType = 36136 // R-U-THERE
	DPDReply                 NotifyType = 36137 // R-U-THERE-ACK
	Queue                    NotifyType = 39611 // ours, of the private range: which of several children for one selector this one is (the idea of RFC 9611)
	notifyFirstStatus        NotifyType = 16384
	notifySPIBothCookies                = 16
	minNotify                           = 8
	maxDeletedSPIs                      = 256
	notifyUnnamedTypeFormat             = "notification %d"
	deleteSPIOfISAKMPInBytes            = 16
)

var notifyNames = map[NotifyType]string{
	InvalidPayloadType: "INVALID-PAYLOAD-TYPE", DOINotSupported: "DOI-NOT-SUPPORTED", SituationNotSupported: "SITUATION-NOT-SUPPORTED",
	InvalidCookie: "INVALID-COOKIE", InvalidMajorVersion: "INVALID-MAJOR-VERSION", InvalidExchangeType: "INVALID-EXCHANGE-TYPE",
	InvalidMessageID: "INVALID-MESSAGE-ID", InvalidSPI: "INVALID-SPI", AttributesNotSupported: "ATTRIBUTES-NOT-SUPPORTED",
	NoProposalChosen: "NO-PROPOSAL-CHOSEN", BadProposalSyntax: "BAD-PROPOSAL-SYNTAX", PayloadMalformed: "PAYLOAD-MALFORMED",
	InvalidKeyInformation: "INVALID-KEY-INFORMATION", InvalidIDInformation: "INVALID-ID-INFORMATION",
	InvalidCertEncoding: "INVALID-CERT-ENCODING", InvalidCertificate: "INVALID-CERTIFICATE", CertTypeUnsupported: "CERT-TYPE-UNSUPPORTED",
	InvalidCertAuthority: "INVALID-CERT-AUTHORITY", InvalidSignature: "INVALID-SIGNATURE", CertificateUnavailable: "CERTIFICATE-UNAVAILABLE",
	InvalidHashInformation: "INVALID-HASH-INFORMATION", AuthenticationFailed: "AUTHENTICATION-FAILED", Connected: "CONNECTED",
	ResponderLifetime: "RESPONDER-LIFETIME", ReplayStatus: "REPLAY-STATUS", InitialContact: "INITIAL-CONTACT",
	DPDRequest: "R-U-THERE", DPDReply: "R-U-THERE-ACK", Queue: "QUEUE",
}

func (t NotifyType) String() string {
	if s, ok := notifyNames[t]; ok {
		return s
	}
	return fmt.Sprintf(notifyUnnamedTypeFormat, uint16(t))
}

// IsError reports whether the notification is an error, not a status.
func (t NotifyType) IsError() bool { return t < notifyFirstStatus }

// Notify is the body of a notification payload (RFC 2408 §3.14).
type Notify struct {
	DOI      uint32
	Protocol ProtocolID
	Type     NotifyType
	SPI      []byte
	Data     []byte
}

// ParseNotify reads the body; SPI and Data are slices of it.
func ParseNotify(b []byte) (Notify, error) {
	c := cursor{b: b}
	n := Notify{DOI: c.u32(), Protocol: ProtocolID(c.u8())}
	spiLen := int(c.u8())
	n.Type = NotifyType(c.u16())
	n.SPI = c.take(spiLen)
	n.Data = c.rest()
	if c.failed {
		return n, fmt.Errorf("%w: a notification of %d bytes (at least %d) with an SPI of %d", ErrSyntax, len(b), minNotify, spiLen)
	}
	return n, nil
}

// Append appends the body.
func (n Notify) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, n.DOI)
	b = append(b, uint8(n.Protocol), uint8(len(n.SPI)))
	b = binary.BigEndian.AppendUint16(b, uint16(n.Type))
	b = append(b, n.SPI...)
	return append(b, n.Data...)
}

// Delete is the body of a delete payload (RFC 2408 §3.15).
type Delete struct {
	DOI      uint32
	Protocol ProtocolID
	SPIs     [][]byte // all of one length
}

// ParseDelete reads the body; the SPIs are slices of it. They are 4 bytes long for ESP and AH, and 16 for ISAKMP.
func ParseDelete(b []byte) (Delete, error) {
	c := cursor{b: b}
	d := Delete{DOI: c.u32(), Protocol: ProtocolID(c.u8())}
	size, n := int(c.u8()), int(c.u16())
	want := 4
	if d.Protocol == ProtoISAKMP {
		want = deleteSPIOfISAKMPInBytes
	}
	if c.failed || size != want || n > maxDeletedSPIs || n*size != len(c.b) {
		return d, fmt.Errorf("%w: a delete of %d SPIs of %d bytes", ErrSyntax, n, size)
	}
	for range n {
		d.SPIs = append(d.SPIs, c.take(size))
	}
	return d, nil
}

// Append appends the body.
func (d Delete) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, d.DOI)
	size := 4
	if d.Protocol == ProtoISAKMP {
		size = deleteSPIOfISAKMPInBytes
	}
	b = append(b, uint8(d.Protocol), uint8(size))
	b = binary.BigEndian.AppendUint16(b, uint16(len(d.SPIs)))
	for _, s := range d.SPIs {
		b = append(b, s...)
	}
	return b
}

// CookieSPI is the SPI of an ISAKMP SA in notifications and deletions: both cookies.
func CookieSPI(initiator, responder Cookie) []byte {
	b := make([]byte, 0, notifySPIBothCookies)
	return append(append(b, initiator[:]...), responder[:]...)
}
