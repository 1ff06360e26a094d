package memory

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

var (
	here = netip.MustParseAddrPort("192.0.2.1:4500")
	// the peers and the networks behind them, the n-th of each
	there  = func(n int) netip.AddrPort { return netip.AddrPortFrom(numbered(172, n), 4500) }
	behind = func(n int) classifier.Filter {
		return classifier.Filter{Src: classifier.RangeOf(netip.MustParsePrefix("192.168.0.0/24")), Dst: classifier.HostRange(numbered(10, n))}
	}
)

func numbered(net byte, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{net, byte(n >> 16), byte(n >> 8), byte(n)})
}

// mtu is that of the outer path.
const mtu = 1500

// owner holds SA pairs as an endpoint does.
type owner struct {
	protection
	plane   *dataplane.Plane
	filters []*policy.QuickModeFilter
	db      *sa.DB
}

// newOwner makes a data plane with a tunnel filter for each of n pairs. The table of inbound SAs is yet to be made.
func newOwner(p protection, n int) (*owner, error) {
	o := &owner{protection: p, filters: make([]*policy.QuickModeFilter, n)}
	for i := range o.filters {
		rule := &policy.Rule{Name: "bench", Action: policy.FilterAction{Kind: policy.Negotiate}, Tunnel: &policy.Tunnel{Local: here.Addr(), Remote: there(i).Addr()}}
		o.filters[i] = &policy.QuickModeFilter{ID: strconv.Itoa(i), Filter: behind(i), Action: policy.Negotiate, Rule: rule}
	}
	device, _ := tun.Pipe(mtu)
	var err error
	o.plane, err = dataplane.New(dataplane.Config{TUN: device, DB: sa.NewDB(rand.Reader, 2), Clock: time.Now, Events: make(chan dataplane.Event, 1),
		Control: make(chan dataplane.Datagram, 1), Rand: rand.Reader, MTU: mtu})
	if err != nil {
		return nil, err
	}
	o.plane.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: o.filters})
	return o, nil
}

// build makes the pairs and puts them into use.
func (o *owner) build(ctx context.Context) (any, error) {
	o.db = sa.NewDB(rand.Reader, len(o.filters))
	for i := range o.filters {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := o.pair(i); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// pair makes the i-th pair of SAs, as the endpoint makes those of a child. Both have one SPI and one key, so that what the one seals the other opens.
func (o *owner) pair(i int) error {
	spi, err := o.db.Reserve()
	if err != nil {
		return err
	}
	// The slices of one negotiation: they are the key exchange's and are not counted here.
	keymat, integKey := random(o.encr.KeyMatLen(o.bits)), random(o.integ.KeyMatLen())
	seal, err := esp.NewSealer(o.encr, keymat, o.integ, integKey, spi, false, rand.Reader)
	if err != nil {
		return err
	}
	open, err := esp.NewOpener(o.encr, keymat, o.integ, integKey, spi, false)
	if err != nil {
		return err
	}
	f, now, id := o.filters[i], time.Now(), uint64(i+1)
	life := sa.Limits(policy.DefaultSeconds, 0, o.encr, false, 0.5)
	out := sa.NewOutbound(sa.OutboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Sealer: seal, Local: here, Remote: there(i), Lifetime: life}, now)
	in := sa.NewInbound(sa.InboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Opener: open, Local: here, Remote: there(i), Lifetime: life,
		Selector: f.Filter.Mirror(), ID: id}, now)
	if err := o.db.Install(in); err != nil {
		return err
	}
	bundle := &dataplane.Bundle{Mode: suite.Tunnel, MTU: mtu, Child: id, ESP: out, Outer: out.Config()}
	if !o.plane.Install(f.ID, dataplane.Pair{}, bundle) {
		return fmt.Errorf("memory: SA pair %d was not installed", i)
	}
	return o.try(out, spi)
}

var payload = []byte("a payload of no particular length")

// try sends a packet through a pair.
func (o *owner) try(out *sa.Outbound, spi uint32) error {
	seal := out.Config().Sealer
	pkt := make([]byte, seal.SealedLen(len(payload)))
	copy(pkt[seal.Head():], payload)
	out.Lock()
	err := out.Seal(pkt, 0, len(payload), 4)
	out.Unlock()
	if err != nil {
		return err
	}
	in := o.db.Lookup(spi, suite.ESP)
	if in == nil {
		return errors.New("memory: an SA is not in the table")
	}
	off, n, next, _, err := in.Open(pkt, 0, time.Now())
	if err != nil {
		return err
	}
	if next != 4 || !bytes.Equal(pkt[off:off+n], payload) {
		return errors.New("memory: a packet came out changed")
	}
	return nil
}

// bares makes what n pairs need of the standard library.
func (p protection) bares(n int) (any, error) {
	list := make([]any, 2*n)
	key := random(64)
	for i := range list {
		var err error
		if list[i], err = p.bare(key); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
