package netio

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// The most that one segmentation-offload message can hold: the kernel's 64 segments (128 since Linux 6.9), and one IP datagram.
const (
	maxSegments = 64
	maxRun      = 65535 - 40 - 8
)

// udpConn is a UDP socket with batches, offload, TOS and local addresses.
type udpConn struct {
	socket
	in        *receiver
	segments  bool // the kernel takes UDP_SEGMENT
	reluctant reluctant
}

// reluctant are the remotes to which the kernel refused a run with EIO: the route's device cannot checksum, or the packets pass through kernel IPsec. That is no matter of
// other remotes, and a route can change: after so many more runs, which go out datagram by datagram, it is tried again. EMSGSIZE, which concerns one run, is not kept.
// Safe for concurrent use.
type reluctant struct {
	some atomic.Bool // left holds any: nobody else has to wait for the lock
	mu   sync.Mutex
	left map[netip.Addr]int // runs
}

const (
	tryAgain     = 1024 // runs
	maxReluctant = 4096 // remotes; if there are more all are tried again
)

func (r *reluctant) add(remote netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil || len(r.left) >= maxReluctant {
		r.left = map[netip.Addr]int{}
	}
	r.left[remote] = tryAgain
	r.some.Store(true)
}

// has reports whether a run to remote is to go out datagram by datagram, and counts it.
func (r *reluctant) has(remote netip.Addr) bool {
	if !r.some.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.left[remote]
	switch {
	case n == 0:
		return false
	case n > 1:
		r.left[remote] = n - 1
		return true
	}
	delete(r.left, remote)
	r.some.Store(len(r.left) > 0)
	return true
}

func listenUDP(local netip.AddrPort, o Options) (Conn, error) {
	c, err := openUDP(local, o, false)
	if err != nil {
		return nil, err // and no pointer that is nil in an interface that is not
	}
	return c, nil
}

// openUDP opens one socket; shared is one on an address that another of this process has.
func openUDP(local netip.AddrPort, o Options, shared bool) (*udpConn, error) {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	c := &udpConn{in: newReceiver(controlRoom)}
	c.opts = o
	family := unix.AF_INET
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := newSocket(family, unix.SOCK_DGRAM, unix.IPPROTO_UDP, o)
	if err != nil {
		return nil, explainListen(local, err)
	}
	if err := setOptions(fd, udpOptions[family]); err != nil {
		unix.Close(fd)
		return nil, explainListen(local, err)
	}
	if !o.NoOffload {
		_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, optUDPSegment)
		c.segments = err == nil
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, optUDPGRO, 1) // an older kernel gives single datagrams
	}
	if shared {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			unix.Close(fd)
			return nil, explainListen(local, err)
		}
	}
	if err := c.finish(fd, local); err != nil {
		return nil, explainListen(local, err)
	}
	return c, nil
}

// udpOptions are, by family, the ones without which the socket could not do its work.
var udpOptions = map[int][][3]int{
	unix.AF_INET: {
		{unix.IPPROTO_IP, unix.IP_PKTINFO, 1},
		{unix.IPPROTO_IP, unix.IP_RECVTOS, 1},
		// DF set, and the kernel's path MTU cache, which any forger of ICMP can shrink, not asked.
		{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE},
	},
	unix.AF_INET6: {
		{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
		{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
		{unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1},
		{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE},
		{unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1},
	},
}

func (c *udpConn) ReadBatch(msgs []Message) (int, error) {
	for {
		got, err := c.in.receive(&c.socket, msgs, 0)
		if err != nil {
			return 0, err
		}
		n := 0
		for i := range got {
			if c.in.damaged(i) {
				c.truncated.Add(1)
				continue
			}
			if n != i { // a damaged one lies before: swap the buffers, so that each message keeps one of its own
				msgs[n], msgs[i] = msgs[i], msgs[n]
			}
			c.describe(&msgs[n], i)
			n++
		}
		if n > 0 || len(msgs) == 0 || c.in.try {
			return n, nil
		}
	}
}

// TryReadBatch implements PolledConn.
func (c *udpConn) TryReadBatch(msgs []Message) (int, error) {
	c.in.try = true
	defer func() { c.in.try = false }()
	return c.ReadBatch(msgs)
}

// describe fills m from slot i of the receiver.
func (c *udpConn) describe(m *Message, i int) {
	m.N, m.Segment, m.TOS, m.Fragment = int(c.in.hdrs[i].n), 0, 0, false
	m.Remote = getName(&c.in.names[i])
	m.Local = c.local
	controls(c.in.controlOf(i), func(level, kind int32, data []byte) { c.control(m, level, kind, data) })
	if m.Segment >= m.N {
		m.Segment = 0
	}
}

func (c *udpConn) control(m *Message, level, kind int32, data []byte) {
	switch {
	case level == unix.IPPROTO_IP && kind == unix.IP_TOS && len(data) >= 1:
		m.TOS = data[0]
	case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_TCLASS && len(data) >= 4:
		m.TOS = uint8(binary.NativeEndian.Uint32(data))
	case level == unix.IPPROTO_UDP && kind == optUDPGRO && len(data) >= 4:
		m.Segment = int(binary.NativeEndian.Uint32(data))
	case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
		m.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[8:12])), c.local.Port())
	case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
		a := netip.AddrFrom16([16]byte(data[:16]))
		if a.IsLinkLocalUnicast() {
			a = a.WithZone(zoneName(binary.NativeEndian.Uint32(data[16:])))
		}
		m.Local = netip.AddrPortFrom(a, c.local.Port())
	}
}

func (c *udpConn) WriteBatch(msgs []Message) (int, error) {
	s := begin(len(msgs))
	for i := range msgs {
		c.addItems(s, &msgs[i], i)
	}
	return s.end(s.sendAll(c))
}

// addItems cuts m into what one system call's slot can take.
func (c *udpConn) addItems(s *sender, m *Message, at int) {
	it := item{remote: m.Remote, source: m.Local.Addr(), tos: m.TOS, frag: m.Fragment, msg: at}
	if it.source.IsValid() && it.source.IsUnspecified() {
		it.source = netip.Addr{}
	}
	b := m.Bytes()
	if m.Segment <= 0 || m.Segment >= len(b) {
		it.data = b
		s.items = append(s.items, it)
		return
	}
	run := m.Segment // what one item holds, in octets
	if c.segments && !m.Fragment && !c.reluctant.has(m.Remote.Addr()) {
		run = m.Segment * max(1, min(maxSegments, maxRun/m.Segment))
	}
	for len(b) > 0 {
		it.data = b[:min(run, len(b))]
		it.segment = 0
		if len(it.data) > m.Segment {
			it.segment = m.Segment
			c.runs.Add(1)
		}
		s.items = append(s.items, it)
		b = b[len(it.data):]
	}
}

func (c *udpConn) base() *socket { return &c.socket }

func (c *udpConn) appendControls(b []byte, it *item) []byte {
	if it.source.IsValid() {
		b = appendSourceControl(b, it.source)
	}
	if it.segment > 0 {
		var v [2]byte
		binary.NativeEndian.PutUint16(v[:], uint16(it.segment))
		b = appendControl(b, unix.IPPROTO_UDP, optUDPSegment, v[:])
	}
	switch {
	case it.tos != 0 && c.is4:
		b = appendIntControl(b, unix.IPPROTO_IP, unix.IP_TOS, uint32(it.tos))
	case it.tos != 0:
		b = appendIntControl(b, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, uint32(it.tos))
	}
	if it.frag && !c.is4 {
		b = appendIntControl(b, unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 0)
	}
	return b
}

// fragmentable clears or sets DF, for which there is no control message. Another writer's datagram that slips in between goes out with
// DF clear, which does no harm.
func (c *udpConn) fragmentable(yes bool) {
	level, option, how := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if !c.is4 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER // the values are those of IPv4
	}
	if yes {
		how = unix.IP_PMTUDISC_DONT
	}
	_ = c.set(level, option, how)
}

// refused sends the datagrams of a run singly, each with a verdict of its own.
func (c *udpConn) refused(s *sender, it *item, errno syscall.Errno) {
	fallback := errno == unix.EIO || errno == unix.EMSGSIZE || errno == unix.EINVAL
	if it.segment == 0 || !fallback {
		s.refuse(&c.socket, it, errno)
		return
	}
	if errno == unix.EIO {
		c.reluctant.add(it.remote.Addr())
	}
	c.fallbacks.Add(1)
	single := begin(1)
	for b := it.data; len(b) > 0; b = b[min(it.segment, len(b)):] {
		one := *it
		one.data, one.segment, one.msg = b[:min(it.segment, len(b))], 0, 0
		single.items = append(single.items, one)
	}
	if _, err := single.end(single.sendAll(c)); err != nil {
		s.fail(it, err)
	}
}
