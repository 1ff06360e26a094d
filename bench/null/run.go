package null

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/tun"
)

// What stands around an inner packet: before it an SPI, a sequence number and an IV, and behind it padding, trailer and ICV. ESP pads to four
// bytes; here it is always the most.
const (
	front    = 8 + 8
	back     = 3 + 2 + 16
	Overhead = front + back
)

// Options say between what is forwarded.
type Options struct {
	Device string            `json:"device"` // name of the TUN device to make
	MTU    int               `json:"mtu"`    // of it, in bytes
	Local  netip.AddrPort    `json:"local"`
	Remote netip.AddrPort    `json:"remote"` // nothing from elsewhere is taken
	Ready  func(ways string) `json:"-"`      // called when device and socket are there, with how the device moves packets; nil: nothing
}

// Run forwards until ctx ends, which is no error.
func Run(ctx context.Context, o Options) error {
	device, err := tun.Create(o.Device, o.MTU)
	if err != nil {
		return err
	}
	conn, err := netio.ListenUDP(o.Local, netio.Options{})
	if err != nil {
		return errors.Join(err, device.Close())
	}
	if o.Ready != nil {
		ways := "datagram by datagram"
		if described, ok := device.(tun.Described); ok {
			ways = described.Describe()
		}
		o.Ready(ways)
	}
	return forward(ctx, device, conn, o.Remote)
}

// forward runs both directions, and closes device and conn at the end.
func forward(ctx context.Context, device tun.Device, conn netio.Conn, remote netip.AddrPort) error {
	var all sync.WaitGroup
	ended := make(chan error, 2)
	packets := tun.QueueOf(device, 0)
	duty := dataplane.NewDuty()
	defer duty.Close()
	all.Go(func() { ended <- newOut(packets, conn, remote).run(duty) })
	all.Go(func() { ended <- newIn(packets, conn, remote).run(duty) })
	all.Go(func() {
		for range device.Events() { // it wants to be read
		}
	})
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
		err = fmt.Errorf("forwarding ended: %w", err)
	}
	err = errors.Join(err, device.Close(), conn.Close())
	all.Wait()
	return err
}

// over reports whether an error means that device or socket were closed. Others concern a packet, and are read over.
func over(err error) bool {
	return errors.Is(err, os.ErrClosed) || errors.Is(err, net.ErrClosed) || errors.Is(err, tun.ErrGone)
}
