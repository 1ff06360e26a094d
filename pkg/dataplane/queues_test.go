package dataplane

import (
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/tun"
)

// Which of its sockets a datagram comes to is the system's choice: IKE is told of wherever it comes, and the end of a plane is that of all its sockets.
func TestIKEIsReadFromEverySocket(t *testing.T) {
	at, queue := netip.MustParseAddrPort("192.0.2.1:4500"), netip.MustParseAddrPort("192.0.2.1:4501")
	wire := netio.NewWire(netio.WireConfig{}, time.Time{})
	peer := wire.Attach(netip.MustParseAddrPort("192.0.2.2:4500"))
	dev, _ := tun.Pipe(1400)
	control := make(chan Datagram, 4)
	p, end := run(t, dev, []Socket{{Conn: wire.Attach(at), Marker: true, Queues: []netio.Conn{wire.Attach(queue)}}}, make(chan Event, 4), control)
	msg := append(make([]byte, 4), 1, 2, 3, 4, 5)
	for _, to := range []netip.AddrPort{at, queue} {
		if _, err := peer.WriteBatch([]netio.Message{{Buf: msg, N: len(msg), Remote: to}}); err != nil {
			t.Fatal(err)
		}
		if d := <-control; d.Local != to || len(d.Data) != 5 {
			t.Errorf("%v", d)
		}
	}
	if err := p.SendIKE(Datagram{Local: at, Remote: peer.LocalAddr(), Data: msg}); err != nil {
		t.Error(err)
	}
	got := make([]netio.Message, 1)
	got[0].Buf = make([]byte, 100)
	if _, err := peer.ReadBatch(got); err != nil || got[0].Remote != at {
		t.Errorf("IKE left by %v: %v", got[0].Remote, err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}
