//go:build !linux

package route

import "net/netip"

// dialledLinks knows nothing beyond the flags of an interface on this system.
func dialledLinks() func(name string) bool { return func(string) bool { return false } }

// Gateways returns ErrUnavailable on this system.
func Gateways() ([]netip.Addr, error) { return nil, ErrUnavailable }
