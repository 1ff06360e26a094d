package tun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

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
	for n := range queues {
		fd, err := openQueue(name, queues > 1, n == 0)
		if err == nil {
			fds = append(fds, fd)
			if n == 0 && queues > 1 {
				err = own(fd)
			}
		}
		if err != nil {
			closeAll(fds)
			return nil, err
		}
	}
	if queues > 1 {
		if err := alone(name, queues); err != nil {
			closeAll(fds)
			return nil, err
		}
	}
	return fds, nil
}

// own keeps others from opening a queue: to a device of several that has no owner everybody may, who then gets a share of its packets, in clear.
func own(fd int) error {
	err := unix.IoctlSetInt(fd, unix.TUNSETOWNER, 0)
	if errors.Is(err, unix.EINVAL) { // a user namespace without a user 0
		err = unix.IoctlSetInt(fd, unix.TUNSETOWNER, os.Geteuid())
	}
	return err
}

// errShared says that another process has a queue of the device, which it opened before the device had an owner.
var errShared = errors.New("another process has opened a queue of the device")

// alone fails if the device has more queues than we have opened.
func alone(name string, queues int) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	dump, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("the queues of the device cannot be counted: %w", err)
	}
	msgs, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return fmt.Errorf("the queues of the device cannot be counted: %w", err)
	}
	for _, m := range msgs {
		if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg || binary.NativeEndian.Uint32(m.Data[4:]) != uint32(i.Index) {
			continue
		}
		data := attribute(attribute(m.Data[unix.SizeofIfInfomsg:], unix.IFLA_LINKINFO), unix.IFLA_INFO_DATA)
		counted := uint32(0)
		for _, kind := range []uint16{unix.IFLA_TUN_NUM_QUEUES, unix.IFLA_TUN_NUM_DISABLED_QUEUES} {
			if n := attribute(data, kind); len(n) >= 4 {
				counted += binary.NativeEndian.Uint32(n)
			}
		}
		if counted != uint32(queues) {
			return errShared
		}
		return nil
	}
	return fmt.Errorf("the queues of the device cannot be counted: %w", os.ErrNotExist)
}

// attribute returns what a netlink attribute holds, nil if there is none of that kind.
func attribute(b []byte, kind uint16) []byte {
	for len(b) >= unix.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			return nil
		}
		if binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == kind {
			return b[unix.SizeofRtAttr:n]
		}
		b = b[min((n+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1), len(b)):]
	}
	return nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// openQueue makes the device, or opens one more queue of it, with a virtio_net_hdr before each packet, which is how superpackets are told of.
func openQueue(name string, several, first bool) (fd int, err error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if several {
		flags |= unix.IFF_MULTI_QUEUE
	}
	if first {
		flags |= unix.IFF_TUN_EXCL // a device of several queues that is there would be joined
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
	case errors.Is(err, errShared):
		return fmt.Errorf("TUN device %q could not be made: %w, while it was made. It would get packets in clear: find out which (fuser %s), end it and try again", name, err, clonePath)
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
