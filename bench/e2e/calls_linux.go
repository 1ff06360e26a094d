package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tracepoint is where the kernel says the number of the event that each system call raises.
const tracepoint = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id"

// callCounter counts the system calls of programs: a counter in the kernel for each of their threads, inherited by new ones. Counting costs the
// programs some tens of nanoseconds a call, and nobody is stopped for it.
type callCounter struct{ fds []int }

// countCalls begins to count. An error for which errNoTracing holds means that this kernel cannot.
func countCalls(programs []*process) (c *callCounter, err error) {
	text, err := os.ReadFile(tracepoint)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoTracing, err)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errNoTracing, tracepoint, err)
	}
	c = new(callCounter)
	for _, p := range programs {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.cmd.Process.Pid))
		if err != nil || len(threads) == 0 {
			return nil, errors.Join(fmt.Errorf("%s has no threads any more", p.name), err, c.close())
		}
		for _, dir := range threads {
			tid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil {
				return nil, errors.Join(err, c.close())
			}
			attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Bits: unix.PerfBitInherit, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}
			fd, err := unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
			switch {
			case err == unix.ESRCH: // the thread has just ended
			case err != nil:
				return nil, errors.Join(fmt.Errorf("%w: %w", errNoTracing, err), c.close())
			default:
				c.fds = append(c.fds, fd)
			}
		}
	}
	return c, nil
}

// errNoTracing says that system calls cannot be counted here.
var errNoTracing = errors.New("system calls cannot be counted here (no tracepoints, tracefs not mounted, or no right to them)")

// total is the number of calls so far.
func (c *callCounter) total() (sum uint64, err error) {
	for _, fd := range c.fds {
		var b [8]byte
		if _, err := unix.Read(fd, b[:]); err != nil {
			return 0, err
		}
		sum += binary.NativeEndian.Uint64(b[:])
	}
	return sum, nil
}

func (c *callCounter) close() error {
	var errs []error
	for _, fd := range c.fds {
		errs = append(errs, unix.Close(fd))
	}
	return errors.Join(errs...)
}

// calls counts the system calls of the tunnel's programs for a thousand packets, by one TCP flow and by one flow of the smallest datagrams. Where the
// kernel cannot tell, the sample says why and has no figures. The bare veth has no programs and makes none.
func (t *trial) calls(ctx context.Context, s *sample) error {
	if len(t.programs) == 0 {
		return nil
	}
	c, err := countCalls(t.programs)
	if errors.Is(err, errNoTracing) {
		s.noCalls = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	defer c.close()
	seconds := min(t.o.Seconds, 2)
	before, err := c.total()
	if err != nil {
		return err
	}
	x, err := t.transfer(ctx, 1, seconds)
	if err != nil {
		return err
	}
	between, err := c.total()
	if err != nil {
		return err
	}
	d, err := t.lab.a.device(t.tunnel.device())
	if err != nil {
		return err
	}
	// TCP enters in superpackets. As many packets as are full: acknowledgements are not counted, for anybody.
	s.callsTCP = append(s.callsTCP, 1000*float64(between-before)*float64(d.mtu)/float64(x.entered))
	u, err := t.flood(ctx, udpCase{64, 1}, time.Duration(seconds)*time.Second)
	if err != nil {
		return err
	}
	after, err := c.total()
	s.callsUDP = append(s.callsUDP, 1000*float64(after-between)/float64(u.packets))
	return err
}
