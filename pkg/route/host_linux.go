package route

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Host is what one instance has in the kernel's routing.
type Host struct {
	cfg Config
	id  Identity
	mu  sync.Mutex
}

// Open checks cfg. It changes nothing yet.
func Open(cfg Config) (*Host, error) {
	if err := checkInstance(cfg.Instance); err != nil {
		return nil, err
	}
	return &Host{cfg: cfg, id: Derive(cfg.Instance)}, nil
}

// Identity returns the table, the mark and the priority that this instance uses.
func (h *Host) Identity() Identity { return h.id }

// Setup brings the TUN device up with its MTU, loosens (or refuses) a strict rp_filter, and puts the rules in place. It may be called
// again, and has to be, with an Apply after it, when the TUN device was down or had to be made anew. What a killed predecessor left
// is taken over, so that there is no moment without its black holes; the next Apply removes what is no longer wanted.
func (h *Host) Setup() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	link, err := h.link()
	if err != nil {
		return err
	}
	if h.cfg.MTU > 0 {
		if err := netlink.LinkSetMTU(link, h.cfg.MTU); err != nil {
			return explain(err, "the MTU of %s could not be set to %d", h.cfg.Device, h.cfg.MTU)
		}
	}
	if h.cfg.Segments > 0 {
		// Where the kernel will not have it (it has had the setting since Linux 5.19), larger ones come, and are sent in two parts.
		_ = netlink.LinkSetGSOMaxSegs(link, h.cfg.Segments)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return explain(err, "the device %s could not be brought up", h.cfg.Device)
	}
	if _, err := h.loosenRPFilter(); err != nil {
		return err
	}
	for _, family := range families {
		if err := h.addMarkRule(family); err != nil {
			return err
		}
	}
	return nil
}

// SetMTU changes the MTU of the TUN device, in octets.
func (h *Host) SetMTU(mtu int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	link, err := h.link()
	if err != nil {
		return err
	}
	h.cfg.MTU = mtu
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return explain(err, "the MTU of %s could not be set to %d", h.cfg.Device, mtu)
	}
	return nil
}

// Close takes everything back: rules, routes, black holes, addresses, rp_filter settings and the state file. Traffic to the
// captured prefixes then flows in clear as if goipsec had never been there. It may be called after a Setup that failed, and again.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := cleanup(h.cfg.Instance, h.cfg.stateDir())
	if link, e := h.link(); e == nil {
		err = errors.Join(err, setAddresses(link, nil))
	}
	return err
}

func (h *Host) link() (netlink.Link, error) {
	link, err := netlink.LinkByName(h.cfg.Device)
	if err != nil {
		return nil, explain(err, "the TUN device %s is not there", h.cfg.Device)
	}
	return link, nil
}

var families = [...]int{unix.AF_INET, unix.AF_INET6}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func toIPNet(p netip.Prefix) *net.IPNet {
	p = p.Masked()
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func fromIPNet(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if !ok {
		return netip.Prefix{}
	}
	if bits == 32 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, ones)
}

// explain wraps an error of the kernel with what was tried, and with the next step where the cause is a missing right.
func explain(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%s: the capability CAP_NET_ADMIN is missing; run as root: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// whole repeats a listing that the kernel says was interrupted by a change: half a list would be taken for the truth.
func whole[T any](list func() ([]T, error)) ([]T, error) {
	for range 20 {
		l, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return l, err
		}
	}
	return nil, netlink.ErrDumpInterrupted
}
