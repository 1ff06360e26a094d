//go:build !unix

package handshake

import "time"

// processorTime is not known here.
func processorTime() time.Duration { return 0 }
