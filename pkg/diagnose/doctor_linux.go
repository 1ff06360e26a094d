package diagnose

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/guard"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/route"
)

// host looks at all that an endpoint stands on.
func (o *DoctorOptions) host() []Finding {
	return []Finding{o.tun(), o.rights(), o.portsFinding(holdersOf), rawSockets(), offload(), o.nftables(), kernelIPsec(), o.rpFilter(), o.forwarding(), o.routes(), o.rules(),
		o.firewall(), o.leftovers(), o.mtu()}
}

// tun opens the driver and asks what it can do; no device is made for that.
func (o *DoctorOptions) tun() Finding {
	const path = "/dev/net/tun"
	f := Finding{Name: "tun", State: OK, What: "the TUN driver answers"}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		_, err = unix.IoctlGetUint32(fd, unix.TUNGETFEATURES)
	}
	switch {
	case err == nil:
	case errors.Is(err, unix.ENOENT):
		f = Finding{Name: "tun", State: Problem, What: path + " is missing", Why: "the driver is not loaded, or this container was not given it", Next: "modprobe tun; a container is started with --device " + path}
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		f = Finding{Name: "tun", State: Problem, What: path + " may not be opened: " + err.Error(), Why: "no device can be made", Next: "run as root"}
	default:
		f = Finding{Name: "tun", State: Problem, What: path + " does not answer: " + err.Error(), Why: "the driver is not loaded", Next: "modprobe tun"}
	}
	if o.Status != nil && f.State == OK {
		f.What += fmt.Sprintf("; the instance's device is %s", o.Status.TUN.Name)
		if _, err := net.InterfaceByName(o.Status.TUN.Name); err != nil {
			return Finding{Name: "tun", State: Problem, What: "the instance's device " + o.Status.TUN.Name + " is not there", Why: "somebody deleted it, or this is another network namespace", Next: "start the instance again"}
		}
	}
	return f
}

// rights asks for the capabilities of this process, which up would have if it were started in the same way.
func (o *DoctorOptions) rights() Finding {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&h, &sets[0]); err != nil {
		return Finding{Name: "rights", State: Skipped, What: "the capabilities of this process cannot be read: " + err.Error()}
	}
	has := func(c int) bool { return sets[c/32].Effective&(1<<(c%32)) != 0 }
	var missing []string
	for _, c := range []struct {
		number int
		name   string
	}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_NET_RAW, "CAP_NET_RAW"}} {
		if !has(c.number) {
			missing = append(missing, c.name)
		}
	}
	if !has(unix.CAP_NET_BIND_SERVICE) && firstFreePort() > int(slices.Min(o.ports())) {
		missing = append(missing, "CAP_NET_BIND_SERVICE")
	}
	if len(missing) == 0 {
		return Finding{Name: "rights", State: OK, What: "the capabilities that up needs are there"}
	}
	return Finding{Name: "rights", State: Problem, What: "missing: " + strings.Join(missing, ", "), Why: "devices, routes, the firewall, raw sockets or port 500 are refused",
		Next: "run as root, or  setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep  on the program"}
}

// firstFreePort is the lowest port that anybody may bind.
func firstFreePort() int {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return 1024
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}

func holdersOf(port uint16) (list []holder) {
	for _, h := range netio.Holders(port) {
		list = append(list, holder{at: h.Local.Addr().Unmap(), pid: h.PID, name: h.Process})
	}
	return list
}

// rawSockets opens one for ESP and closes it again.
func rawSockets() Finding {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ESP)
	if err != nil {
		return Finding{Name: "raw-sockets", State: Problem, What: "a raw socket for ESP cannot be had: " + err.Error(), Why: "ESP outside UDP, AH and permitted clear packets need them",
			Next: "run as root, or with CAP_NET_RAW"}
	}
	unix.Close(fd)
	return Finding{Name: "raw-sockets", State: OK, What: "raw sockets can be had"}
}

// offload asks for segmentation and receive offload of UDP.
func offload() Finding {
	f := Finding{Name: "offload", State: OK, What: "the kernel has UDP segmentation and receive offload"}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Finding{Name: "offload", State: Problem, What: "no UDP socket can be had: " + err.Error()}
	}
	defer unix.Close(fd)
	_, gso := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	gro := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	if gso != nil || gro != nil {
		f.State, f.What, f.Why, f.Next = Warning, "the kernel lacks UDP segmentation or receive offload", "everything works, more slowly", "a kernel of 5.0 or later has both"
	}
	return f
}

func (o *DoctorOptions) nftables() Finding {
	_, err := guard.List()
	switch {
	case err != nil:
		return Finding{Name: "nftables", State: Problem, What: err.Error(), Why: "up refuses to start without its guard", Next: "run as root with nf_tables in the kernel, or use --no-guard and know what stays open"}
	case o.Status != nil && o.Status.Guard != "nftables":
		return Finding{Name: "nftables", State: Warning, What: "the instance has no guard: " + o.Status.Guard, Why: "clear packets that arrive are accepted even where the policy wants them protected",
			Next: "start it without --no-guard, and with guard: required"}
	}
	return Finding{Name: "nftables", State: OK, What: "the kernel's nftables answers"}
}

func kernelIPsec() Finding {
	if err := route.KernelIPsec(); err != nil {
		return Finding{Name: "kernel-ipsec", State: Problem, What: err.Error(), Why: "it would take packets before goipsec or after it", Next: "stop the program that put them there"}
	}
	return Finding{Name: "kernel-ipsec", State: OK, What: "the kernel's own IPsec has no SAs and no policies"}
}

// rpFilter: under strict filtering the kernel drops what a captured peer sends, since the way back to it leads into the TUN.
func (o *DoctorOptions) rpFilter() Finding {
	strict, err := route.StrictInterfaces()
	f := Finding{Name: "rp-filter", State: OK, What: "no interface filters strictly by reverse path"}
	switch {
	case err != nil:
		f.State, f.What = Skipped, err.Error()
	case len(strict) > 0 && o.Status != nil:
		f.State, f.What = Problem, "rp_filter is strict on "+strings.Join(strict, ", ")+" although up had loosened it"
		f.Why, f.Next = "somebody set it back; what comes out of the tunnel is dropped there", "sysctl -w net.ipv4.conf.NAME.rp_filter=2 for each; look for a service that sets it"
	case len(strict) > 0:
		f.State, f.What = Warning, "rp_filter is strict on "+strings.Join(strict, ", ")
		f.Why, f.Next = "it would drop the packets of captured peers; up sets it to 2 until its end", "nothing, unless another service sets it to 1 again"
	}
	return f
}

func (o *DoctorOptions) forwarding() Finding {
	behind := o.behind()
	switch w := route.ForwardingWarning(behind); {
	case o.Policy == nil:
		return Finding{Name: "forwarding", State: Skipped, What: "no policy is known"}
	case w != "":
		return Finding{Name: "forwarding", State: Problem, What: "the kernel does not forward packets, and the policy makes this host the gateway of " + fmt.Sprint(behind),
			Why: "hosts behind it cannot use the tunnel", Next: w[strings.LastIndex(w, "type ")+len("type "):]}
	case len(behind) == 0:
		return Finding{Name: "forwarding", State: OK, What: "the policy does not make this host a gateway"}
	}
	return Finding{Name: "forwarding", State: OK, What: "the kernel forwards packets for " + fmt.Sprint(behind)}
}

// routes asks the kernel where packets to protected prefixes go.
func (o *DoctorOptions) routes() Finding {
	prefixes := o.captured()
	switch {
	case o.Status == nil:
		return Finding{Name: "routes", State: Skipped, What: "the instance does not run, so nothing leads into its device"}
	case len(prefixes) == 0:
		return Finding{Name: "routes", State: OK, What: "the policy has nothing that must go through the device"}
	}
	var astray []string
	for _, p := range prefixes {
		to := typical(p)
		device, err := route.DeviceFor(to)
		if err == nil && device != o.Status.TUN.Name && device != "lo" {
			astray = append(astray, fmt.Sprintf("%v (by %s)", to, device))
		}
		if err != nil {
			astray = append(astray, fmt.Sprintf("%v (%v)", to, err))
		}
	}
	if foreign := o.foreignRoutes(); len(foreign) > 0 {
		return Finding{Name: "routes", State: Problem, What: "routes of others stand in the instance's own table: " + strings.Join(foreign, "; "), Why: "they are more specific or come first", Next: "remove them, and find out who sets them"}
	}
	if len(astray) > 0 {
		return Finding{Name: "routes", State: Problem, What: "packets that the policy blocks or protects do not go through " + o.Status.TUN.Name + ": to " + strings.Join(astray, ", "),
			Why: "another route or rule comes before the instance's", Next: "see the finding of rules; goipsec reload puts back what is missing"}
	}
	return Finding{Name: "routes", State: OK, What: fmt.Sprintf("packets to %s go through %s", plural(len(prefixes), "network"), o.Status.TUN.Name)}
}

func (o *DoctorOptions) foreignRoutes() []string {
	traces, err := route.Traces()
	if err != nil {
		return nil
	}
	for _, t := range traces {
		if t.Table == route.Derive(o.Instance).Table {
			return t.Foreign
		}
	}
	return nil
}

// rules looks for policy-routing rules that the kernel asks first: those of other VPNs, most often.
func (o *DoctorOptions) rules() Finding {
	prefixes := o.captured()
	if len(prefixes) == 0 {
		return Finding{Name: "rules", State: OK, What: "nothing has to be led into the device"}
	}
	list, err := route.Contenders(route.Derive(o.Instance), prefixes)
	if err != nil {
		return Finding{Name: "rules", State: Skipped, What: err.Error()}
	}
	f := Finding{Name: "rules", State: OK, What: "no policy-routing rule of others comes before the instance's for these packets"}
	var texts []string
	for _, c := range list {
		if c.Always {
			f.State = Problem
		}
		texts = append(texts, c.Rule+" ("+strings.Join(c.Routes[:min(len(c.Routes), 3)], "; ")+")")
	}
	if len(texts) == 0 {
		return f
	}
	f.What = "the kernel asks other rules first: " + strings.Join(texts, "; ")
	f.Why = "packets that the policy protects leave by their routes, in clear if no guard stops them; another VPN may have set them"
	f.Next = fmt.Sprintf("give them a priority above %d, or take these prefixes out of their tables", route.Derive(o.Instance).Priority)
	if f.State == OK {
		f.State, f.Why = Warning, "for packets that meet their conditions, "+f.Why
	}
	return f
}

// firewall follows IKE, ESP and AH through the host's nftables.
func (o *DoctorOptions) firewall() Finding {
	var flows []flow
	mark := route.Derive(o.Instance).Mark
	families := []bool{true}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		families = append(families, false)
	}
	for _, is4 := range families {
		for _, out := range []bool{false, true} {
			m := uint32(0)
			if out {
				m = mark
			}
			for _, port := range o.ports() {
				flows = append(flows, flow{name: fmt.Sprintf("UDP %d", port), is4: is4, out: out, proto: unix.IPPROTO_UDP, port: port, mark: m})
			}
			flows = append(flows, flow{name: "ESP", is4: is4, out: out, proto: unix.IPPROTO_ESP, mark: m})
			if o.usesAH() {
				flows = append(flows, flow{name: "AH", is4: is4, out: out, proto: unix.IPPROTO_AH, mark: m})
			}
		}
	}
	return firewall(flows)
}

// leftovers looks for what a killed instance left in force.
func (o *DoctorOptions) leftovers() Finding {
	alive := o.alive()
	var list []string
	traces, err := route.Traces()
	if err != nil {
		return Finding{Name: "leftovers", State: Skipped, What: err.Error()}
	}
	names := map[uint32]string{route.Derive(o.Instance).Table: o.Instance}
	dead := func(table uint32) bool {
		i := slices.IndexFunc(traces, func(t route.Trace) bool { return t.Table == table })
		return !alive[table] && (i < 0 || traces[i].Orphaned())
	}
	guards, _ := guard.List()
	for _, name := range guards {
		names[route.Derive(name).Table] = name
		if dead(route.Derive(name).Table) {
			list = append(list, "the guard of instance "+name)
		}
	}
	states, _ := filepath.Glob(route.DefaultStateDir + "/*.json")
	for _, path := range states {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		names[route.Derive(name).Table] = name
		if dead(route.Derive(name).Table) {
			list = append(list, "loosened rp_filter settings of instance "+name)
		}
	}
	for _, t := range traces {
		if dead(t.Table) {
			list = append(list, fmt.Sprintf("%s and %s of instance %s", plural(t.Rules, "rule"), plural(t.BlackHoles, "black hole"), first(names[t.Table], fmt.Sprintf("with table %#x", t.Table))))
		}
	}
	if len(list) == 0 {
		return Finding{Name: "leftovers", State: OK, What: "no killed instance has left anything"}
	}
	return Finding{Name: "leftovers", State: Problem, What: "a killed instance left " + strings.Join(list, ", "), Why: "they stop what was protected, so that it does not leave in clear; that is meant",
		Next: "goipsec up takes them over; goipsec down removes them (with --socket for an instance of another name)"}
}

// mtu compares the device with the ways to the peers.
func (o *DoctorOptions) mtu() Finding {
	const (
		leastInner = 1280 // RFC 8200 §5
		dearest    = 120  // tunnel and UDP headers, AH, ESP with the longest check value
		cheapest   = 30   // ESP in transport mode with a short one
	)
	f := Finding{Name: "mtu", State: OK, What: "the ways to the peers are wide enough"}
	mark := route.Derive(o.Instance).Mark
	for _, peer := range o.peers() {
		w, err := wayTo(peer, mark)
		switch {
		case err != nil:
			return Finding{Name: "mtu", State: Warning, What: err.Error(), Why: "the peer cannot be reached now", Next: "look at the host's routes"}
		case w.mtu > 0 && w.mtu < leastInner+dearest:
			f = Finding{Name: "mtu", State: Warning, What: fmt.Sprintf("the way to %v takes %d bytes", peer, w.mtu), Why: "with the headers of IPsec, IPv6 packets of 1280 bytes have to be fragmented", Next: "raise the MTU of " + w.device}
		case o.Status != nil && w.mtu > 0 && o.Status.TUN.MTU+cheapest > w.mtu:
			return Finding{Name: "mtu", State: Warning, What: fmt.Sprintf("the device takes %d bytes and the way to %v %d", o.Status.TUN.MTU, peer, w.mtu),
				Why: "large packets are answered by ICMP, or fragmented", Next: "leave tun: {mtu: …} out, so that it is computed"}
		}
	}
	if o.Status != nil {
		f.What += fmt.Sprintf("; the device takes %d bytes", o.Status.TUN.MTU)
	} else if len(o.peers()) == 0 {
		return Finding{Name: "mtu", State: Skipped, What: "no peer is known"}
	}
	return f
}
