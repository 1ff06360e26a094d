package isakmp

import (
	"encoding/binary"
	"errors"
)

// ErrSyntax is wrapped by every parse error of this package.
var ErrSyntax = errors.New("malformed ISAKMP message")

// cursor reads a body from front to back. Lengths are ints from the moment they are read, and a nested structure gets a cursor of
// its own over exactly its bytes, so that it cannot read its neighbour. After the first failure every read yields zeros.
type cursor struct {
	b      []byte
	failed bool
}

func (c *cursor) take(n int) []byte {
	if c.failed || n < 0 || n > len(c.b) {
		c.failed = true
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// rest takes all that is left.
func (c *cursor) rest() []byte { return c.take(len(c.b)) }

// sub takes n bytes as a cursor of their own.
func (c *cursor) sub(n int) cursor {
	b := c.take(n)
	return cursor{b: b, failed: c.failed}
}

// done reports whether everything was read and nothing failed.
func (c *cursor) done() bool { return !c.failed && len(c.b) == 0 }
