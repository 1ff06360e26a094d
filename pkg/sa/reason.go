package sa

import "errors"

// What stops a packet at its SA. The errors are sentinels, compared with ==, and each stands for one Reason.
var (
	// ErrMalformed is a packet that is too short, or whose ESP or AH header cannot be one, found before any cryptography.
	ErrMalformed = errors.New("sa: packet is shorter than its headers or badly aligned")
	// ErrSequenceZero is sequence number zero, which no sender uses (RFC 4303 §3.4.3).
	ErrSequenceZero = errors.New("sa: sequence number zero")
	// ErrTooOld is a sequence number to the left of the replay window.
	ErrTooOld = errors.New("sa: sequence number is left of the replay window")
	// ErrReplayed is a sequence number that was accepted before.
	ErrReplayed = errors.New("sa: sequence number was received before")
	// ErrAuthentication is a wrong ICV. Wrong padding is the same error, so that no peer can tell the two apart.
	ErrAuthentication = errors.New("sa: integrity check failed")
	// ErrHardLimit is an SA past the end of its lifetime in seconds, bytes or packets.
	ErrHardLimit = errors.New("sa: lifetime is over")
	// ErrSequenceExhausted is an outbound SA that has used its last sequence number; it never wraps (RFC 4303 §3.3.3).
	ErrSequenceExhausted = errors.New("sa: sequence numbers are used up")
	// ErrSeal is a packet that could not be protected because it does not fit its buffer; a fault of the caller.
	ErrSeal = errors.New("sa: packet does not fit its buffer")
)

// Reason is why an SA dropped a packet: the name of one drop counter.
type Reason uint8

const (
	Delivered Reason = iota // no drop
	Malformed
	SequenceZero
	TooOld
	Replayed
	Authentication
	HardLimit
	SequenceExhausted
	SealFailed
	numReasons
)

// Reasons is the number of Reason values: the size of an array of counters.
const Reasons = int(numReasons)

var reasonNames = [...]string{"delivered", "malformed", "sequence-zero", "replay-too-old", "replay-duplicate", "integrity-check", "lifetime-over", "sequence-exhausted", "seal-failed"}

// String returns the name that status prints, for example "replay-duplicate".
func (r Reason) String() string {
	if r >= numReasons {
		return "unknown"
	}
	return reasonNames[r]
}

// ReasonOf returns the Reason of an error that Open, Next or Seal returned; Delivered for nil.
func ReasonOf(err error) Reason {
	switch err {
	case nil:
		return Delivered
	case ErrMalformed:
		return Malformed
	case ErrSequenceZero:
		return SequenceZero
	case ErrTooOld:
		return TooOld
	case ErrReplayed:
		return Replayed
	case ErrAuthentication:
		return Authentication
	case ErrHardLimit:
		return HardLimit
	case ErrSequenceExhausted:
		return SequenceExhausted
	}
	return SealFailed
}
