package packet

import (
	"encoding/binary"
	"errors"
)

// MaxSuperHeader is how long IP and transport header of a superpacket may be together, in bytes.
const MaxSuperHeader = 256

// ErrSuper is a superpacket that cannot be cut: not TCP or UDP, a fragment, without payload, or with lengths that contradict each other.
var ErrSuper = errors.New("a superpacket that no datagrams can be cut from")

// TCP flags (RFC 9293 §3.1, RFC 3168 §6.1); SYN stands with the MSS option.
const (
	tcpFIN = 0x01
	tcpRST = 0x04
	tcpPSH = 0x08
	tcpACK = 0x10
	tcpURG = 0x20
	tcpCWR = 0x80
)

const udpHeaderLen = 8

// Super cuts a superpacket into the datagrams that it stands for, in order and in place: nothing but headers is written. The zero value is ready for
// Init. One goroutine.
type Super struct {
	pkt     []byte
	header  int // length of both headers
	upper   int // where the transport header begins
	segment int
	at      int // where the payload of the next datagram begins
	index   int
	v4, tcp bool
	id      uint16
	seq     uint32
	flags   byte
	// ipSum is the sum of the IPv4 header, without its length, identification and checksum. upperSum is that of the pseudo header and the transport
	// header, without what differs between the datagrams.
	ipSum, upperSum uint64
	first           [MaxSuperHeader]byte
}

// Init prepares to cut pkt, whose header is h, into datagrams with segment bytes of payload each, the last with what is left.
func (s *Super) Init(pkt []byte, h *Header, segment int) error {
	pkt = pkt[:h.TotalLen]
	s.upper, s.header, s.tcp = h.UpperOffset, 0, h.Key.Proto == protoTCP
	rest := pkt[s.upper:]
	switch {
	case h.Key.Flags&Fragment != 0 || h.Key.Flags&ProtoKnown == 0:
		return ErrSuper
	case s.tcp && len(rest) >= tcpHeaderLen && rest[12]>>4 >= 5:
		s.header = s.upper + int(rest[12]>>4)*4
	case h.Key.Proto == protoUDP:
		s.header = s.upper + udpHeaderLen
	default:
		return ErrSuper
	}
	if segment <= 0 || s.header >= len(pkt) || s.header > MaxSuperHeader {
		return ErrSuper
	}
	s.pkt, s.segment, s.at, s.index, s.v4 = pkt, segment, s.header, 0, h.Version == 4
	copy(s.first[:], pkt[:s.header])
	s.prepare(h)
	return nil
}

// prepare takes the sums over what all datagrams have in common.
func (s *Super) prepare(h *Header) {
	head := s.first[:s.header]
	if s.v4 {
		s.id = uint16(h.ID)
		clear(head[2:6]) // length and identification
		clear(head[10:12])
		s.ipSum = sum(head[:s.upper], 0)
	}
	t := head[s.upper:]
	sums := pseudo(h.Key.Src, h.Key.Dst, h.Key.Proto, 0)
	if h.SourceRouted {
		// The pseudo header has the final destination (RFC 8200 §8.1), which is not the key's. The device has left its sum, with the length of the
		// whole, where the checksum belongs.
		field := t[6:8]
		if s.tcp {
			field = t[16:18]
		}
		sums = uint64(binary.BigEndian.Uint16(field)) + uint64(^uint16(len(s.pkt)-s.upper))
	}
	if s.tcp {
		s.seq, s.flags = binary.BigEndian.Uint32(t[4:]), t[13]
		clear(t[4:8])
		t[13] = 0
		clear(t[16:18])
	} else {
		clear(t[4:8]) // length and checksum
	}
	s.upperSum = sum(t, sums)
}

// Count is the number of datagrams in all.
func (s *Super) Count() int { return (len(s.pkt) - s.header + s.segment - 1) / s.segment }

// HeaderLen is the length of IP and transport header together, in bytes, in each datagram.
func (s *Super) HeaderLen() int { return s.header }

// Next makes the next datagram and returns it, with its lengths, identification and checksums; nil after the last. It lies in the superpacket, its header
// where the end of the datagram before it was: that one must be done with. Behind it lies the payload of the next.
func (s *Super) Next() []byte {
	if s.at >= len(s.pkt) {
		return nil
	}
	start, end := s.at-s.header, min(s.at+s.segment, len(s.pkt))
	d := s.pkt[start:end]
	payload := d[s.header:]
	copy(d, s.first[:s.header])
	if s.v4 {
		binary.BigEndian.PutUint16(d[2:], uint16(len(d)))
		id := s.id + uint16(s.index)
		binary.BigEndian.PutUint16(d[4:], id)
		binary.BigEndian.PutUint16(d[10:], ^fold(s.ipSum+uint64(len(d))+uint64(id)))
	} else {
		binary.BigEndian.PutUint16(d[4:], uint16(len(d)-ipv6HeaderLen))
	}
	t := d[s.upper:]
	acc := sum(payload, s.upperSum+uint64(len(t)))
	if s.tcp {
		seq, flags := s.seq+uint32(s.index*s.segment), s.flags
		if s.index > 0 {
			flags &^= tcpCWR // the sender reduces its window once (RFC 3168 §6.1.2)
		}
		if end < len(s.pkt) {
			flags &^= tcpFIN | tcpPSH
		}
		binary.BigEndian.PutUint32(t[4:], seq)
		t[13] = flags
		acc += uint64(seq>>16) + uint64(seq&0xffff) + uint64(flags)
		binary.BigEndian.PutUint16(t[16:], ^fold(acc))
	} else {
		binary.BigEndian.PutUint16(t[4:], uint16(len(t)))
		c := ^fold(acc + uint64(len(t)))
		if c == 0 {
			c = 0xffff // 0 means that there is none (RFC 768)
		}
		binary.BigEndian.PutUint16(t[6:], c)
	}
	s.at, s.index = end, s.index+1
	return d
}
