package tun

import (
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.zx2c4.com/wireguard/tun/netstack"
)

// netstackQueue is how many datagrams of the built-in stack wait for the device's reader.
const netstackQueue = 256

// NewNetstack returns a device with a TCP/IP stack of its own behind it, in this process, that owns addrs. What programs do with
// the returned Net (dial, listen, ping) comes out of the device's Read. It needs no privileges and works on every system.
// dns may be nil; mtu is in octets.
func NewNetstack(addrs, dns []netip.Addr, mtu int) (Device, *netstack.Net, error) {
	if err := checkMTU(mtu); err != nil {
		return nil, nil, err
	}
	dev, stack, err := netstack.CreateNetTUN(addrs, dns, mtu)
	if err != nil {
		return nil, nil, fmt.Errorf("the built-in network stack could not be made: %w", err)
	}
	s := &stackDevice{Device: dev, packets: make(chan []byte, netstackQueue), done: make(chan struct{}), events: make(chan Event, 1)}
	s.events <- EventUp
	go s.pump()
	return newMonitored(s), stack, nil
}

// stackDevice stands before the built-in stack's device. Closing that one would make whoever still writes (a retransmission timer, say) panic on a closed
// channel; so it is never closed: after Close what it sends is read and thrown away until the process ends.
type stackDevice struct {
	Device
	packets chan []byte
	done    chan struct{}
	events  chan Event
	once    sync.Once
}

func (s *stackDevice) pump() {
	bufs, sizes := [][]byte{make([]byte, MaxDatagram)}, make([]int, 1)
	for {
		n, err := s.Device.Read(bufs, sizes, 0)
		if err != nil {
			return
		}
		if n == 0 {
			continue
		}
		select {
		case s.packets <- append([]byte(nil), bufs[0][:sizes[0]]...):
		case <-s.done:
		}
	}
}

func (s *stackDevice) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	select {
	case <-s.done:
		return 0, os.ErrClosed
	default:
	}
	select {
	case p := <-s.packets:
		if len(p) > len(bufs[0])-offset {
			return 0, fmt.Errorf("a datagram of %d octets does not fit a buffer of %d", len(p), len(bufs[0])-offset)
		}
		sizes[0] = copy(bufs[0][offset:], p)
		return 1, nil
	case <-s.done:
		return 0, os.ErrClosed
	}
}

func (s *stackDevice) Write(bufs [][]byte, offset int) (int, error) {
	select {
	case <-s.done:
		return 0, os.ErrClosed
	default:
		return s.Device.Write(bufs, offset)
	}
}

func (s *stackDevice) Events() <-chan Event { return s.events }

func (s *stackDevice) Close() error {
	s.once.Do(func() {
		close(s.done)
		close(s.events)
	})
	return nil
}
