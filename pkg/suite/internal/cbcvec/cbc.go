package cbcvec

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeskey"
	"github.com/goipsec/goipsec/pkg/suite/internal/buffer"
)

const blockSize = 16

type block [blockSize]byte

// What the standard library panics for.
const (
	panicIV      = "cbcvec: the IV is not 16 bytes long"
	panicBlocks  = "cbcvec: the text is not whole blocks"
	panicShort   = "cbcvec: the output is shorter than the text"
	panicOverlap = "cbcvec: the output overlaps the text, and not exactly"
)

var errUnavailable = errors.New("this processor, or its operating system, lacks AES on vectors of 512 bits")

// available is a variable for the tests.
var available = supported()

// Available says whether this processor and its operating system have what it takes.
func Available() bool { return available }

// schedule is the beginning of a key, and all of it that Go looks at. A key is as small as can be, since there may be a hundred thousand: one
// object, and in it no more round keys than it has, of one direction. The assembly knows the layout.
type schedule struct{ rounds int64 } // the round keys follow, in the order in which they are used

type (
	schedule128 struct {
		schedule
		round [11]block
	}
	schedule192 struct {
		schedule
		round [13]block
	}
	schedule256 struct {
		schedule
		round [15]block
	}
)

// newSchedule also returns the round keys, which are those of encryption.
func newSchedule(key []byte) (s *schedule, round []byte, err error) {
	if !Available() {
		return nil, nil, errUnavailable
	}
	switch len(key) {
	case 16:
		k := new(schedule128)
		s, round = k.init(k.round[:], key)
	case 24:
		k := new(schedule192)
		s, round = k.init(k.round[:], key)
	case 32:
		k := new(schedule256)
		s, round = k.init(k.round[:], key)
	default:
		return nil, nil, fmt.Errorf("a key of %d bytes, not of 16, 24 or 32", len(key))
	}
	return s, round, nil
}

func (s *schedule) init(round []block, key []byte) (*schedule, []byte) {
	s.rounds = int64(len(round) - 1)
	bytes := unsafe.Slice(&round[0][0], blockSize*len(round))
	aeskey.Expand(bytes, key)
	return s, bytes
}

// An Encrypter encrypts under one key.
type Encrypter schedule

// NewEncrypter makes an Encrypter from a key of 16, 24 or 32 bytes, which it does not keep. It fails for other sizes, and where
// [Available] is false.
func NewEncrypter(key []byte) (*Encrypter, error) {
	s, _, err := newSchedule(key)
	return (*Encrypter)(s), err
}

// Encrypt encrypts src, a multiple of 16 bytes, into as many bytes of dst, which is src or does not overlap it, with an IV of 16 bytes, which
// may lie anywhere. It panics where the caller broke these rules.
func (e *Encrypter) Encrypt(dst, src, iv []byte) {
	if check(dst, src, iv) {
		encrypt(e, unsafe.SliceData(dst), unsafe.SliceData(src), len(src), unsafe.SliceData(iv))
	}
}

// A Decrypter decrypts under one key.
type Decrypter schedule

// NewDecrypter is to a Decrypter what [NewEncrypter] is to an Encrypter.
func NewDecrypter(key []byte) (*Decrypter, error) {
	s, round, err := newSchedule(key)
	if err != nil {
		return nil, err
	}
	aeskey.Invert(round)
	return (*Decrypter)(s), nil
}

// Decrypt undoes Encrypt, and has the same rules.
func (d *Decrypter) Decrypt(dst, src, iv []byte) {
	if check(dst, src, iv) {
		decrypt(d, unsafe.SliceData(dst), unsafe.SliceData(src), len(src), unsafe.SliceData(iv))
	}
}

// check holds the caller to the rules, and says whether there is anything to do.
func check(dst, src, iv []byte) bool {
	switch {
	case len(iv) != blockSize:
		panic(panicIV)
	case len(src)%blockSize != 0:
		panic(panicBlocks)
	case len(dst) < len(src):
		panic(panicShort)
	case unsafe.SliceData(dst) != unsafe.SliceData(src) && buffer.Overlap(dst[:len(src)], src):
		panic(panicOverlap)
	}
	return len(src) > 0
}
