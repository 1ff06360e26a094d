package sa_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/sa"
)

// RFC 4301 §5.2: the SA's own selectors.
func TestD9Fits(t *testing.T) {
	in := func(s string) classifier.Range {
		return classifier.Range{From: netip.MustParseAddr(s), To: netip.MustParseAddr(s)}
	}
	_, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{Selector: classifier.Filter{Src: in("10.2.0.1"), Dst: in("10.1.0.1"), Proto: 17}})
	k := packet.Key{Src: netip.MustParseAddr("10.2.0.1"), Dst: netip.MustParseAddr("10.1.0.1"), Proto: 17, Flags: packet.ProtoKnown}
	if !i.Fits(&k) {
		t.Error("a packet of the SA does not fit")
	}
	for _, change := range []func(*packet.Key){
		func(k *packet.Key) { k.Src = netip.MustParseAddr("10.2.0.2") },
		func(k *packet.Key) { k.Dst = netip.MustParseAddr("10.1.0.2") },
		func(k *packet.Key) { k.Proto = 6 },
		func(k *packet.Key) { k.Src, k.Dst = k.Dst, k.Src },
		func(k *packet.Key) { k.Flags = 0 },
	} {
		wrong := k
		change(&wrong)
		if i.Fits(&wrong) {
			t.Errorf("%+v fits", wrong)
		}
	}
	if _, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{}); i.Fits(&k) {
		t.Error("an SA without selectors takes everything")
	}
}

// D13: a path MTU only falls, not below the floor, and is forgotten after ten minutes (RFC 4301 §8.2.2).
func TestD13PathMTU(t *testing.T) {
	four, six := netip.MustParseAddrPort("192.0.2.2:4500"), netip.MustParseAddrPort("[2001:db8::2]:4500")
	for _, r := range []struct {
		peer  netip.AddrPort
		floor int
	}{{four, 576}, {six, 1280}} {
		o, _ := ends(t, sa.OutboundConfig{Remote: r.peer}, sa.InboundConfig{})
		now := birth
		step := func(mtu int, changed bool, want int) {
			t.Helper()
			if got := o.SetPMTU(now, mtu); got != changed || o.PMTU(now) != want {
				t.Errorf("%v: %d changed %v, MTU %d; want %v, %d", r.peer, mtu, got, o.PMTU(now), changed, want)
			}
		}
		if o.PMTU(now) != 0 {
			t.Error("an MTU from nowhere")
		}
		step(1400, true, 1400)
		step(1400, false, 1400)
		step(9000, false, 1400)
		step(1300, true, 1300)
		step(-5, true, r.floor)
		step(0, false, r.floor)
		now = now.Add(10*time.Minute - 1)
		step(1500, false, r.floor)
		now = now.Add(1)
		if o.PMTU(now) != 0 {
			t.Error("the MTU did not age")
		}
		step(1500, true, 1500)
	}
}

// D13: a message that quotes a sequence number we did not send lately is forged.
func TestD13Sent(t *testing.T) {
	o, _ := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 1<<32 - 5}, sa.InboundConfig{})
	skip(t, o, 10)
	for low, want := range map[uint32]bool{1<<32 - 5: false, 1<<32 - 4: true, 0: true, 5: true, 6: false, 1 << 31: false} {
		if o.Sent(low) != want {
			t.Errorf("%d: %v", low, !want)
		}
	}
	skip(t, o, 70000)
	if o.Sent(5) || !o.Sent(70005) || !o.Sent(70005-65535) || o.Sent(70005-65536) {
		t.Error("old numbers count as lately sent")
	}
	fresh, _ := ends(t, sa.OutboundConfig{}, sa.InboundConfig{})
	if fresh.Sent(0) || fresh.Sent(1) {
		t.Error("an unused SA sent something")
	}
}

// D16: the peer's end moves when told to.
func TestD16Remote(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.2:4500"), netip.MustParseAddrPort("192.0.2.2:1024")
	o, i := ends(t, sa.OutboundConfig{Remote: a}, sa.InboundConfig{Remote: a})
	if o.Remote() != a || i.Remote() != a {
		t.Error("the peer is not where it began")
	}
	o.SetRemote(b)
	i.SetRemote(b)
	if o.Remote() != b || i.Remote() != b || o.Config().Remote != a || i.Config().Remote != a {
		t.Error("the peer did not move")
	}
}
