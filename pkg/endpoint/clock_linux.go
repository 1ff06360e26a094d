package endpoint

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is the time since some moment in the past, sleep included.
func uptime() time.Duration {
	var boot unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return running()
	}
	return time.Duration(boot.Nano())
}
