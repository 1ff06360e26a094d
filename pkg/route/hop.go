package route

import "errors"

// Hop is the next hop on the way to a host.
type Hop struct {
	// Interface is the number of the interface that leads there, Hardware the Ethernet address of the router or of the host itself, Source that of the interface.
	Interface int
	Hardware  [6]byte
	Source    [6]byte
	// MTU is what the way takes, in octets.
	MTU int
}

// ErrNoHop says that the kernel has no next hop on an Ethernet that frames could be given to without it: the way leads elsewhere, or the neighbour is not known now.
var ErrNoHop = errors.New("no next hop with an Ethernet address")
