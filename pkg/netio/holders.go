package netio

import "net/netip"

// Holder is a UDP socket that is bound to a port, and the process that has it open.
type Holder struct {
	Local   netip.AddrPort
	PID     int    // 0: not to be found out
	Process string // its name, "" likewise
}

// Holders lists who holds a UDP port, on any address of either family. Where the system does not say, the list is empty.
func Holders(port uint16) []Holder { return holders(port) }
