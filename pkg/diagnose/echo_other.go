//go:build !linux

package diagnose

import (
	"errors"
	"net/netip"
)

func openEcho(_, _ netip.Addr) (echoer, error) {
	return nil, errors.New("echoes inside an SA are sent on Linux only so far: use the system's ping")
}
