package esp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/goipsec/goipsec/pkg/suite"
)

var (
	// ErrBuffer is a slice that is not exactly as long as header and SealedLen together.
	ErrBuffer = errors.New("esp: the buffer's length does not fit the payload's")
	// ErrSequence is a sequence number that does not rise, or is beyond 32 bits without ESN.
	ErrSequence = errors.New("esp: sequence number used before or out of range")
)

// NoNextHeader is the protocol number of dummy packets (RFC 4303 §2.6).
const NoNextHeader = 59

// Sealer protects payloads. It satisfies sa.Sealer. One goroutine at a time.
type Sealer struct {
	layout
	transform transform
	random    *ivSource // nil where the IV is the sequence number
	last      uint64    // highest sequence number used
}

// NewSealer makes the outbound half of an ESP SA. keymat is the encryption key followed by its salt, if it has one; integKey is nil for combined
// modes. rand is where CBC takes its IVs from; nil means crypto/rand. The keys are copied or expanded, not kept.
func NewSealer(e suite.Encr, keymat []byte, i suite.Integ, integKey []byte, spi uint32, esn bool, random io.Reader, opts ...Option) (*Sealer, error) {
	l, t, err := choose(e, keymat, i, integKey, spi, esn, true, opts)
	if err != nil {
		return nil, err
	}
	s := &Sealer{layout: l, transform: t}
	if info, _ := e.Info(); !info.Counter && l.ivLen > 0 {
		s.random = sharedIVs
		if random != nil && random != rand.Reader {
			s.random = newIVSource(random)
		}
	}
	return s, nil
}

// Head is the number of bytes in front of the payload: ESP header and IV.
func (s *Sealer) Head() int { return s.head() }

// SealedLen is the length of the ESP packet for a payload of n bytes.
func (s *Sealer) SealedLen(n int) int { return s.sealed(n) }

// MaxPayload is the largest n with SealedLen(n) <= room; negative if there is none.
func (s *Sealer) MaxPayload(room int) int {
	body, align := room-s.head()-s.icv(), int(s.align)
	if body < align {
		return -1
	}
	return body&^(align-1) - trailerLen
}

// Seal makes an ESP packet of pkt[hlen:], in which the payload of n bytes lies after Head() bytes. The slice ends where the packet ends.
// The errors are ErrBuffer, ErrSequence and those of the source of randomness; after an error the packet is not to be sent.
func (s *Sealer) Seal(pkt []byte, hlen, n int, next uint8, seq uint64) error {
	if hlen < 0 || n < 0 || hlen > len(pkt) || len(pkt)-hlen != s.sealed(n) {
		return ErrBuffer
	}
	esp := pkt[hlen:]
	if err := s.header(esp, seq); err != nil {
		return err
	}
	plain := esp[s.head() : len(esp)-s.icv()]
	pad(plain[n:], next)
	s.transform.seal(esp, plain, seq)
	return nil
}

// SealFrom is Seal for a payload that lies elsewhere, in src[:n]; so it is not copied. The trailer is put behind it for the moment: src must have the
// capacity for that, of which MaxTrailer is enough for every length; what is there is then as it was. src and dst must not overlap.
func (s *Sealer) SealFrom(dst []byte, hlen int, src []byte, n int, next uint8, seq uint64) error {
	total := s.sealed(n)
	end := total - s.head() - s.icv()
	if hlen < 0 || n < 0 || hlen > len(dst) || len(dst)-hlen != total || cap(src) < end {
		return ErrBuffer
	}
	esp := dst[hlen:]
	if err := s.header(esp, seq); err != nil {
		return err
	}
	plain := src[:end]
	behind := plain[n:]
	var kept [maxTrailer]byte
	copy(kept[:], behind)
	pad(behind, next)
	s.transform.seal(esp, plain, seq)
	copy(behind, kept[:])
	return nil
}

// MaxTrailer is how many bytes padding, pad length and next header take behind a payload at most.
func (s *Sealer) MaxTrailer() int { return int(s.align) - 1 + trailerLen }

// header writes what precedes the payload: SPI, sequence number, IV.
func (s *Sealer) header(esp []byte, seq uint64) error {
	// A number used twice would be an IV used twice, which ends the security of every counter mode.
	if seq <= s.last || !s.esn && seq > 1<<32-1 {
		return ErrSequence
	}
	s.last = seq
	binary.BigEndian.PutUint64(esp, uint64(s.spi)<<32|seq&(1<<32-1))
	return s.putIV(esp[headerLen:s.head()], seq)
}

func (s *Sealer) putIV(iv []byte, seq uint64) error {
	if s.random != nil {
		return s.random.read(iv)
	}
	if len(iv) > 0 { // NULL with a MAC has none
		binary.BigEndian.PutUint64(iv, seq)
	}
	return nil
}

// pad fills what follows the payload: the bytes 1, 2, 3, …, their number, the next header (RFC 4303 §2.4).
func pad(tail []byte, next uint8) {
	n := len(tail) - trailerLen
	for i := range n {
		tail[i] = byte(i + 1)
	}
	tail[n] = byte(n)
	tail[n+1] = next
}

// Dummy turns pkt[hlen:] into the frame of a dummy packet: the gap's payload is zeroed, and n and next are what Seal takes. The receiver drops it
// after authentication (RFC 4303 §2.6). The slice must be a length that SealedLen can give; ErrBuffer otherwise.
func (s *Sealer) Dummy(pkt []byte, hlen int) (n int, next uint8, err error) {
	if hlen < 0 || hlen > len(pkt) {
		return 0, 0, ErrBuffer
	}
	n = s.MaxPayload(len(pkt) - hlen)
	if n < 0 || s.sealed(n) != len(pkt)-hlen {
		return 0, 0, ErrBuffer
	}
	clear(pkt[hlen+s.head():][:n])
	return n, NoNextHeader, nil
}

// Format prints the SPI and nothing of the keys, whatever the verb.
func (s *Sealer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "ESP sealer, SPI 0x%08x", s.spi) }

// ivSource hands out random IVs, which nobody can predict, from blocks of randomness: one read serves many packets. Safe for concurrent use.
type ivSource struct {
	from   io.Reader
	blocks sync.Pool // of *ivBlock
}

// ivBlock is randomness of which the last left bytes are not used yet.
type ivBlock struct {
	bytes [512]byte
	left  int
}

// sharedIVs serves all sealers that take their IVs from the system: a block for each of many SAs would be memory that is seldom used.
var sharedIVs = newIVSource(rand.Reader)

func newIVSource(from io.Reader) *ivSource {
	return &ivSource{from: from, blocks: sync.Pool{New: func() any { return new(ivBlock) }}}
}

func (v *ivSource) read(iv []byte) error {
	b := v.blocks.Get().(*ivBlock)
	if b.left < len(iv) {
		if _, err := io.ReadFull(v.from, b.bytes[:]); err != nil {
			return fmt.Errorf("esp: no randomness for an IV: %w", err) // and nothing of the block is used
		}
		b.left = len(b.bytes)
	}
	at := len(b.bytes) - b.left
	copy(iv, b.bytes[at:])
	clear(b.bytes[at : at+len(iv)])
	b.left -= len(iv)
	v.blocks.Put(b)
	return nil
}
