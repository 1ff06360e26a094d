package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/guard"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/route"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// systemHost is the machine: its interfaces, routing and firewall.
type systemHost struct {
	opts     *Options
	id       route.Identity
	routes   *route.Host
	device   tun.Device
	name     string
	mtu      int
	sockets  []netio.Conn
	listen   []Listener
	plan     route.Plan
	guarded  bool
	counted  bool          // the guard in force is ours, and so are its counters
	dropped  guard.Dropped // by those before it
	paths    netio.PathEvents
	known    knownSources
	recent   recent
	direct   *direct // nil without DirectESP
	owned    families
	compiled *policy.Compiled            // that the guard enforces
	dynamic  []*policy.QuickModeFilter   // of the default response rule
	soft     map[string][]dataplane.Pair // pairs of hosts whose traffic flows in clear, by filter ID
	cancel   context.CancelFunc

	once sync.Once
	last error
}

func openHost(opts *Options) (host, error) {
	if err := route.KernelIPsec(); err != nil {
		return nil, err
	}
	return &systemHost{opts: opts, id: route.Derive(opts.Instance)}, nil
}

// addresses lists the host's own addresses; those of the TUN device are not among them, a rule's inner address is added by the policy.
func (h *systemHost) addresses() []netip.Addr {
	list := h.recent.addresses
	if now, err := route.LocalAddrs(h.name); err == nil {
		list = now
	} else {
		h.opts.Log.Error("the host's addresses could not be read; they are taken to be what they were", "error", err)
	}
	h.recent.addresses = slices.Clone(list)
	if len(h.opts.Listen) == 0 {
		return list
	}
	for _, a := range h.opts.Listen {
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// open makes everything in the order in which nothing can leak: sockets, device, guard, then routes.
func (h *systemHost) open(c *policy.Compiled) (*opened, error) {
	o := &opened{}
	if err := h.openSockets(o); err != nil {
		return nil, err
	}
	if err := h.openDevice(c, o); err != nil {
		return nil, err
	}
	if err := h.installGuard(c, o); err != nil {
		return nil, err
	}
	loosened, err := h.loosen()
	if err != nil {
		return nil, err
	}
	if loosened != "" {
		o.warnings = append(o.warnings, loosened)
	}
	if err := h.routes.Setup(); err != nil {
		return nil, err
	}
	if err := h.applyRoutes(c); err != nil {
		return nil, err
	}
	if err := h.followDirect(); err != nil {
		return nil, err
	}
	if w := route.ForwardingWarning(h.plan.Behind); w != "" {
		o.warnings = append(o.warnings, w)
	}
	if h.paths, err = netio.ListenPathEvents(h.netio()); err != nil {
		return nil, err
	}
	o.paths = readPaths(h.paths)
	o.changes, err = h.watch()
	return o, err
}

// loosen loosens strict reverse-path filtering where it is new, and returns what to say about that.
func (h *systemHost) loosen() (warning string, err error) {
	changed, err := h.routes.LoosenRPFilter()
	if err != nil || len(changed) == 0 {
		return "", err
	}
	return "strict reverse-path filtering would drop what comes out of the tunnel; rp_filter is 2 until the end on: " + strings.Join(changed, ", "), nil
}

// readPaths turns what routers say about path MTUs into a channel; what finds it full is said again by the next packet.
func readPaths(from netio.PathEvents) <-chan netio.PathEvent {
	out := make(chan netio.PathEvent, 64)
	go func() {
		for {
			ev, err := from.Read()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			select {
			case out <- ev:
			default:
			}
		}
	}()
	return out
}

func (h *systemHost) netio() netio.Options {
	return netio.Options{Mark: h.id.Mark, NoOffload: h.opts.NoOffload}
}

func (h *systemHost) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return netio.Dial(ctx, network, address, h.netio())
}

// openSockets binds UDP and raw sockets on the listen addresses, or on every address of the families that the host has.
func (h *systemHost) openSockets(o *opened) error {
	addrs, optional := h.opts.Listen, false
	if len(addrs) == 0 {
		addrs, optional = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}, true
	}
	for _, a := range addrs {
		err := h.openAddress(a, o)
		if err != nil && optional && a.Is6() && errors.Is(err, syscall.EAFNOSUPPORT) {
			o.warnings = append(o.warnings, "this host has no IPv6: "+err.Error())
			continue
		}
		if err != nil {
			return err
		}
	}
	clear, err := netio.OpenClear(h.netio())
	if err != nil {
		return err
	}
	h.sockets = append(h.sockets, clear)
	o.ip = clear
	if h.opts.DirectESP {
		return h.openDirect(o)
	}
	return nil
}

func (h *systemHost) openAddress(a netip.Addr, o *opened) error {
	ports := []uint16{h.opts.Port}
	if h.opts.NATPort != h.opts.Port {
		ports = append(ports, h.opts.NATPort)
	}
	for _, port := range ports {
		s, err := h.openUDP(netip.AddrPortFrom(a, port))
		if err != nil {
			return err
		}
		o.udp = append(o.udp, s)
	}
	for _, proto := range []suite.Protocol{suite.ESP, suite.AH} {
		c, err := netio.ListenRaw(uint8(proto), a, h.netio())
		if err != nil {
			return err
		}
		h.keep(c, map[suite.Protocol]string{suite.ESP: "esp", suite.AH: "ah"}[proto])
		o.raw = append(o.raw, c)
	}
	return nil
}

// openUDP binds one address and port. Where ESP comes too it has sockets of its own, one for each queue.
func (h *systemHost) openUDP(at netip.AddrPort) (s dataplane.Socket, err error) {
	conns := []netio.Conn{nil}
	if s.Marker = at.Port() != ikePort; s.Marker {
		conns, err = netio.ListenQueues(at, h.opts.Queues, h.netio())
	} else {
		conns[0], err = netio.ListenUDP(at, h.netio())
	}
	if err != nil {
		return s, err
	}
	s.Conn, s.Queues = conns[0], conns[1:]
	h.keep(s.Conn, "udp")
	h.sockets = append(h.sockets, s.Queues...)
	return s, nil
}

func (h *systemHost) keep(c netio.Conn, kind string) {
	h.sockets = append(h.sockets, c)
	h.listen = append(h.listen, Listener{Kind: kind, Address: c.LocalAddr()})
}

func (h *systemHost) openDevice(c *policy.Compiled, o *opened) (err error) {
	h.mtu = h.opts.MTU
	if h.mtu == 0 {
		h.mtu = h.deviceMTU(c)
	}
	if h.device, err = h.createDevice(); err != nil {
		return err
	}
	if h.name, err = h.device.Name(); err != nil {
		return err
	}
	o.device, o.mtu = h.device, h.mtu
	h.routes, err = route.Open(route.Config{Instance: h.opts.Instance, Device: h.name, MTU: h.mtu, Segments: segments(h.mtu, overhead(c))})
	return err
}

// segments is how many datagrams of a superpacket, sealed, fit into one segmented send: what is more would have to go in a second one, and be received
// in a second one.
func segments(mtu, overhead int) int { return max(1, dataplane.MaxRun/(mtu+overhead-20-8)) }

// createDevice makes the TUN device, by default with the first free name.
func (h *systemHost) createDevice() (tun.Device, error) {
	o := tun.Options{NoRing: h.opts.NoRing, NoOffload: h.opts.NoOffload, Queues: h.opts.Queues}
	if h.opts.TUNName != "" {
		return tun.CreateWith(h.opts.TUNName, h.mtu, o)
	}
	for i := 0; ; i++ {
		d, err := tun.CreateWith(fmt.Sprintf("goipsec%d", i), h.mtu, o)
		if err == nil || !errors.Is(err, os.ErrExist) || i == 99 {
			return d, err
		}
	}
}

// deviceMTU is what every peer's path carries after the dearest method of the policy, but never under what IPv6 needs.
func (h *systemHost) deviceMTU(c *policy.Compiled) int {
	path := defaultPathMTU
	for _, m := range c.MainMode {
		if m.Remote.IsHost() {
			path = min(path, h.pathMTU(m.Remote.From))
		}
	}
	return max(path-overhead(c), 1280)
}

func (h *systemHost) applyRoutes(c *policy.Compiled) error {
	own := h.addresses()
	h.owned.see(own)
	h.plan = plan(c, h.dynamic, own, h.owned, h.sourceFor)
	return h.routes.Apply(h.plan)
}

// apply follows a new policy: the guard first, so that nothing is open between the two.
func (h *systemHost) apply(c *policy.Compiled, dynamic []*policy.QuickModeFilter) error {
	h.dynamic = dynamic
	var err error
	if h.guarded {
		err = h.setGuard(c)
	}
	loosened, e := h.loosen() // an interface may be new
	if loosened != "" {
		h.opts.Log.Warn(loosened)
	}
	if err := h.followDirect(); err != nil {
		h.opts.Log.Warn("some raw ESP goes through the network stack", "error", err)
	}
	return errors.Join(err, e, h.applyRoutes(c))
}

// soften puts the guard in force anew, with the soft SAs that there are now.
func (h *systemHost) soften(pairs map[string][]dataplane.Pair) error {
	h.soft = pairs
	if !h.guarded || h.compiled == nil {
		return nil
	}
	return h.setGuard(h.compiled)
}

// watch turns the system's changes of addresses and links into a signal.
func (h *systemHost) watch() (<-chan struct{}, error) {
	ctx, cancel := context.WithCancel(context.Background())
	changes, err := route.Watch(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("the host's addresses cannot be watched: %w", err)
	}
	h.cancel = cancel
	signal := make(chan struct{}, 1)
	go func() {
		for range changes {
			select {
			case signal <- struct{}{}:
			default:
			}
		}
	}()
	return signal, nil
}

func (h *systemHost) inForce(own []netip.Addr) {
	own = slices.Clone(own)
	for _, inner := range h.plan.Addresses {
		own = append(own, inner.Addr())
	}
	h.known.set(own)
}

func (h *systemHost) stranger(a netip.Addr) bool { return h.known.stranger(a) }
func (h *systemHost) leaveOut(a netip.Addr)      { h.known.add(a) }

// sourceFor is what the route to remote says, unless this endpoint listens on other addresses only.
func (h *systemHost) sourceFor(remote netip.Addr) (netip.Addr, error) {
	source, err := route.SourceFor(remote, h.id.Mark)
	return listening(h.opts.Listen, remote, source, err)
}

// listening chooses an address that peers can answer to: the source of the route, or else the first one of its family that the endpoint listens on.
func listening(listen []netip.Addr, remote, source netip.Addr, err error) (netip.Addr, error) {
	if err != nil || len(listen) == 0 || slices.Contains(listen, source) {
		return source, err
	}
	for _, a := range listen {
		if a.Is4() == remote.Is4() && (!a.IsUnspecified()) {
			return a, nil
		}
		if a.Is4() == remote.Is4() {
			return source, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("none of the addresses that listen names is of the family of %v", remote)
}

func (h *systemHost) pathMTU(remote netip.Addr) int {
	if mtu, err := route.RouteMTU(remote, h.id.Mark); err == nil && mtu > 0 {
		return min(mtu, 65535)
	}
	return defaultPathMTU
}

// deviceChanged brings a device up again that was taken down, and puts back what the system took away with it. An MTU that somebody gave it stays.
func (h *systemHost) deviceChanged() {
	if mtu, err := h.device.MTU(); err == nil && mtu != h.mtu {
		h.mtu = mtu
		if err := h.routes.SetMTU(mtu); err != nil {
			h.opts.Log.Warn("the TUN device's MTU changed and could not be kept", "device", h.name, "error", err)
		}
	}
	err := h.routes.Setup()
	if err == nil {
		err = h.routes.Apply(h.plan)
	}
	if err != nil {
		h.opts.Log.Warn("the TUN device changed and its routes could not be set again", "device", h.name, "error", err)
	}
}

func (h *systemHost) describe(s *Status) {
	s.TUN = TUNStatus{Name: h.name, MTU: h.mtu}
	if d, ok := h.device.(tun.Described); ok {
		s.TUN.IO = d.Describe()
	}
	for _, c := range h.plan.Captures {
		s.TUN.Routes = append(s.TUN.Routes, c.Prefix)
	}
	s.Listen = slices.Clone(h.listen)
	if h.direct != nil {
		s.Direct = h.direct.status()
	}
	s.Guard = "off"
	if h.guarded {
		s.Guard = guard.System
		s.GuardDrops = h.guardDrops()
	}
}

// close takes back what open made, in the reverse order, whatever of it there is.
func (h *systemHost) close() error {
	h.once.Do(func() { h.last = h.takeBack() })
	return h.last
}

// abandon closes what belongs to the process and leaves the routes' black holes and the guard as they are.
func (h *systemHost) abandon() error {
	h.once.Do(func() { h.last = h.closeParts() })
	return h.last
}

func (h *systemHost) takeBack() error {
	var errs []error
	if h.routes != nil {
		errs = append(errs, h.routes.Close())
	}
	if h.guarded {
		_, err := guard.Clear(h.opts.Instance)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, h.closeParts())...)
}

func (h *systemHost) closeParts() error {
	var errs []error
	if h.cancel != nil {
		h.cancel()
	}
	if h.paths != nil {
		errs = append(errs, h.paths.Close())
	}
	if h.device != nil {
		errs = append(errs, h.device.Close())
	}
	for _, s := range h.sockets {
		s.Close()
	}
	return errors.Join(errs...)
}

// Clean removes what a killed endpoint of that name left on the host, and says what it removed.
func Clean(instance string) ([]string, error) {
	removed, err := route.Clean(instance, route.DefaultStateDir)
	cleared, guardErr := guard.Clear(instance)
	if cleared {
		removed = append(removed, "guard of instance "+instance)
	}
	return removed, errors.Join(err, guardErr)
}
