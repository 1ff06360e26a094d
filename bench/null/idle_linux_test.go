package null

import (
	"context"
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testnet"
)

// echo is a request (RFC 792) from 10.9.0.2 to 10.9.0.1 as it comes in the tunnel.
func echo(seq uint16) []byte {
	o := packet.Outer{Src: netip.MustParseAddr("10.9.0.2"), Dst: netip.MustParseAddr("10.9.0.1"), Proto: 1, TTL: 64}
	b := make([]byte, front+20+64+back)
	inner := b[front : front+20+64]
	o.Put(inner, len(inner))
	icmp := inner[20:]
	icmp[0] = 8
	binary.BigEndian.PutUint16(icmp[6:], seq)
	binary.BigEndian.PutUint16(icmp[2:], packet.Checksum(icmp))
	return b
}

// pause lasts longer than it takes for a batch to be one of little traffic.
func pause() {
	for began := time.Now(); time.Since(began) < 700*time.Microsecond; {
		runtime.Gosched()
	}
}

// With a real device and real sockets the kernel answers echoes one by one, when both directions rest, and hundreds at once; each answer comes once and in its
// turn. At the end, in whatever state, nobody waits for a direction that rests.
func TestEchoesAtRestAndInCrowds(t *testing.T) {
	testnet.NeedTUN(t)
	lo := netip.MustParseAddr("127.0.0.1")
	for _, crowd := range []bool{false, true} {
		peer, err := netio.ListenUDP(netip.AddrPortFrom(lo, 4514), netio.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		ready, ended := make(chan bool), make(chan error, 1)
		o := Options{Device: "null9", MTU: 1435, Local: netip.AddrPortFrom(lo, 4513), Remote: peer.LocalAddr(), Ready: func(string) { close(ready) }}
		go func() { ended <- Run(ctx, o) }()
		<-ready
		link, err := netlink.LinkByName("null9")
		if err != nil {
			t.Fatal(err)
		}
		addr, _ := netlink.ParseAddr("10.9.0.1/24")
		if err := netlink.AddrAdd(link, addr); err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(link); err != nil {
			t.Fatal(err)
		}
		msgs := make([]netio.Message, 64)
		for i := range msgs {
			msgs[i].Buf = make([]byte, 1<<16)
		}
		sent, came := uint16(0), uint16(0)
		round := func(n int) {
			var list []netio.Message
			for range n {
				b := echo(sent)
				list = append(list, netio.Message{Buf: b, N: len(b), Remote: o.Local})
				sent++
			}
			if _, err := peer.WriteBatch(list); err != nil {
				t.Fatal(err)
			}
			for came < sent {
				got, err := peer.ReadBatch(msgs)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range msgs[:got] {
					data, segment := m.Bytes(), m.Segment
					if segment == 0 {
						segment = len(data)
					}
					for ; len(data) > 0; data = data[min(segment, len(data)):] {
						inner := data[front:min(segment, len(data))]
						if inner[9] != 1 { // what the system says of itself
							continue
						}
						if inner[20] != 0 || binary.BigEndian.Uint16(inner[26:]) != came {
							t.Fatalf("answer %d has number %d, type %d", came, binary.BigEndian.Uint16(inner[26:]), inner[20])
						}
						came++
					}
				}
			}
		}
		for range 40 {
			pause()
			round(1)
		}
		if crowd {
			for range 20 {
				round(100)
			}
			for range 20 {
				pause()
				round(1)
			}
			round(2)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		peer.Close()
		testnet.Gone(t, "null9")
	}
}
