package lab

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// kernelMAC is the address of the kernel's device.
const kernelMAC = "02:00:5e:10:00:01"

// keepAwake sends the kernel a frame of no protocol (the experimental type 0x88b5) every so often. User-mode Linux now and then
// misses that a packet has come, and notices with the next one: without these frames about one packet in five hundred waits
// until the peer sends again. They go into the tap device only, so no host sees them.
func keepAwake(ns, dev string) error {
	mac, err := net.ParseMAC(kernelMAC)
	if err != nil {
		return err
	}
	frame := make([]byte, 60)
	copy(frame, mac)
	copy(frame[6:], []byte{2, 0, 0x5e, 0x10, 0, 2, 0x88, 0xb5})
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread stays in the namespace and ends with it
		fd, err := packetSocketIn(ns, dev)
		ready <- err
		if err != nil {
			return
		}
		for range ticks(50) {
			if _, err := unix.Write(fd, frame); err == unix.ENETDOWN || err == unix.ENXIO {
				return
			}
		}
	}()
	return <-ready
}

func packetSocketIn(ns, dev string) (int, error) {
	file, err := os.Open("/run/netns/" + ns)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, err
	}
	link, err := net.InterfaceByName(dev)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0: it receives nothing
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
		return 0, fmt.Errorf("binding to %s: %w", dev, err)
	}
	return fd, nil
}
