package netio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/goipsec/goipsec/pkg/poll"
	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// direct opens a receiver in this namespace that follows addresses; the test is skipped where the kernel has none.
func direct(t *testing.T, o Options, addresses ...string) *directReceiver {
	t.Helper()
	d, err := ListenDirect(o)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { d.Close() })
	var list []netip.Addr
	for _, a := range addresses {
		list = append(list, netip.MustParseAddr(a))
	}
	if err := d.Follow(list); err != nil {
		t.Fatal(err)
	}
	return d.(*directReceiver)
}

// finish4 fills in what the kernel would: total length and checksum.
func finish4(b []byte) []byte {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return checksummed(b)
}

func checksummed(b []byte) []byte {
	b[10], b[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < 4*int(b[0]&15); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum))
	return b
}

// frames opens a socket of that host for bare frames to the end of the veth that this namespace has.
func frames(t *testing.T, other *testnet.Host, device string) (send func(datagram []byte)) {
	t.Helper()
	own, err := netlink.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	fd, to := -1, &unix.SockaddrLinklayer{Protocol: 0x0008, Halen: 6}
	copy(to.Addr[:], own.Attrs().HardwareAddr)
	other.Do(func() {
		there, err := netlink.LinkByName("peer")
		if err != nil {
			t.Error(err)
			return
		}
		to.Ifindex = there.Attrs().Index
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
		}
	})
	if fd < 0 {
		t.FailNow()
	}
	t.Cleanup(func() { unix.Close(fd) })
	return func(datagram []byte) {
		t.Helper()
		if err := unix.Sendto(fd, datagram, 0, to); err != nil {
			t.Fatal(err)
		}
	}
}

func esp4(n int) []byte {
	return finish4(ip4("10.9.0.2", "10.9.0.1", ProtoESP, 3, 7, true, pattern(n)))
}

func TestDirectReceiverTakesWhatSocketsWouldGet(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	raw, sender := openBoth(t, other, ProtoESP, "10.9.0.1", "10.9.0.2")
	d := direct(t, Options{}, "10.9.0.1", "fd09::1")
	const batches = 40
	go func() {
		for i := range batches {
			var msgs []Message
			for k := range 50 {
				b := ip4("10.9.0.2", "10.9.0.1", ProtoESP, 3, 7, true, pattern(8+i*30+k))
				msgs = append(msgs, Message{Buf: b, N: len(b)})
			}
			if n, err := sender.WriteBatch(msgs); n != 50 {
				t.Error(n, err)
			}
		}
	}()
	msgs := room(16)
	for at := 0; at < batches*50; {
		n, err := d.ReadBatch(msgs)
		if err != nil {
			t.Fatal(err)
		}
		for i := range msgs[:n] {
			m := &msgs[i]
			if want := pattern(8 + at/50*30 + at%50); !bytes.Equal(m.Bytes()[20:], want) || !checksumOK(m.Bytes()[:20]) {
				t.Fatalf("datagram %d has %d octets: %x", at, m.N, m.Bytes()[:28])
			}
			if m.TOS != 3 || m.Remote != netip.MustParseAddrPort("10.9.0.2:0") || m.Local != netip.MustParseAddrPort("10.9.0.1:0") || m.Segment != 0 {
				t.Fatalf("%+v", m)
			}
			at++
		}
	}
	if got := without(t, raw); got != 0 {
		t.Errorf("the socket got %d of them too", got)
	}
}

// without returns how many datagrams wait at a raw socket.
func without(t *testing.T, c Conn) (n int) {
	t.Helper()
	b := make([]byte, 4096)
	for {
		_, _, err := unix.Recvfrom(c.(*rawConn).fd, b, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
}

// What is not plain goes through the network stack, which judges it as always. In between go datagrams that are taken, so that nothing is waited for.
func TestDirectReceiverLeavesAllElseToTheStack(t *testing.T) {
	testnet.Need(t)
	other := link(t, 9000)
	other.Do(func() {
		if l, err := netlink.LinkByName("peer"); err != nil || netlink.LinkSetMTU(l, 9000) != nil {
			t.Error("the MTU could not be set", err)
		}
	})
	testnet.AddAddrs(t, "wire", []netip.Prefix{netip.MustParsePrefix("10.9.0.77/24")})
	raw, _ := openBoth(t, other, ProtoESP, "0.0.0.0", "10.9.0.2")
	raw6, err := ListenRaw(ProtoESP, netip.IPv6Unspecified(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer raw6.Close()
	d := direct(t, Options{}, "10.9.0.1", "fd09::1")
	send := frames(t, other, "wire")
	edit := func(f func(b []byte) []byte) []byte { return f(esp4(200)) }
	fragment := func(at, offset int, more bool) []byte {
		return edit(func(b []byte) []byte {
			binary.BigEndian.PutUint16(b[6:], uint16(offset/8))
			if more {
				b[6] |= 0x20
			}
			return finish4(append(b[:20:20], pattern(2400)[at:at+1200]...))
		})
	}
	cases := []struct {
		name   string
		data   []byte
		socket int // how many datagrams the raw socket gets
	}{
		{"IP options", finish4(append([]byte{0x46}, edit(func(b []byte) []byte { return append(append(b[1:20:20], 1, 1, 1, 0), b[20:]...) })...)), 1},
		{"longer than a slot", finish4(esp4(directSlot)), 1},
		{"another address of the host", edit(func(b []byte) []byte { b[19] = 77; return finish4(b) }), 1},
		{"first fragment", fragment(0, 0, true), 0},
		{"last fragment", fragment(1200, 1200, false), 1},
		{"padding behind the datagram", append(esp4(30), make([]byte, 20)...), -1},
		{"a wrong checksum", edit(func(b []byte) []byte { b[10] ^= 1; return b }), 0},
		{"version 5", edit(func(b []byte) []byte { b[0] = 0x55; return checksummed(b) }), 0},
		{"a header of 16 octets", edit(func(b []byte) []byte { b[0] = 0x44; return checksummed(b) }), 0},
		{"a length beyond the frame", edit(func(b []byte) []byte { b[3]++; return checksummed(b) }), 0},
		{"a length under the header's", edit(func(b []byte) []byte { b[2], b[3] = 0, 19; return checksummed(b) }), 0},
		{"a length without an ESP header", edit(func(b []byte) []byte { return finish4(b[:27]) }), 1},
		{"half a header", esp4(30)[:10], 0},
		{"one octet", []byte{0x45}, 0},
		{"AH", edit(func(b []byte) []byte { b[9] = ProtoAH; return checksummed(b) }), 0},
		{"UDP", edit(func(b []byte) []byte { b[9] = 17; return checksummed(b) }), 0},
		{"for somebody else", edit(func(b []byte) []byte { b[19] = 9; return checksummed(b) }), 0},
		{"from loopback", edit(func(b []byte) []byte { b[12] = 127; return checksummed(b) }), 0},
		{"from a multicast address", edit(func(b []byte) []byte { b[12] = 224; return checksummed(b) }), 0},
		{"from nowhere", edit(func(b []byte) []byte { copy(b[12:16], []byte{0, 0, 0, 0}); return checksummed(b) }), 0},
	}
	for _, c := range cases {
		send(c.data)
		send(esp4(99)) // the veth delivers in order, within the sender's call
		m := readOne(t, d)
		if c.socket < 0 {
			if !bytes.Equal(m.Bytes(), c.data[:50]) {
				t.Errorf("%s: %x", c.name, m.Bytes())
			}
			m = readOne(t, d)
		}
		if m.N != 119 {
			t.Errorf("%s was taken", c.name)
		}
		if got := without(t, raw); got != max(c.socket, 0) {
			t.Errorf("%s: the socket got %d datagrams and not %d", c.name, got, max(c.socket, 0))
		}
	}
	b := ip6("fd09::2", "fd09::1", ProtoESP, 0, 0, pattern(60))
	var sender Conn
	other.Do(func() { sender, err = ListenRaw(ProtoESP, netip.MustParseAddr("fd09::2"), Options{}) })
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	if n, err := sender.WriteBatch([]Message{{Buf: b, N: len(b)}}); n != 1 {
		t.Fatal(err)
	}
	if m := readOne(t, raw6); !bytes.Equal(m.Bytes(), b) {
		t.Errorf("%x", m.Bytes())
	}
}

func TestDirectReceiverFollowsAddressesAndInterfaces(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	raw, _ := openBoth(t, other, ProtoESP, "10.9.0.1", "10.9.0.2")
	d := direct(t, Options{}, "10.9.0.1")
	send := frames(t, other, "wire")
	arrives := func(taken bool) {
		t.Helper()
		send(esp4(40))
		if taken {
			readOne(t, d)
		}
		if got := without(t, raw); got != map[bool]int{true: 0, false: 1}[taken] {
			t.Errorf("the socket got %d", got)
		}
	}
	arrives(true)
	if err := d.Follow(nil); err != nil || len(d.links) != 0 {
		t.Fatal(err, d.links)
	}
	arrives(false)
	here := []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("127.0.0.1")}
	if err := d.Follow(here); err != nil || len(d.links) != 1 || len(d.known) != 2 {
		t.Fatal(err, d.links, d.known)
	}
	arrives(true)

	// The interface goes and comes again under the same number: the link that is left is of nothing.
	l, _ := netlink.LinkByName("wire")
	index := l.Attrs().Index
	if err := netlink.LinkDel(l); err != nil {
		t.Fatal(err)
	}
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wire", Index: index, MTU: 1500}, PeerName: "peer"}
	if err := errors.Join(netlink.LinkAdd(veth), other.Take("peer")); err != nil {
		t.Fatal(err)
	}
	testnet.AddAddrs(t, "wire", []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")})
	other.Do(func() { testnet.AddAddrs(t, "peer", []netip.Prefix{netip.MustParsePrefix("10.9.0.2/24")}) })
	send = frames(t, other, "wire")
	arrives(false)
	if err := d.Follow(here); err != nil {
		t.Fatal(err)
	}
	arrives(true)
	d.Close()
	arrives(false)
	if err := d.Follow(here); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestDirectReceiverWithoutRoom(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	d := direct(t, Options{Buffer: 1 << 16}, "10.9.0.1")
	send := frames(t, other, "wire")
	// The ring wraps many times, with and without the reader far behind.
	lost, one := 0, []Message{{Buf: make([]byte, directSlot)}}
	for i := range 600 {
		size, length := sizeOfRecord, 300+i
		if i%3 == 0 {
			size, length = sizeOfSmall, 8+i%(directSmall-20-8+1)
		}
		room := (1<<17 - 1) / (ringHeader + size)
		n := i % (room + 10)
		for range n {
			send(esp4(length))
		}
		for range min(n, room) {
			if k, err := d.ReadBatch(one); k != 1 || err != nil || !bytes.Equal(one[0].Bytes()[20:], pattern(length)) {
				t.Fatalf("round %d: %d octets, %v", i, one[0].N, err)
			}
		}
		lost += max(0, n-room)
	}
	if s := d.Stats(); s.Lost != uint64(lost) || lost == 0 {
		t.Errorf("%+v, but %d found no room", s, lost)
	}
	send(esp4(300))
	send(esp4(60))
	in := []Message{{Buf: make([]byte, 200), Off: 50}, {Buf: make([]byte, 200)}}
	if n, err := d.ReadBatch(in); n != 1 || err != nil || in[0].N != 80 || d.Stats().Truncated != 1 {
		t.Error(n, err, in[0].N, d.Stats())
	}
	if n, err := d.ReadBatch(nil); n != 0 || err != nil {
		t.Error(n, err)
	}
	if n, err := d.WriteBatch(in); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Error(n, err)
	}
}

// Frames shorter than their header says, more of them than the ring has places for while the reader sleeps, take no room.
func TestDirectReceiverIsNotStoppedByShortFrames(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	d := direct(t, Options{Buffer: 1 << 16}, "10.9.0.1")
	send := frames(t, other, "wire")
	send(esp4(80))
	readOne(t, d)
	lengths := make(chan int)
	go func() {
		defer close(lengths)
		msgs := room(4)
		for {
			n, err := d.ReadBatch(msgs)
			if err != nil {
				return
			}
			for _, m := range msgs[:n] {
				lengths <- m.N
			}
		}
	}()
	for round := range 20 {
		for _, length := range []int{2000, 200, 29} {
			short := esp4(8) // a frame of 28 octets
			binary.BigEndian.PutUint16(short[2:], uint16(length))
			short = checksummed(short)
			for range 1 << 17 / (ringHeader + sizeOfSmall) / 2 {
				send(short)
			}
		}
		for _, n := range []int{80, 1200} {
			send(esp4(n))
			if got := <-lengths; got != 20+n {
				t.Errorf("round %d: %d octets", round, got)
			}
		}
	}
	if s := d.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
	d.Close()
	for range lengths {
		t.Error("more was read than sent")
	}
}

// A driver may leave what it received in pages; a packet socket with a ring to send from does the same.
func TestDirectReceiverTakesFramesInPages(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	raw, _ := openBoth(t, other, ProtoESP, "10.9.0.1", "10.9.0.2")
	d := direct(t, Options{}, "10.9.0.1")
	send := pages(t, other, "wire")
	for _, linear := range []int{14, 14 + 8, 14 + 20, 14 + 28, 14 + 128} {
		for _, n := range []int{130, 200, 400, 1400} {
			b := esp4(n)
			send(linear, b)
			if m := readOne(t, d); !bytes.Equal(m.Bytes(), b) {
				t.Fatalf("%d octets, %d of the frame linear: %d octets", len(b), linear, m.N)
			}
		}
		short := esp4(400)
		short[2]++
		send(linear, checksummed(short))
		udp := esp4(400)
		udp[9] = 17
		send(linear, checksummed(udp))
	}
	if got := without(t, raw); got != 0 || d.Stats().Lost != 0 {
		t.Errorf("the socket got %d of them, %+v", got, d.Stats())
	}
}

// pages is frames with all but the first octets in a page.
func pages(t *testing.T, other *testnet.Host, device string) (send func(linear int, datagram []byte)) {
	t.Helper()
	own, err := netlink.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	const size = 4096
	fd, to := -1, &unix.SockaddrLinklayer{Protocol: 0x0008, Halen: 6}
	copy(to.Addr[:], own.Attrs().HardwareAddr)
	var ring []byte
	other.Do(func() {
		there, err := netlink.LinkByName("peer")
		if err == nil {
			to.Ifindex = there.Attrs().Index
			fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		}
		if err == nil {
			err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1), unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2),
				unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_TX_RING, &unix.TpacketReq{Block_size: size, Block_nr: 1, Frame_size: size, Frame_nr: 1}))
		}
		if err == nil {
			ring, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		}
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if ring != nil {
			_ = unix.Munmap(ring)
		}
		unix.Close(fd)
	})
	if t.Failed() {
		t.FailNow()
	}
	return func(linear int, datagram []byte) {
		t.Helper()
		head := make([]byte, 10, size) // virtio_net_hdr: its third field is how much is linear
		binary.NativeEndian.PutUint16(head[2:], uint16(linear))
		head = append(append(head, own.Attrs().HardwareAddr...), 2, 0, 0, 0, 0, 9, 8, 0)
		frame := append(head, datagram...)
		copy(ring[32:], frame)
		binary.NativeEndian.PutUint32(ring[4:], uint32(len(frame)))
		atomic.StoreUint32(word(ring), unix.TP_STATUS_SEND_REQUEST)
		if err := unix.Sendto(fd, nil, 0, to); err != nil {
			t.Fatal(err)
		}
		if status := atomic.LoadUint32(word(ring)); status != unix.TP_STATUS_AVAILABLE {
			t.Fatalf("the frame was not sent: %d", status)
		}
	}
}

// A reader that sleeps is woken by each datagram and by Close.
func TestDirectReceiverWakes(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	d := direct(t, Options{}, "10.9.0.1")
	send := frames(t, other, "wire")
	var lengths []int
	read, closed := make(chan struct{}), make(chan error)
	go func() {
		msgs := room(4)
		for {
			n, err := d.ReadBatch(msgs)
			if err != nil {
				closed <- err
				return
			}
			for _, m := range msgs[:n] {
				lengths = append(lengths, m.N)
			}
			read <- struct{}{}
		}
	}()
	for range 2000 {
		send(esp4(80))
		<-read
	}
	d.Close()
	if err := <-closed; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if len(lengths) != 2000 || slices.Contains(lengths, 0) {
		t.Errorf("%d were read", len(lengths))
	}
	d.Close()
}

// A reader that leaves the waiting to others finds nothing and what there is. It must not be waited for while there may be more, and when it was, whoever sends
// need not wake anybody. Close tells who waits for the files, and waits for their return.
func TestDirectReceiverLeavesTheWaitingToOthers(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	d := direct(t, Options{}, "10.9.0.1")
	send, msgs := frames(t, other, "wire"), room(4)
	var conn PolledConn = d
	try := func(want int) {
		t.Helper()
		if n, err := conn.TryReadBatch(msgs); n != want || err != nil {
			t.Errorf("%d messages and not %d, %v", n, want, err)
		}
	}
	sleep := func(want bool) (fds []int) {
		t.Helper()
		fds = testnet.Lend(t, d, 2)
		if conn.(poll.Sleeper).Sleep() != want {
			t.Errorf("it is not %v that it sleeps", want)
		}
		return fds
	}
	asleep := func() bool { return atomic.LoadUint32(word(d.shared)) != 0 }
	try(0)
	fds := sleep(true)
	if !asleep() {
		t.Error("the program does not know that somebody waits")
	}
	send(esp4(80))
	if !testnet.Readable(fds[0]) {
		t.Fatal("nobody was woken")
	}
	conn.Return()
	sleep(false) // there is something
	conn.Return()
	if asleep() {
		t.Error("whoever sends would wake a reader who is awake")
	}
	try(1)
	send(esp4(80))
	send(esp4(90))
	awaitDirect(t, d, 2)
	try(2)
	sleep(false) // it was busy: there may be more
	conn.Return()
	try(0)
	fds, closed := sleep(true), make(chan error)
	go func() { closed <- d.Close() }()
	testnet.ClosedWhileLent(t, d, fds, closed)
	if _, err := conn.TryReadBatch(msgs); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// awaitDirect waits until n datagrams that esp4 made, of 200 octets at most, are in the ring, and nobody writes to them any more.
func awaitDirect(t *testing.T, d *directReceiver, n uint64) {
	t.Helper()
	const record = (ringHeader + recordHeader + directSmall + 7) &^ 7
	from := atomic.LoadUint64(position(d.from))
	there := func(at uint64) bool {
		return atomic.LoadUint64(position(d.to)) >= at+record && atomic.LoadUint32(word(d.to[os.Getpagesize():][at&d.mask:]))&ringBusy == 0
	}
	for i := range n {
		for !there(from + i*record) {
			if t.Context().Err() != nil {
				t.FailNow()
			}
			runtime.Gosched()
		}
	}
}
