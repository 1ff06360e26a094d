package tun

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testnet"
)

// echoRequests are from 10.5.0.2 to 10.5.0.1.
func echoRequests(n int) []Packet {
	out := packetRoom(n)
	for i := range out {
		q := &out[i]
		q.N = copy(q.Buf[q.Off:], datagram(false, unix.IPPROTO_ICMP, 36))
		b := q.Bytes()
		copy(b[12:], []byte{10, 5, 0, 2, 10, 5, 0, 1})
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], packet.Checksum(b[:20]))
		clear(b[20:])
		b[20], b[27] = 8, byte(i)
		binary.BigEndian.PutUint16(b[22:], packet.Checksum(b[20:]))
	}
	return out
}

// spoilRings puts another file in the place of each ring of this process, so that the next request fails.
func spoilRings(t *testing.T) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	spoiled := 0
	for _, f := range list {
		if to, _ := os.Readlink("/proc/self/fd/" + f.Name()); to != "anon_inode:[io_uring]" {
			continue
		}
		fd, _ := strconv.Atoi(f.Name())
		if err := unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		spoiled++
	}
	if spoiled == 0 {
		t.Skip("there is no io_uring here")
	}
}

func TestF9ARingThatFailsInUseIsGivenUpAndNoPacketIsWrittenTwice(t *testing.T) {
	testnet.NeedTUN(t)
	d, err := CreateWith("tun7", 1400, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDevice(t, d, "tun7")
	testnet.AddAddrs(t, "tun7", []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")})
	p, out, in := PacketsOf(d), echoRequests(4), packetRoom(8)
	// What the kernel refuses as a superpacket is cut and written again; not if nobody knows whether it was refused.
	out[3].N, out[3].Segment = copy(out[3].Buf[out[3].Off:], datagram(false, unix.IPPROTO_UDP, 32)), 16
	spoilRings(t)
	if err := p.WritePackets(out); !errors.Is(err, errRing) {
		t.Error("a write by a ring that is spoiled:", err)
	}
	for i := range out {
		if !out[i].Failed {
			t.Errorf("packet %d was not written, but does not say so", i)
		}
	}
	out = echoRequests(3)
	if err := p.WritePackets(out); err != nil {
		t.Error("without the ring:", err)
	}
	failures := 0
	for replies := 0; replies < len(out); {
		n, err := p.ReadPackets(in)
		if err != nil {
			if failures++; failures > 1 || !errors.Is(err, errRing) {
				t.Fatal("a read after the ring failed:", err)
			}
		}
		for i := range n {
			if b := in[i].Bytes(); b[0] == 0x45 && b[9] == unix.IPPROTO_ICMP {
				if b[27] != byte(replies) {
					t.Errorf("reply %d is to request %d", replies, b[27])
				}
				replies++
			}
		}
	}
}
