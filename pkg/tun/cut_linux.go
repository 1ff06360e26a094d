package tun

import (
	"fmt"
	"sync"

	"github.com/goipsec/goipsec/pkg/packet"
)

// cutReader is what reading superpackets as datagrams needs.
type cutReader struct {
	mu     sync.Mutex
	buf    [Headroom + MaxDatagram + 1]byte
	packet [1]Packet
	header packet.Header
	super  packet.Super
	left   []byte // the next datagram, made but not handed out
}

// Read implements Device: it cuts superpackets into datagrams.
func (k *kernel) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	c := &k.cut
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == nil {
		p := &c.packet[0]
		*p = Packet{Buf: c.buf[:], Off: Headroom}
		if n, err := k.ReadPackets(c.packet[:]); n == 0 || err != nil {
			return 0, err
		}
		if p.Segment == 0 {
			return 1, put(bufs[0][offset:], &sizes[0], p.Bytes())
		}
		if c.header.Parse(p.Bytes()) != nil || c.super.Init(p.Bytes(), &c.header, p.Segment) != nil {
			return 0, errSilly
		}
		c.left = c.super.Next()
	}
	for ; n < len(bufs) && c.left != nil; n++ {
		err := put(bufs[n][offset:], &sizes[n], c.left)
		c.left = c.super.Next()
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// put copies a datagram to where Read is to put it.
func put(b []byte, size *int, d []byte) error {
	if len(d) > len(b) {
		return fmt.Errorf("%w: %d octets", errCut, len(d))
	}
	*size = copy(b, d)
	return nil
}
