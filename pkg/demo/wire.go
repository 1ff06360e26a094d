package demo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/netio"
)

// window is the number of consecutive bytes of sent data that must not be seen on the wire.
const window = 16

// wire sees every datagram that either end sends.
type wire struct {
	mu     sync.Mutex
	secret map[[window]byte]struct{} // every window of what is sent

	// Wire is the count of what was seen.
	seen Wire
}

// Wire is what was seen on the loopback sockets.
type Wire struct {
	Datagrams  uint64 `json:"datagrams"`
	Bytes      uint64 `json:"bytes"`
	IKE        uint64 `json:"ike"`
	ESP        uint64 `json:"esp"`
	Keepalives uint64 `json:"keepalives"`
	// Alien datagrams parse as neither; Leaks hold 16 consecutive bytes of what was sent.
	Alien uint64 `json:"alien"`
	Leaks uint64 `json:"leaks"`
}

// Clean reports whether the wire carried IKE and ESP only and hid everything.
func (w Wire) Clean() bool { return w.Alien == 0 && w.Leaks == 0 && w.IKE > 0 && w.ESP > 0 }

// newWire returns a wire that knows what will be sent: repetitions of pattern.
func newWire(pattern []byte) *wire {
	w := &wire{secret: make(map[[window]byte]struct{}, len(pattern))}
	ring := append(bytes.Clone(pattern), pattern[:window-1]...)
	for i := range pattern {
		w.secret[[window]byte(ring[i:])] = struct{}{}
	}
	return w
}

// look judges one datagram.
func (w *wire) look(data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Datagrams++
	w.seen.Bytes += uint64(len(data))
	switch {
	case len(data) == 1 && data[0] == 0xff:
		w.seen.Keepalives++
	case len(data) > 4 && binary.BigEndian.Uint32(data) == 0:
		if _, err := isakmp.ParseHeader(data[4:]); err != nil {
			w.seen.Alien++
		} else {
			w.seen.IKE++
		}
	case len(data) >= 8+8+16 && binary.BigEndian.Uint32(data) > 255:
		w.seen.ESP++
	default:
		w.seen.Alien++
	}
	for i := 0; i+window <= len(data); i++ {
		if _, leak := w.secret[[window]byte(data[i:])]; leak {
			w.seen.Leaks++
			return
		}
	}
}

func (w *wire) count() Wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// tap returns conn with every sent datagram shown to w.
func (w *wire) tap(conn netio.Conn) netio.Conn { return &tapped{Conn: conn, wire: w} }

type tapped struct {
	netio.Conn
	wire *wire
}

func (t *tapped) WriteBatch(msgs []netio.Message) (int, error) {
	for i := range msgs {
		data := msgs[i].Bytes()
		segment := msgs[i].Segment
		if segment == 0 {
			segment = max(len(data), 1)
		}
		for len(data) > 0 {
			n := min(segment, len(data))
			t.wire.look(data[:n])
			data = data[n:]
		}
	}
	return t.Conn.WriteBatch(msgs)
}

// String is one line for people.
func (w Wire) String() string {
	return fmt.Sprintf("%d datagrams, %d bytes: %d IKE, %d ESP, %d keepalives, %d of another kind, %d with clear text",
		w.Datagrams, w.Bytes, w.IKE, w.ESP, w.Keepalives, w.Alien, w.Leaks)
}
