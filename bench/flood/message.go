package flood

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
)

// The head of a payload, 20 bytes, big endian:
//
//	0  run     uint32  of which measurement
//	4  flow    uint16  0 to flows-1
//	6  kind    uint8
//	7  zero
//	8  number  uint64  of all datagrams of the run, in the order in which they were sent
//	16 check   uint32  CRC-32C of the bytes before
const headLen = 20

// Overhead is what IPv4 and UDP headers add to a payload, in bytes.
const Overhead = 20 + 8

type kind uint8

const (
	warm  kind = iota // does not count
	count             // counts
	end               // nothing follows; the number is that of the datagrams before
	seen              // from the sink to the sender: the greatest number that has arrived
)

type head struct {
	run    uint32
	flow   uint16
	kind   kind
	number uint64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// put writes the head to the first headLen bytes of b.
func (h head) put(b []byte) {
	binary.BigEndian.PutUint32(b, h.run)
	binary.BigEndian.PutUint16(b[4:], h.flow)
	b[6], b[7] = byte(h.kind), 0
	binary.BigEndian.PutUint64(b[8:], h.number)
	binary.BigEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
}

// parse reads a head. It fails if b is too short or the check value is another.
func parse(b []byte) (h head, ok bool) {
	if len(b) < headLen || binary.BigEndian.Uint32(b[16:]) != crc32.Checksum(b[:16], castagnoli) {
		return h, false
	}
	return head{binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:]), kind(b[6]), binary.BigEndian.Uint64(b[8:])}, true
}

// fillers is where filler is cut from: 4096 places to begin, and room behind the last.
var fillers = func() []byte {
	b := make([]byte, 4096+maxSize)
	r := rand.NewPCG(1, 2)
	for i := 0; i < len(b); i += 8 {
		binary.NativeEndian.PutUint64(b[i:], r.Uint64())
	}
	return b
}()

// maxSize is the largest datagram, a multiple of eight.
const maxSize = 9216

// filler is what stands behind the head of the datagram with that number. Neighbours have other filler, so that a tail on the wrong head is seen.
func filler(number uint64, n int) []byte {
	at := number * 61 % 4096
	return fillers[at : at+uint64(n)]
}

// whole reports whether the bytes behind the head of a payload are those that were sent.
func whole(payload []byte, number uint64) bool {
	return bytes.Equal(payload[headLen:], filler(number, len(payload)-headLen))
}
