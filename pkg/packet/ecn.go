package packet

// The ECN field is the two low bits of the TOS or traffic class octet (RFC 3168 §5).
const (
	ecnMask = 3
	notECT  = 0
	ect1    = 1
	ect0    = 2
	ce      = 3
)

// EncapsulateTOS is the outer octet for an inner one in the normal mode of RFC 6040 §4.1: DSCP and ECN are copied.
func EncapsulateTOS(inner uint8) uint8 { return inner }

// EncapsulateTOSCompat is the compatibility mode of RFC 6040 §4.1, for a peer that may not understand ECN: the outer ECN field is not-ECT.
func EncapsulateTOSCompat(inner uint8) uint8 { return inner &^ ecnMask }

// DecapsulateTOS is the octet of the forwarded datagram, by the table of RFC 6040 §4.2 (figure 4). The inner DSCP stays.
// drop is set where congestion was experienced by a datagram whose sender cannot learn of it: then loss is the only signal.
func DecapsulateTOS(inner, outer uint8) (tos uint8, drop bool) {
	in, out := inner&ecnMask, outer&ecnMask
	switch {
	case in == notECT:
		return inner, out == ce
	case out == ce:
		return inner | ce, false
	case in == ect0 && out == ect1:
		return inner&^ecnMask | ect1, false
	}
	return inner, false
}
