package isakmp

import (
	"encoding/binary"
	"fmt"
)

// Fragment is the body of a fragment payload, the only one of its message: a part of a message that is too long for the path ([MS-IKEE] §2.2.3, as Cisco,
// Windows and strongSwan speak it). Number counts from 1; the parts joined are the message with its own header.
type Fragment struct {
	ID     uint16 // the same in all parts of a message
	Number uint8
	Last   bool
	Data   []byte
}

const (
	fragmentHeaderLen = 4
	fragmentLast      = 1
	// FragmentOverhead is what a fragment adds to its part: header, generic payload header, fragment header.
	FragmentOverhead = HeaderLen + 4 + fragmentHeaderLen
)

// ParseFragment reads the body; Data is a slice of it. There is no part without bytes and none with the number 0.
func ParseFragment(b []byte) (Fragment, error) {
	c := cursor{b: b}
	f := Fragment{ID: c.u16(), Number: c.u8()}
	flags := c.u8()
	f.Data = c.rest()
	if c.failed || flags&^fragmentLast != 0 || f.Number == 0 || len(f.Data) == 0 {
		return f, fmt.Errorf("%w: a fragment payload of %d bytes with number %d and flags %d", ErrSyntax, len(b), f.Number, flags)
	}
	f.Last = flags == fragmentLast
	return f, nil
}

// Append appends the body.
func (f Fragment) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, f.ID)
	flags := uint8(0)
	if f.Last {
		flags = fragmentLast
	}
	return append(append(b, f.Number, flags), f.Data...)
}

// SplitMessage cuts a message into fragments, whole datagrams whose parts have size bytes at most; more, if otherwise there were more than 255 of them.
// They bear the header's cookies, exchange and message ID, and no flags: a fragment is not encrypted, its parts joined may be.
func SplitMessage(message []byte, id uint16, size int) ([][]byte, error) {
	h, err := ParseHeader(message)
	if err != nil {
		return nil, err
	}
	const most = 255
	size = max(size, (len(message)+most-1)/most)
	h.NextPayload, h.Flags = PayloadFragment, 0
	var out [][]byte
	for number := uint8(1); len(message) > 0; number++ {
		n := min(size, len(message))
		f := Fragment{ID: id, Number: number, Last: n == len(message), Data: message[:n]}
		message = message[n:]
		h.Length = FragmentOverhead + n
		b := h.Append(make([]byte, 0, h.Length))
		b = append(b, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(4+fragmentHeaderLen+n))
		out = append(out, f.Append(b))
	}
	return out, nil
}
