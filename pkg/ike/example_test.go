package ike_test

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Two engines negotiate an SA pair; the loop in the middle is what sockets are for.
func Example() {
	addrs := [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	var engines [2]*ike.Engine
	var wanted *policy.QuickModeFilter
	for n := range engines {
		rule := &policy.Rule{Name: "each other", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: policy.DefaultMethods()},
			Auth: []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("throw-away, for an example only"))}},
			Filters: []policy.GenericFilter{{Src: policy.AddrSpec{Kind: policy.Me},
				Dst: policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(addrs[1-n])}, Mirrored: true}}}
		p, err := policy.Compile(&policy.Policy{Rules: []*policy.Rule{rule}, KeyExchange: policy.DefaultKeyExchange()}, addrs[n:n+1])
		if err != nil {
			fmt.Println(err)
			return
		}
		if n == 0 {
			wanted = p.Outbound[0]
		}
		spi := uint32(0x1000 * (n + 1))
		engines[n], err = ike.New(ike.Config{Rand: rand.Reader, Policy: p, NewSPI: func(suite.Protocol, int) (uint32, error) { spi++; return spi, nil }})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	engines[0].Acquire(now, wanted, packet.Key{Src: addrs[0], Dst: addrs[1]}, addrs[0], addrs[1])
	for again := true; again; {
		again = false
		for n, e := range engines {
			for ev, ok := e.Next(); ok; ev, ok = e.Next() {
				switch ev := ev.(type) {
				case isakmp.Transmit:
					again = true
					engines[1-n].Receive(now, isakmp.Datagram{Local: ev.Remote, Remote: ev.Local, Data: ev.Data})
				case isakmp.ChildUp:
					k := ev.Child.Protocols[0]
					fmt.Printf("host %d: in %x, out %x, %v\n", n, k.SPIIn, k.SPIOut, k.Encr.Name(k.KeyBits))
				}
			}
		}
	}
	// Output:
	// host 0: in 1001, out 2001, aes-gcm-16-128
	// host 1: in 2001, out 1001, aes-gcm-16-128
}
