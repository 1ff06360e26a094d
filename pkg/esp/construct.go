package esp

import (
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite"
)

// Option is a departure from what NewSealer and NewOpener allow.
type Option uint8

// CoveredByAH says that this ESP lies inside an AH of the same proposal, which authenticates it. Only then may it do without integrity
// (RFC 4303 §3.4.4.2 forbids NULL with no integrity; encryption alone is broken by active attacks).
const CoveredByAH Option = 1

// ErrNoIntegrity is the refusal of ESP that nothing authenticates.
var ErrNoIntegrity = errors.New("esp: encryption without integrity is refused, because an attacker on the path can decrypt and change it: choose a combined mode such as aes-gcm-16 or add an integrity algorithm")

// layout says where the parts of an ESP packet lie. Sizes are in bytes.
type layout struct {
	spi    uint32
	esn    bool
	ivLen  uint8
	block  uint8 // the cipher's block size
	align  uint8 // what we send is padded to a multiple of it: the block size, and at least 4 (RFC 4303 §2.4)
	icvLen uint8
}

const (
	headerLen  = 8 // SPI and sequence number
	trailerLen = 2 // pad length and next header
	// maxTrailer is the longest trailer: that of the largest block there is, 16 bytes.
	maxTrailer = 16 - 1 + trailerLen
)

// head is the number of bytes in front of the payload, icv that of the ICV behind it.
func (l *layout) head() int { return headerLen + int(l.ivLen) }
func (l *layout) icv() int  { return int(l.icvLen) }

// sealed is the length of the ESP packet for a payload of n bytes.
func (l *layout) sealed(n int) int {
	align := int(l.align) // a power of two, as is the block
	return l.head() + (n+trailerLen+align-1)&^(align-1) + l.icv()
}

// valid reports whether a received ESP packet can be n bytes long: room for every part, and whole blocks. That a sender must align to
// four bytes is no reason to refuse one that a stream cipher let slip: Linux takes it too.
func (l *layout) valid(n int) bool {
	body := n - l.head() - l.icv()
	return body >= trailerLen && body&(int(l.block)-1) == 0
}

// transform encrypts and authenticates. The slice is a whole ESP packet, from SPI to ICV, with its IV in place.
type transform interface {
	// seal encrypts plain, payload and trailer, into the packet and writes the ICV. plain is where the ciphertext goes, or elsewhere.
	seal(esp, plain []byte, seq uint64)
	// open checks the ICV and decrypts in place. The ICV comes first; nothing is decrypted unless it is right.
	open(esp []byte, seq uint64) bool
}

// choose makes the transform, for one that seals or one that opens, and the layout for a pair of algorithms.
func choose(e suite.Encr, keymat []byte, i suite.Integ, integKey []byte, spi uint32, esn, seals bool, opts []Option) (layout, transform, error) {
	l := layout{spi: spi, esn: esn}
	info, ok := e.Info()
	if !ok || e == suite.EncrNone {
		return l, nil, fmt.Errorf("esp: encryption algorithm %d is unknown, or failed its self-test at start", e)
	}
	if len(keymat) <= info.SaltLen && e != suite.Null {
		return l, nil, fmt.Errorf("esp: %s needs a key and %d bytes of salt, not %d bytes in all", info.Name, info.SaltLen, len(keymat))
	}
	l.ivLen, l.icvLen, l.block, l.align = uint8(info.IVLen), uint8(info.ICVLen), uint8(max(1, info.BlockSize)), uint8(max(4, info.BlockSize))
	if info.Combined {
		if i != suite.IntegNone {
			return l, nil, fmt.Errorf("esp: %s authenticates by itself and takes no integrity algorithm beside it (RFC 4303 §3.3.2.2): leave it out", info.Name)
		}
		c, err := newCombined(e, keymat, info, esn)
		if err != nil {
			return l, nil, err
		}
		if e == suite.NullGMAC {
			return l, &gmac{combined: *c}, nil
		}
		return l, c, nil
	}
	t, err := newSeparate(e, keymat, i, integKey, info, esn, covered(opts), seals)
	if err == nil {
		l.icvLen = t.icv
	}
	return l, t, err
}

func covered(opts []Option) bool {
	for _, o := range opts {
		if o == CoveredByAH {
			return true
		}
	}
	return false
}
