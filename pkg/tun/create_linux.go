package tun

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/tun"
)

// clonePath is where the kernel hands out TUN devices.
const clonePath = "/dev/net/tun"

// createDevice makes a device for CreateWith. Errors name the cause: the name is taken, /dev/net/tun is missing or forbidden, or CAP_NET_ADMIN is
// not there.
func createDevice(name string, mtu int, o Options) (Device, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := checkMTU(mtu); err != nil { // found out later, it would leave the device behind
		return nil, err
	}
	if _, err := net.InterfaceByName(name); err == nil {
		// An interface that exists is never adopted: it may be another tunnel's, and a persistent TUN would outlive us.
		return nil, nameTaken(name)
	}
	if _, err := os.Stat(clonePath); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("TUN device %q could not be made: %s is missing. Load the driver (modprobe tun); in a container, start it with --device %s: %w",
			name, clonePath, clonePath, os.ErrNotExist)
	}
	if o.Queues > MaxQueues {
		return nil, fmt.Errorf("TUN device %q could not be made: it can have %d queues, not %d", name, MaxQueues, o.Queues)
	}
	fds, err := openTUN(name, max(o.Queues, 1))
	if err != nil {
		return nil, explainCreate(name, mtu, err)
	}
	// A descriptor that blocks stays out of the runtime's poller, which each packet would wake in vain.
	file := os.NewFile(uintptr(fds[0]), clonePath)
	dev, err := tun.CreateTUNFromFile(file, mtu)
	if err != nil {
		file.Close()
		closeAll(fds[1:])
		return nil, explainCreate(name, mtu, err)
	}
	k, err := newKernel(dev, fds, o)
	if err != nil {
		dev.Close()
		return nil, explainCreate(name, mtu, err)
	}
	return k, nil
}

// openTUN makes the device and opens each of its queues.
func openTUN(name string, queues int) (fds []int, err error) {
	for range queues {
		fd, err := openQueue(name, queues > 1)
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// openQueue makes the device, or opens one more queue of it, with a virtio_net_hdr before each packet, which is how superpackets are told of.
func openQueue(name string, several bool) (fd int, err error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if several {
		flags |= unix.IFF_MULTI_QUEUE
	}
	ifr.SetUint16(flags)
	fd, err = unix.Open(clonePath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func checkName(name string) error {
	if name == "" || len(name) >= unix.IFNAMSIZ || name == "." || name == ".." {
		return fmt.Errorf("%q cannot be the name of a network device: it has to have 1 to %d octets", name, unix.IFNAMSIZ-1)
	}
	for _, c := range []byte(name) {
		// '%' makes the kernel fill in a number, so the device would not be called what was asked for.
		if c <= ' ' || c >= 0x7f || c == '/' || c == ':' || c == '%' {
			return fmt.Errorf("%q cannot be the name of a network device: it may not hold %q", name, c)
		}
	}
	return nil
}

func nameTaken(name string) error {
	return fmt.Errorf("TUN device %q could not be made: an interface of that name exists. Another instance may be running (goipsec status), "+
		"or choose another name with --tun: %w", name, os.ErrExist)
}

// explainCreate says in words why the kernel refused.
func explainCreate(name string, mtu int, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		return nameTaken(name)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("TUN device %q could not be made: %s is there but no driver answers. Load it with modprobe tun: %w", name, clonePath, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("TUN device %q could not be made: the capability CAP_NET_ADMIN is missing. Run as root, or grant it with "+
			"setcap cap_net_admin,cap_net_raw+ep on the program: %w", name, err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("TUN device %q could not be made: the kernel refuses the name or the MTU of %d octets: %w", name, mtu, err)
	}
	return fmt.Errorf("TUN device %q could not be made: %w", name, err)
}

// deviceGone reports whether d was deleted. The kernel says EBADFD to a call on such a device, but a call that is under way when it
// happens fails in other ways; so the device is asked once more.
func deviceGone(d Device, err error) bool {
	if errors.Is(err, unix.EBADFD) {
		return true
	}
	f := d.File()
	if f == nil {
		return false
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	_ = conn.Control(func(fd uintptr) {
		ifr, _ := unix.NewIfreq("")
		gone = unix.IoctlIfreq(int(fd), unix.TUNGETIFF, ifr) != nil
	})
	return gone
}
