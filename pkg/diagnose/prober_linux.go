package diagnose

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
)

// rawProber speaks from IKE's own port although a running endpoint holds it: what goes out is a whole datagram of a raw socket that carries the endpoint's mark,
// and what comes in is read where it arrives, before the guard of a policy that protects everything could drop it.
type rawProber struct {
	local, remote netip.AddrPort
	out           netio.Conn
	in            *os.File
}

func openProber(local, remote netip.AddrPort, mark uint32) (prober, error) {
	in, err := listenPackets(local.Addr().Is4())
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return openPortableProber(remote)
	}
	if err != nil {
		return nil, err
	}
	out, err := netio.OpenClear(netio.Options{Mark: mark, Buffer: 1 << 16})
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return &rawProber{local: local, remote: remote, out: out, in: in}, nil
}

// listenPackets opens a packet socket that gets copies of the IP datagrams of one family that arrive, without their link headers.
func listenPackets(is4 bool) (*os.File, error) {
	proto := uint16(unix.ETH_P_IPV6)
	if is4 {
		proto = unix.ETH_P_IP
	}
	be := proto<<8 | proto>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(be))
	if err != nil {
		return nil, fmt.Errorf("a packet socket is needed to hear the answers: %w", err)
	}
	if err := attach(fd, is4); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "packets"), nil
}

// attach has the kernel pass on UDP and ICMP only, so that a busy host's other traffic does not fill the socket.
func attach(fd int, is4 bool) error {
	at, icmp := uint32(6), uint32(unix.IPPROTO_ICMPV6)
	if is4 {
		at, icmp = 9, unix.IPPROTO_ICMP
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: at},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: icmp},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.IPPROTO_UDP},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0x40000},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

func (r *rawProber) close() {
	r.in.Close()
	r.out.Close()
}

func (r *rawProber) send(payload []byte) error {
	o := packet.Outer{Src: r.local.Addr(), Dst: r.remote.Addr(), Proto: unix.IPPROTO_UDP, TTL: 64}
	at := o.Len()
	pkt := make([]byte, at+8+len(payload))
	o.Put(pkt, len(pkt))
	udp := pkt[at:]
	binary.BigEndian.PutUint16(udp, r.local.Port())
	binary.BigEndian.PutUint16(udp[2:], r.remote.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	udp[6], udp[7] = 0xff, 0xff // any but "none was sent", until it is computed
	copy(udp[8:], payload)
	var h packet.Header
	if err := h.Parse(pkt); err != nil {
		return err
	}
	packet.FixTransportChecksum(pkt, &h)
	_, err := r.out.WriteBatch([]netio.Message{{Buf: pkt, N: len(pkt), Fragment: true}})
	return err
}

func (r *rawProber) next(deadline time.Time, mine func([]byte) (string, bool)) (heard, error) {
	if err := r.in.SetReadDeadline(deadline); err != nil {
		return heard{}, err
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := r.in.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return heard{}, nil
		}
		if err != nil {
			return heard{}, err
		}
		if h := r.judge(buf[:n], mine); h.kind != heardNothing {
			return h, nil
		}
	}
}

// judge says what a datagram that arrived has to do with the probe.
func (r *rawProber) judge(pkt []byte, mine func([]byte) (string, bool)) heard {
	var h packet.Header
	if h.Parse(pkt) != nil || h.Key.Flags&packet.PortsKnown == 0 {
		return heard{}
	}
	body := pkt[h.UpperOffset:h.TotalLen]
	if h.Key.Proto == unix.IPPROTO_UDP {
		if h.Key.Src != r.remote.Addr() || len(body) < 8 {
			return heard{}
		}
		if text, ok := mine(body[8:]); ok {
			return heard{kind: heardIKE, from: h.Key.Src, text: text}
		}
		return heard{}
	}
	if len(body) < 8 || !unreachable(h.Version == 4, body[0]) {
		return heard{}
	}
	q, ok := packet.ParseQuote(body[8:])
	if !ok || q.Key.Src != r.local.Addr() || q.Key.Dst != r.remote.Addr() || q.Key.Proto != unix.IPPROTO_UDP || q.Key.SrcPort != r.local.Port() || q.Key.DstPort != r.remote.Port() {
		return heard{}
	}
	return icmpSays(h.Version == 4, body[1], h.Key.Src, r.remote.Addr())
}

func unreachable(is4 bool, kind byte) bool { return is4 && kind == 3 || !is4 && kind == 1 }

// icmpSays reads the code of an ICMP "unreachable" (RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3.1).
func icmpSays(is4 bool, code byte, from, remote netip.Addr) heard {
	h := heard{kind: heardUnreachable, from: from}
	if is4 && code == 3 || !is4 && code == 4 {
		if from == remote {
			h.kind = heardClosed
		}
		h.text = "port unreachable"
		return h
	}
	texts := map[byte]string{0: "there is no route to the peer's network", 1: "the peer cannot be reached", 9: "passing this on is prohibited", 10: "passing this on is prohibited",
		13: "a filter refuses to pass this on"}
	if !is4 {
		texts = map[byte]string{0: "there is no route to the peer", 1: "a filter refuses to pass this on", 3: "the peer cannot be reached", 5: "a filter refuses this source address"}
	}
	h.text = first(texts[code], "unreachable")
	return h
}

// isUnreachable reports whether sending failed because the peer's link address could not be found, which the next round may find.
func isUnreachable(err error) bool { return errors.Is(err, unix.EHOSTUNREACH) }
