package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// host is a network namespace and a mount namespace, which live on one thread. Whatever must happen inside of them, such as starting a
// program or opening a socket, is done by that thread. The namespaces have no names: they end with the thread and the programs in them.
type host struct {
	run     string // the directory that is /run inside
	link    *netlink.Handle
	ns      netns.NsHandle
	calls   chan func()
	ended   chan struct{}
	running []*process
}

// newHost makes a host whose loopback is up. dir is where its private files go.
func newHost(dir, name string) (*host, error) {
	h := &host{run: filepath.Join(dir, name), calls: make(chan func()), ended: make(chan struct{})}
	if err := os.MkdirAll(h.run, 0o700); err != nil {
		return nil, err
	}
	ready := make(chan error)
	go h.live(ready)
	if err := <-ready; err != nil {
		<-h.ended
		return nil, err
	}
	lo, err := h.link.LinkByName("lo")
	if err == nil {
		err = h.link.LinkSetUp(lo)
	}
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// live is the life of the host's thread. It never unlocks, so the runtime ends the thread with it.
func (h *host) live(ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The process's first thread cannot end alone, and stands for the whole process in /proc/self: leave it be, and held.
		go h.live(ready)
		<-h.ended
		runtime.UnlockOSThread()
		return
	}
	defer close(h.ended)
	err := h.separate()
	ready <- err
	if err != nil {
		return
	}
	for f := range h.calls {
		f()
	}
	h.link.Close()
	h.ns.Close()
}

// separate moves the thread into namespaces of its own, with a /run that is a directory of ours and a /sys that shows the links inside.
func (h *host) separate() error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("a network namespace cannot be made: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts cannot be made private: %w", err)
	}
	if err := unix.Mount(h.run, "/run", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("a private /run cannot be mounted: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("/sys cannot be mounted: %w", err)
	}
	var err error
	if h.ns, err = netns.Get(); err != nil {
		return err
	}
	if h.link, err = netlink.NewHandleAt(h.ns, unix.NETLINK_ROUTE); err != nil {
		return errors.Join(err, h.ns.Close())
	}
	return nil
}

// do runs f on the host's thread.
func (h *host) do(f func() error) error {
	done := make(chan error)
	h.calls <- func() { done <- f() }
	return <-done
}

// close stops what runs in the host, last started first, and ends it.
func (h *host) close() error {
	for i := len(h.running) - 1; i >= 0; i-- {
		h.running[i].stop()
	}
	close(h.calls)
	<-h.ended
	return nil
}

// address puts an address on a link and sets the link up.
func (h *host) address(link string, a netip.Prefix) error {
	l, err := h.link.LinkByName(link)
	if err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	addr, err := netlink.ParseAddr(a.String())
	if err != nil {
		return err
	}
	if err := h.link.AddrAdd(l, addr); err != nil {
		return fmt.Errorf("address %s on %s: %w", a, link, err)
	}
	return h.link.LinkSetUp(l)
}

// route sends a prefix into a link, and sets the link up.
func (h *host) route(link string, to netip.Prefix, source netip.Addr) error {
	l, err := h.link.LinkByName(link)
	if err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	if err := h.link.LinkSetUp(l); err != nil {
		return err
	}
	dst, err := netlink.ParseIPNet(to.String())
	if err != nil {
		return err
	}
	return h.link.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, Src: source.AsSlice(), Scope: unix.RT_SCOPE_LINK})
}

// counters are what a link has counted.
type counters struct {
	mtu             int    // bytes
	sent, delivered uint64 // packets, or superpackets where there is segmentation offload, that went into the link and came out
	sentBytes       uint64
}

// device says how a link stands.
func (h *host) device(link string) (c counters, err error) {
	l, err := h.link.LinkByName(link)
	if err != nil {
		return c, fmt.Errorf("link %s: %w", link, err)
	}
	c.mtu = l.Attrs().MTU
	if s := l.Attrs().Statistics; s != nil {
		c.sent, c.delivered, c.sentBytes = s.TxPackets, s.RxPackets, s.TxBytes
	}
	return c, nil
}

// lab is two hosts and the cable between them.
type lab struct {
	dir  string
	a, b *host
}

// Addresses of the lab. The inner ones lie on the loopback devices, as those of a gateway's networks lie on other links.
var (
	outerA, outerB     = netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("10.99.0.2")
	innerA, innerB     = netip.MustParseAddr("10.100.1.1"), netip.MustParseAddr("10.100.2.1")
	networkA, networkB = netip.MustParsePrefix("10.100.1.0/24"), netip.MustParsePrefix("10.100.2.0/24")
)

const cable = "eth0"

// newLab makes the topology. Close it.
func newLab(ctx context.Context) (l *lab, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l = new(lab)
	if l.dir, err = os.MkdirTemp("", "goipsec-e2e-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
			l = nil
		}
	}()
	if l.a, err = newHost(l.dir, "a"); err != nil {
		return l, err
	}
	if l.b, err = newHost(l.dir, "b"); err != nil {
		return l, err
	}
	return l, l.connect()
}

func (l *lab) connect() error {
	veth := netlink.NewVeth(netlink.NewLinkAttrs())
	veth.Name, veth.PeerName, veth.PeerNamespace = cable, cable, netlink.NsFd(int(l.b.ns))
	if err := l.a.link.LinkAdd(veth); err != nil {
		return fmt.Errorf("a veth cannot be made: %w", err)
	}
	return errors.Join(
		l.a.address(cable, netip.PrefixFrom(outerA, 24)), l.b.address(cable, netip.PrefixFrom(outerB, 24)),
		l.a.address("lo", netip.PrefixFrom(innerA, 32)), l.b.address("lo", netip.PrefixFrom(innerB, 32)))
}

func (l *lab) close() error {
	var errs []error
	for _, h := range []*host{l.a, l.b} {
		if h != nil {
			errs = append(errs, h.close())
		}
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}
