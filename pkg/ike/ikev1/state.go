package ikev1

import "github.com/goipsec/goipsec/pkg/ike/isakmp"

// State is where a main-mode SA stands in its life.
type State uint8

const (
	// Negotiating: main mode is under way. No phase 2 message is obeyed.
	Negotiating State = iota + 1
	// Examining: main mode is over, and the one who began it has yet to log in (XAUTH). Nothing but transaction exchanges is obeyed.
	Examining
	// Established: the peer has proved its identity.
	Established
	// Retiring: another SA has taken its place; it still answers, and starts nothing new.
	Retiring
	// Dying: its deletion has been sent; it answers nothing.
	Dying
)

func (s State) String() string {
	switch s {
	case Negotiating:
		return "negotiating"
	case Examining:
		return "logging in"
	case Established:
		return "established"
	case Retiring:
		return "retiring"
	case Dying:
		return "dying"
	}
	return "none"
}

// afterMessage is the only way to become Established: the last message of main mode or aggressive mode, in either role, with the peer's proof of identity verified and, where
// extended authentication was agreed on, a transaction exchange that ended it well (security.md P13, P26). Everything else leaves the state as it is.
func afterMessage(s State, x isakmp.ExchangeType, r isakmp.Role, complete, authenticated, extended bool) State {
	if !complete || !authenticated || r != isakmp.Initiator && r != isakmp.Responder {
		return s
	}
	phase1 := x == isakmp.MainMode || x == isakmp.Aggressive
	switch {
	case s == Negotiating && phase1 && extended:
		return Examining
	case s == Negotiating && phase1 || s == Examining && x == isakmp.Transaction && extended:
		return Established
	}
	return s
}

// unfinished reports whether an attempt is still under way.
func (s State) unfinished() bool { return s == Negotiating || s == Examining }

// obeys reports whether a main-mode SA in state s does what a phase 2 message says.
func (s State) obeys() bool { return s == Established || s == Retiring }
