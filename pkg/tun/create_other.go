//go:build !linux

package tun

import (
	"fmt"

	"golang.zx2c4.com/wireguard/tun"
)

// createDevice makes a device for CreateWith. On macOS the name has to be utun or utun and a number. Untried on systems other than Linux.
func createDevice(name string, mtu int, o Options) (Device, error) {
	if o.Queues > 1 {
		return nil, fmt.Errorf("TUN device %q could not be made: on this system it has one queue only. Leave out queues, or say 1", name)
	}
	dev, err := tun.CreateTUN(name, mtu)
	if err != nil {
		return nil, fmt.Errorf("TUN device %q could not be made; it needs the rights of an administrator: %w", name, err)
	}
	return newMonitored(dev), nil
}

func deviceGone(Device, error) bool { return false }
