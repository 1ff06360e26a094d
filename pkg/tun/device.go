package tun

import (
	"errors"
	"fmt"
	"os"

	"golang.zx2c4.com/wireguard/tun"
)

// Device reads and writes batches of IP datagrams. See the package comment for what its Write demands of buffers.
type Device = tun.Device

// Event is what Device.Events delivers: bits of EventUp, EventDown and EventMTUUpdate.
type Event = tun.Event

// The events of a device.
const (
	EventUp        = tun.EventUp
	EventDown      = tun.EventDown
	EventMTUUpdate = tun.EventMTUUpdate
)

// Headroom is how many octets must be free before each datagram that is given to Device.Write, and the least offset of that call
// (10 for the virtio header on Linux, 4 for the address family on macOS; rounded up so that datagrams stay aligned). The same
// offset may be used for Read.
const Headroom = 16

// ErrPacket is what errors about one packet wrap, which was dropped: the device works.
var ErrPacket = errors.New("a packet was dropped")

// MaxDatagram is the length of the largest datagram a Read can give: the largest an IP header can name.
const MaxDatagram = 65535

// ErrGone says that the device was deleted while in use (ip link del, a driver unloaded). It will not come back: close it and
// create another.
var ErrGone = errors.New("the TUN device was deleted under us; it has to be made again")

// Condition is what an error of a Device means to its reader.
type Condition uint8

const (
	// Temporary: this call failed, the next may succeed. Count it, and wait a little before going on after several in a row.
	Temporary Condition = iota
	// Gone: the device was deleted by somebody else; create another one.
	Gone
	// Closed: the device was closed by us; stop.
	Closed
)

// Diagnose says what a reader or writer should do after a non-nil error of a Device that this package made.
func Diagnose(err error) Condition {
	switch {
	case errors.Is(err, ErrGone):
		return Gone
	case errors.Is(err, os.ErrClosed):
		return Closed
	}
	return Temporary
}

// checkMTU refuses what no IP device can have (RFC 791: 68 octets at least).
func checkMTU(mtu int) error {
	if mtu < 68 || mtu > MaxDatagram {
		return fmt.Errorf("an MTU of %d octets is not possible; choose one from 1280 to %d", mtu, MaxDatagram)
	}
	return nil
}
