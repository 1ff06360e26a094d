package testnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inside marks the environment of a test binary that already runs in its own namespace.
const inside = "GOIPSEC_TEST_NETNS"

// Main runs m in a fresh network namespace if we are root, and where we are otherwise (tests that call Need are then skipped).
// A package's TestMain consists of a call of it.
func Main(m *testing.M) {
	if os.Getuid() != 0 || os.Getenv(inside) != "" {
		if os.Getenv(inside) != "" {
			prepare()
		}
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	case err != nil: // no right to make namespaces, in some containers
		os.Exit(m.Run())
	}
	os.Exit(0)
}

// prepare makes a fresh namespace usable: loopback up, IPv6 addresses usable at once.
func prepare() {
	for _, f := range []string{"all", "default"} {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+f+"/accept_dad", []byte("0"), 0)
	}
	if lo, err := netlink.LinkByName("lo"); err == nil {
		_ = netlink.LinkSetUp(lo)
	}
}

// Need skips the test unless it runs in a network namespace of its own.
func Need(tb testing.TB) {
	tb.Helper()
	if os.Getenv(inside) == "" {
		tb.Skip("needs root and network namespaces")
	}
}

// NeedTUN skips the test unless it runs in a network namespace of its own and there are TUN devices.
func NeedTUN(tb testing.TB) {
	tb.Helper()
	Need(tb)
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		tb.Skip("needs /dev/net/tun")
	}
}

// Host is another host: a second network namespace.
type Host struct {
	tb testing.TB
	ns int
}

// NewHost makes a host without interfaces but for loopback. It is gone when the test ends.
func NewHost(tb testing.TB) *Host {
	tb.Helper()
	Need(tb)
	h := &Host{tb: tb, ns: -1}
	onThread(tb, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		prepare()
		var err error
		h.ns, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	tb.Cleanup(func() { unix.Close(h.ns) })
	return h
}

// Do runs f on that host: sockets that f opens belong to it, and stay there afterwards. f must not start goroutines that open
// sockets.
func (h *Host) Do(f func()) {
	h.tb.Helper()
	onThread(h.tb, func() error {
		if err := unix.Setns(h.ns, unix.CLONE_NEWNET); err != nil {
			return err
		}
		f()
		return nil
	})
}

// Take moves an interface of the test's own host to h.
func (h *Host) Take(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetNsFd(l, h.ns)
}

// onThread runs f on one thread and brings that thread back to the namespace it came from.
func onThread(tb testing.TB, f func() error) {
	tb.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	// Deferred, since f may end the test.
	defer func() {
		if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
			panic(back) // a thread in the wrong namespace must not be used again
		}
		unix.Close(home)
	}()
	if err := f(); err != nil {
		tb.Fatal(err)
	}
}

// Veth joins the test's own host to other by a cable: interface name here with the addresses here, interface "peer" there with the
// addresses there. The MTU is 1500.
func Veth(tb testing.TB, other *Host, name string, here, there []netip.Prefix) {
	tb.Helper()
	must(tb, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, MTU: 1500}, PeerName: "peer"}))
	must(tb, other.Take("peer"))
	tb.Cleanup(func() {
		if l, err := netlink.LinkByName(name); err == nil {
			_ = netlink.LinkDel(l)
		}
	})
	AddAddrs(tb, name, here)
	other.Do(func() {
		AddAddrs(tb, "peer", there)
		operates(tb, "peer")
	})
	operates(tb, name)
}

// operates waits until the kernel has noticed that the other end of a cable is up: before that it drops what is sent, and says nothing.
func operates(tb testing.TB, name string) {
	tb.Helper()
	for {
		l, err := netlink.LinkByName(name)
		must(tb, err)
		if l.Attrs().OperState == netlink.OperUp {
			return
		}
		runtime.Gosched()
	}
}

// AddAddrs puts addresses on an interface and brings it up. When it returns the kernel takes what is sent to them.
func AddAddrs(tb testing.TB, name string, addrs []netip.Prefix) {
	tb.Helper()
	l, err := netlink.LinkByName(name)
	must(tb, err)
	for _, p := range addrs {
		a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		must(tb, netlink.AddrAdd(l, a))
	}
	must(tb, netlink.LinkSetUp(l))
	for _, p := range addrs {
		for !isLocal(p.Addr()) { // a worker of the kernel's makes the route to an IPv6 address a moment later
			runtime.Gosched()
		}
	}
}

// Gone waits until there is no interface of that name here. A TUN device goes with the last reference to its file, and one that is read by io_uring keeps some for a moment
// longer than the descriptor.
func Gone(tb testing.TB, name string) {
	tb.Helper()
	for {
		_, err := netlink.LinkByName(name)
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			return
		}
		must(tb, err)
		runtime.Gosched()
	}
}

func isLocal(a netip.Addr) bool {
	routes, err := netlink.RouteGet(a.AsSlice())
	return err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
