package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Echoes that are counted. The program ping ends early once it has one answer, so a peer that is late, as a kernel in user mode on
// a busy machine is, looks like a lost packet; and it does not say whether it repeated itself. Here one request is under way at a
// time, its answer has seconds to come, and every request that was sent is told: the caller compares that number with what both
// ends counted, so neither a loss nor a repetition can hide.

const (
	echoPatience = 3 * time.Second // for one answer
	echoTries    = 5               // requests until one is answered
)

// Echo has the host ask an address for n echoes, one after the other, and returns how many requests it sent: n, and one more for
// each answer that took longer than three seconds. It fails the test when five requests in a row are not answered.
func (h *Host) Echo(from, to string, n int) (sent uint64) {
	h.lab.t.Helper()
	sent, err := h.TryEcho(from, to, n)
	if err != nil {
		h.lab.t.Fatal(err)
	}
	return sent
}

// TryEcho is Echo that returns an error and does not fail.
func (h *Host) TryEcho(from, to string, n int) (sent uint64, err error) {
	e := &echoer{from: netip.MustParseAddr(from), to: netip.MustParseAddr(to)}
	if err := h.inside(e.open); err != nil {
		return 0, fmt.Errorf("an ICMP socket on %s of %s: %w", from, h.Name, err)
	}
	defer unix.Close(e.fd)
	for range n {
		before := e.sequence
		for !e.ask() {
			if e.sequence-before == echoTries {
				return uint64(e.sequence), fmt.Errorf("%d echo requests from %s to %s in a row have no answer", echoTries, from, to)
			}
		}
	}
	return uint64(e.sequence), nil
}

type echoer struct {
	from, to netip.Addr
	fd       int
	id       uint16
	sequence uint16
}

var echoIDs atomic.Uint32 // given out, so that two echoes at once tell their answers apart

func (e *echoer) open() (err error) {
	e.id = uint16(0x4000 + echoIDs.Add(1))
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if e.from.Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	if e.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol); err != nil {
		return err
	}
	if err = unix.Bind(e.fd, sockaddr(e.from)); err != nil {
		unix.Close(e.fd)
	}
	return err
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16()}
}

// ask sends one request and waits for an answer, be it to an earlier request of this call. A request that the host does not let
// out (EPERM, ENETUNREACH and the like) was not sent, but counts as one: the caller will miss it.
func (e *echoer) ask() bool {
	e.sequence++
	unix.Sendto(e.fd, e.request(), 0, sockaddr(e.to))
	watch := StartWatch()
	for {
		left := echoPatience - watch.Elapsed()
		if left <= 0 {
			return false
		}
		unix.Poll([]unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		buffer := make([]byte, 2048)
		n, sender, err := unix.Recvfrom(e.fd, buffer, 0)
		if err != nil {
			continue
		}
		if _, ok := e.answer(buffer[:n], sender); ok {
			return true
		}
	}
}

// EchoData is in every request, and must come back.
const EchoData = "goipsec asks for an echo of these sixty-four bytes, all of them."

func (e *echoer) request() []byte {
	m := make([]byte, 8, 8+len(EchoData))
	m[0] = 8
	if e.from.Is6() {
		m[0] = 128 // the kernel fills in the checksum of ICMPv6
	}
	binary.BigEndian.PutUint16(m[4:], e.id)
	binary.BigEndian.PutUint16(m[6:], e.sequence)
	m = append(m, EchoData...)
	if e.from.Is4() {
		sum := uint32(0)
		for i := 0; i < len(m); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(m[i:]))
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
	}
	return m
}

// answer reads what the socket gave, and returns the number of the request that it answers.
func (e *echoer) answer(m []byte, sender unix.Sockaddr) (sequence uint16, ok bool) {
	want := byte(129)
	switch s := sender.(type) {
	case *unix.SockaddrInet4:
		if len(m) < 20 || netip.AddrFrom4(s.Addr) != e.to {
			return 0, false
		}
		m, want = m[min(int(m[0]&15)*4, len(m)):], 0 // such a socket gives the IP header too
	case *unix.SockaddrInet6:
		if netip.AddrFrom16(s.Addr) != e.to {
			return 0, false
		}
	}
	if len(m) < 8 || m[0] != want || binary.BigEndian.Uint16(m[4:]) != e.id || string(m[8:]) != EchoData {
		return 0, false
	}
	return binary.BigEndian.Uint16(m[6:]), true
}

// Echo has the kernel ask each of some addresses for an echo, and returns how many requests it sent to each. An address that
// answers none of five is in the error.
func (k *Kernel) Echo(to []string) (map[string]uint64, error) {
	k.lab.t.Helper()
	text := k.Run(fmt.Sprintf(`for to in %s; do
		n=0; answered=no
		while [ $n -lt %d ] && [ $answered = no ]; do
			n=$((n+1)); ping -n -q -c 1 -W %d $to >/dev/null && answered=yes
		done
		echo $to $n $answered
	done`, strings.Join(to, " "), echoTries, int(echoPatience.Seconds())))
	sent := make(map[string]uint64)
	var silent []string
	for line := range strings.Lines(text) {
		var address, answered string
		var n uint64
		if _, err := fmt.Sscan(line, &address, &n, &answered); err != nil {
			return nil, fmt.Errorf("the kernel's echo printed %q", line)
		}
		if sent[address] = n; answered != "yes" {
			silent = append(silent, address)
		}
	}
	if len(sent) != len(to) {
		return sent, fmt.Errorf("the kernel asked %d addresses of %d", len(sent), len(to))
	}
	if len(silent) > 0 {
		return sent, fmt.Errorf("no answer to the kernel from %s", strings.Join(silent, ", "))
	}
	return sent, nil
}
