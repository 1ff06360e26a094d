//go:build !linux

package route

import (
	"context"
	"net/netip"
)

// Host is what one instance has in the system's routing.
type Host struct{}

// Open returns ErrUnavailable on this system.
func Open(Config) (*Host, error) { return nil, ErrUnavailable }

// Identity returns the zero Identity on this system.
func (*Host) Identity() Identity { return Identity{} }

// Setup returns ErrUnavailable on this system.
func (*Host) Setup() error { return ErrUnavailable }

// Apply returns ErrUnavailable on this system.
func (*Host) Apply(Plan) error { return ErrUnavailable }

// LoosenRPFilter returns ErrUnavailable on this system.
func (*Host) LoosenRPFilter() ([]string, error) { return nil, ErrUnavailable }

// Close does nothing on this system.
func (*Host) Close() error { return nil }

// Clean returns ErrUnavailable on this system.
func Clean(instance, stateDir string) ([]string, error) { return nil, ErrUnavailable }

// Snapshot returns ErrUnavailable on this system.
func Snapshot() ([]string, error) { return nil, ErrUnavailable }

// Watch returns ErrUnavailable on this system.
func Watch(context.Context) (<-chan Change, error) { return nil, ErrUnavailable }

// NextHop returns ErrUnavailable on this system.
func NextHop(netip.Addr, uint32) (Hop, error) { return Hop{}, ErrUnavailable }

// SourceFor returns ErrUnavailable on this system.
func SourceFor(remote netip.Addr, mark uint32) (netip.Addr, error) {
	return netip.Addr{}, ErrUnavailable
}

// RouteMTU returns ErrUnavailable on this system.
func RouteMTU(remote netip.Addr, mark uint32) (int, error) { return 0, ErrUnavailable }

// SetMTU returns ErrUnavailable on this system.
func (*Host) SetMTU(int) error { return ErrUnavailable }

// ForwardingWarning has nothing to say on this system.
func ForwardingWarning(behind []netip.Prefix) string { return "" }

// KernelIPsec has nothing to report on this system.
func KernelIPsec() error { return nil }

// Traces returns ErrUnavailable on this system.
func Traces() ([]Trace, error) { return nil, ErrUnavailable }

// Contenders returns ErrUnavailable on this system.
func Contenders(id Identity, prefixes []netip.Prefix) ([]Contender, error) {
	return nil, ErrUnavailable
}

// StrictInterfaces returns ErrUnavailable on this system.
func StrictInterfaces() ([]string, error) { return nil, ErrUnavailable }

// DeviceFor returns ErrUnavailable on this system.
func DeviceFor(to netip.Addr) (string, error) { return "", ErrUnavailable }
