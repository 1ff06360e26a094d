package netio

import (
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
)

func TestMain(m *testing.M) { testnet.Main(m) }

// room returns n messages with buffers for runs and some headroom.
func room(n int) []Message {
	msgs := make([]Message, n)
	for i := range msgs {
		msgs[i] = Message{Buf: make([]byte, 64+65536), Off: 64}
	}
	return msgs
}

// pattern returns n octets that tell where they are.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}
