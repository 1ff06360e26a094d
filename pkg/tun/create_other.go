//go:build !linux

package tun

import (
	"fmt"

	"golang.zx2c4.com/wireguard/tun"
)

// Create makes a TUN device called name with an MTU in octets. On macOS the name has to be utun or utun and a number. Untried on
// systems other than Linux.
func Create(name string, mtu int) (Device, error) {
	dev, err := tun.CreateTUN(name, mtu)
	if err != nil {
		return nil, fmt.Errorf("TUN device %q could not be made; it needs the rights of an administrator: %w", name, err)
	}
	return newMonitored(dev), nil
}

func deviceGone(Device, error) bool { return false }
