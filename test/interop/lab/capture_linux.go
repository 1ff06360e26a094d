package lab

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Capture records the frames of one device. The kernel queues a copy of each frame as it is sent or received, so a frame
// whose answer has been seen is in the capture.
type Capture struct {
	Path   string // the file that Stop writes, in the classic format of libpcap
	lab    *Lab
	fd     int
	wake   [2]int // a pipe: closing its write end tells the reader to stop
	done   chan struct{}
	mu     sync.Mutex
	buffer [1 << 17]byte
	change chan struct{} // closed and replaced at every frame
	frames []Frame
	err    error
}

// Capture starts recording; frames sent after it returns are in it.
func (h *Host) Capture(dev string) *Capture {
	h.lab.t.Helper()
	c := &Capture{Path: h.lab.Subdir("capture") + "/" + h.Name + "-" + dev + ".pcap", lab: h.lab, done: make(chan struct{}), change: make(chan struct{})}
	err := h.inside(func() (err error) {
		c.fd, err = packetSocket(dev)
		return err
	})
	if err == nil {
		err = unix.Pipe2(c.wake[:], unix.O_CLOEXEC)
	}
	if err != nil {
		h.lab.t.Fatalf("capturing on %s of %s: %v", dev, h.Name, err)
	}
	h.lab.t.Cleanup(func() { c.end() })
	go c.read()
	return c
}

// inside runs f on a thread that is in the host's network namespace. The thread ends with it.
func (h *Host) inside(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is in the wrong namespace for anyone else
		ns, err := os.Open("/run/netns/" + h.NS)
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

func packetSocket(dev string) (int, error) {
	link, err := net.InterfaceByName(dev)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8)
	return fd, errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 256<<20),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}))
}

// read takes frames until it is told to stop and the queue is empty.
func (c *Capture) read() {
	defer close(c.done)
	for stopping := false; ; {
		c.mu.Lock()
		err := c.next()
		c.mu.Unlock()
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EAGAIN):
			c.err = err
			return
		case stopping:
			return
		default:
			polled := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}, {Fd: int32(c.wake[0]), Events: unix.POLLIN}}
			unix.Poll(polled, -1)
			stopping = polled[1].Revents != 0
		}
	}
}

// next takes one frame, with mu held.
func (c *Capture) next() error {
	n, _, err := unix.Recvfrom(c.fd, c.buffer[:], 0)
	if err != nil {
		return err
	}
	c.frames = append(c.frames, parseFrame(append([]byte(nil), c.buffer[:n]...)))
	close(c.change)
	c.change = make(chan struct{})
	return nil
}

func (c *Capture) end() {
	if c.fd < 0 {
		return
	}
	unix.Close(c.wake[1])
	<-c.done
	unix.Close(c.wake[0])
	unix.Close(c.fd)
	c.fd = -1
}

// Stop ends the recording, writes its file and returns its frames. It fails the test if the kernel dropped any.
func (c *Capture) Stop() []Frame {
	c.lab.t.Helper()
	statistics, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	c.end()
	if err := errors.Join(err, c.err); err != nil {
		c.lab.t.Fatalf("capture %s: %v", c.Path, err)
	}
	if statistics.Drops != 0 {
		c.lab.t.Fatalf("capture %s: the kernel dropped %d frames of it", c.Path, statistics.Drops)
	}
	if err := os.WriteFile(c.Path, pcap(c.frames), 0o600); err != nil {
		c.lab.t.Fatal(err)
	}
	return c.frames
}

// Frames returns what has been recorded so far. That is all that the kernel has queued, even if the reader has not had the processor for it.
func (c *Capture) Frames() []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	for err := error(nil); err == nil || errors.Is(err, unix.EINTR); {
		err = c.next()
	}
	return c.frames[:len(c.frames):len(c.frames)]
}

// Await waits for a frame that ok accepts, from the frame of index from on, and returns it; false at the limit.
func (c *Capture) Await(limit time.Duration, from int, ok func(*Frame) bool) (Frame, bool) {
	watch := StartWatch()
	for {
		c.mu.Lock()
		frames, change := c.frames, c.change
		c.mu.Unlock()
		for ; from < len(frames); from++ {
			if ok(&frames[from]) {
				return frames[from], true
			}
		}
		if !wait(change, limit-watch.Elapsed()) {
			return Frame{}, false
		}
	}
}

// pcap writes frames in the classic format of libpcap: no times, link type Ethernet.
func pcap(frames []Frame) []byte {
	le := binary.LittleEndian
	out := le.AppendUint32(nil, 0xa1b2c3d4)
	out = le.AppendUint32(out, 2|4<<16)
	out = append(out, make([]byte, 8)...)
	out = le.AppendUint32(out, 1<<18)
	out = le.AppendUint32(out, 1)
	for i := range frames {
		out = append(out, make([]byte, 8)...)
		out = le.AppendUint32(out, uint32(len(frames[i].Raw)))
		out = le.AppendUint32(out, uint32(len(frames[i].Raw)))
		out = append(out, frames[i].Raw...)
	}
	return out
}
