package flood

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Options say what both ends of a measurement agree about.
type Options struct {
	From netip.Addr `json:"from"` // IPv4; Sink needs To only
	To   netip.Addr `json:"to"`
	// Port is the sender's, and the sink's of flow 0; flow n goes to Port+n. Flows take turns message by message, in one system call.
	Port  uint16 `json:"port"`
	Flows int    `json:"flows"`
	Size  int    `json:"size"` // of the whole IP datagram in bytes, 48 to 9216
	Run   uint32 `json:"run"`  // tells measurements apart
	// Segments is how many datagrams of one flow the system is given as one message, to be cut by UDP_SEGMENT: 2, 4 … 64 of them. 0 or 1: each by itself.
	Segments int `json:"segments"`
	// Window is how many datagrams are under way at most; 0: no limit, flat out.
	Window int `json:"window"`
	// Warm is how long datagrams are sent that do not count, and Length how long those that do.
	Warm   time.Duration `json:"warm"`
	Length time.Duration `json:"length"`
	Ready  func()        `json:"-"` // called by Sink when its sockets are open; nil: nothing
}

// Sent is what a sender did.
type Sent struct {
	Packets uint64  `json:"packets"` // that count
	Refused uint64  `json:"refused"` // of them, that the system did not take
	Calls   uint64  `json:"system_calls"`
	Stalls  uint64  `json:"stalls"` // times that nothing was heard of the sink, and the window taken for lost
	Seconds float64 `json:"seconds"`
}

// ErrUnsupported says that this system has no sendmmsg.
var ErrUnsupported = errors.New("flood runs on Linux only")

// ErrOptions is what every error about Options wraps.
var ErrOptions = errors.New("flood")

// MaxFlows is the greatest number of flows.
const MaxFlows = 256

func (o Options) check() error {
	switch {
	case !o.To.Is4():
		return fmt.Errorf("%w: the sink's address is not an IPv4 address", ErrOptions)
	case o.Size < Overhead+headLen || o.Size > maxSize:
		return fmt.Errorf("%w: %d bytes is no size from %d to %d", ErrOptions, o.Size, Overhead+headLen, maxSize)
	case o.Flows < 1 || o.Flows > MaxFlows || int(o.Port)+o.Flows > 1<<16 || o.Port == 0:
		return fmt.Errorf("%w: %d flows from port %d: there can be 1 to %d, and ports end at 65535", ErrOptions, o.Flows, o.Port, MaxFlows)
	case o.Segments < 0 || o.Segments > burst || o.Segments > 1 && (burst%o.Segments != 0 || o.Segments*(o.Size-Overhead) > maxMessage):
		return fmt.Errorf("%w: %d segments of %d bytes: there can be 2, 4 … %d, of %d bytes of payload at most", ErrOptions, o.Segments, o.Size, burst, maxMessage)
	case o.Window < 0 || o.Window > 0 && o.Window < burst:
		return fmt.Errorf("%w: a window of %d: it must be 0 or at least %d", ErrOptions, o.Window, burst)
	case o.Length <= 0 || o.Warm < 0:
		return fmt.Errorf("%w: the length must be more than nothing", ErrOptions)
	}
	return nil
}

// maxMessage is how many bytes of payload one message holds.
const maxMessage = 65507

// flow returns the flow of the datagram with that number.
func (o *Options) flow(number uint64) uint16 {
	return uint16(number / uint64(max(o.Segments, 1)) % uint64(o.Flows))
}

// burst is how many datagrams the sender hands over in one system call.
const burst = 64
