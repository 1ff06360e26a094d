package route

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// inUse are the states of a neighbour entry whose address the kernel itself would use.
const inUse = unix.NUD_PERMANENT | unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE

// NextHop asks the kernel where a socket with the mark given sends datagrams to remote, an IPv4 address. The error wraps ErrNoHop or ErrNoRoute.
func NextHop(remote netip.Addr, mark uint32) (Hop, error) {
	r, err := lookup(remote, mark)
	if err != nil {
		return Hop{}, err
	}
	remote = remote.Unmap()
	if !remote.Is4() || r.Type != unix.RTN_UNICAST || r.Encap != nil || r.Via != nil || r.NewDst != nil || len(r.MultiPath) > 0 {
		return Hop{}, fmt.Errorf("%w to %v: a route of another kind", ErrNoHop, remote)
	}
	link, err := netlink.LinkByIndex(r.LinkIndex)
	if err != nil {
		return Hop{}, explain(err, "the interface that leads to %v is not there", remote)
	}
	a := link.Attrs()
	if a.EncapType != "ether" || a.Flags&net.FlagUp == 0 || a.Flags&net.FlagLoopback != 0 || len(a.HardwareAddr) != 6 {
		return Hop{}, fmt.Errorf("%w to %v: %s is no Ethernet, or down", ErrNoHop, remote, a.Name)
	}
	if a.RawFlags&unix.IFF_LOWER_UP == 0 { // frames would vanish unseen; the stack may know another way, or that there is none
		return Hop{}, fmt.Errorf("%w to %v: %s has no carrier", ErrNoHop, remote, a.Name)
	}
	via := remote
	if r.Gw != nil {
		gw, ok := netip.AddrFromSlice(r.Gw)
		if via = gw.Unmap(); !ok || !via.Is4() {
			return Hop{}, fmt.Errorf("%w to %v: its router has no IPv4 address", ErrNoHop, remote)
		}
	}
	h := Hop{Interface: r.LinkIndex, Source: [6]byte(a.HardwareAddr), MTU: a.MTU}
	if r.MTU > 0 {
		h.MTU = min(h.MTU, r.MTU)
	}
	h.Hardware, err = neighbour(r.LinkIndex, via)
	return h, err
}

// neighbour asks for one entry of the neighbour table.
func neighbour(ifindex int, a netip.Addr) (hardware [6]byte, err error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, 0)
	req.AddData(&netlink.Ndmsg{Family: unix.AF_INET, Index: uint32(ifindex)})
	req.AddData(nl.NewRtAttr(unix.NDA_DST, a.AsSlice()))
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
	if err != nil || len(answers) == 0 {
		return hardware, fmt.Errorf("%w: %v has no neighbour entry (%v)", ErrNoHop, a, err)
	}
	n, err := netlink.NeighDeserialize(answers[0])
	if err != nil || n.State&inUse == 0 || len(n.HardwareAddr) != len(hardware) || n.LinkIndex != ifindex {
		return hardware, fmt.Errorf("%w: the neighbour entry of %v is not in use (%v)", ErrNoHop, a, err)
	}
	return [6]byte(n.HardwareAddr), nil
}
