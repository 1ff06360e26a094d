package sa

import (
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

// Lifetime bounds the use of an SA. In every field zero means no bound. At a soft bound a successor is negotiated;
// at a hard bound the SA stops. Bytes are payload bytes, as the byte counters are; packets bound the sequence number.
type Lifetime struct {
	SoftTime, HardTime       time.Duration
	SoftBytes, HardBytes     uint64
	SoftPackets, HardPackets uint64
}

// State is where an SA stands in its lifetime.
type State uint8

const (
	// Live is before the soft bound.
	Live State = iota
	// Soft is between the bounds: a successor is due.
	Soft
	// Hard is past the end: Seal and Open refuse.
	Hard
)

// String returns "live", "soft" or "hard".
func (s State) String() string {
	switch s {
	case Live:
		return "live"
	case Soft:
		return "soft"
	}
	return "hard"
}

const (
	// maxSequence and maxSequenceESN are the last sequence numbers (RFC 4303 §3.3.3).
	maxSequence    = 1<<32 - 1
	maxSequenceESN = 1<<64 - 1
)

// Limits returns the lifetime of an SA from what was negotiated, seconds and kilobytes (of 1024 bytes; 0: unbounded), together with
// the bounds that the algorithm and the length of the sequence numbers set. The soft bounds lie 10 to 20 % before the hard ones; jitter,
// in [0,1), picks the place, so that SAs that were born together are not renewed together.
func Limits(seconds, kilobytes uint32, encr suite.Encr, esn bool, jitter float64) Lifetime {
	l := Lifetime{
		HardTime:    time.Duration(seconds) * time.Second,
		HardBytes:   uint64(kilobytes) * 1024,
		HardPackets: maxSequence,
	}
	if esn {
		l.HardPackets = 0
	}
	if most := byteBound(encr); most != 0 && (l.HardBytes == 0 || l.HardBytes > most) {
		l.HardBytes = most
	}
	keep := 0.9 - 0.1*min(max(jitter, 0), 1)
	l.SoftTime = time.Duration(float64(l.HardTime) * keep)
	l.SoftBytes = uint64(float64(l.HardBytes) * keep)
	l.SoftPackets = uint64(float64(l.HardPackets) * keep)
	return l
}

// byteBound returns how many bytes one key may protect, 0 for no bound below that of the sequence number.
func byteBound(encr suite.Encr) uint64 {
	info, _ := encr.Info()
	return info.SafeKilobytes * 1024
}

// state returns where an SA of this age and use stands. seq is the sequence number last used or seen.
func (l *Lifetime) state(age time.Duration, bytes, seq uint64) State {
	if reached(uint64(max(age, 0)), uint64(l.HardTime)) || reached(bytes, l.HardBytes) || reached(seq, l.HardPackets) {
		return Hard
	}
	if reached(uint64(max(age, 0)), uint64(l.SoftTime)) || reached(bytes, l.SoftBytes) || reached(seq, l.SoftPackets) {
		return Soft
	}
	return Live
}

func reached(use, bound uint64) bool { return bound != 0 && use >= bound }
