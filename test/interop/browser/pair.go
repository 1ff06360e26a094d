package browser

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/tun"
)

// Pair is two endpoints in this process, joined by a wire in memory, with SAs between them, traffic, and a peer that does not answer: something for every view.
type Pair struct {
	A, B  *endpoint.Endpoint
	host  *tun.Host // of A
	other *tun.Host // of B
	ended chan error
}

const (
	outerA, outerB = "192.0.2.1", "192.0.2.2"
	innerA, innerB = "10.1.0.1", "10.2.0.1"
	throwAway      = `{psk: "a throw-away key for tests only, 0123456789"}`
)

// Hostile is a name that a policy may give a rule: were it not escaped, it would be markup.
const Hostile = `<img src=x onerror=alert(1)>`

func policyA() string {
	return fmt.Sprintf(`policy: branch-office
description: The branch at the lake, and its way to headquarters
key_exchange: {lifetime: 4h, quick_modes: 0}
filter_actions:
  strong: {methods: [esp aes-gcm-16-256, esp aes-cbc-256 hmac-sha256-128], pfs: curve25519, lifetime: {seconds: 1800}}
  historic: {methods: [esp 3des sha1], lifetime: {seconds: 3600, kilobytes: 100000}}
rules:
  - name: to-headquarters
    filters: [10.1.0.0/24 -> 10.2.0.0/24]
    tunnel: {local: %[1]s, remote: %[2]s}
    encapsulation: udp
    action: strong
    auth: [%[3]s]
  - name: old-printer
    filters: [me <-> 192.0.2.77 tcp any 9100]
    action: historic
    auth: [%[3]s]
  - name: gone-away
    filters: [me <-> 192.0.2.99]
    negotiate: {}
    auth: [%[3]s]
  - name: %[4]q
    filters: [me <-> 198.51.100.0/24 tcp any 443, me <-> 2001:db8:7::/48]
    action: permit
  - name: reject-the-rest
    filters: [any -> me tcp 135, any -> me udp 137-139]
    action: block
`, outerA, outerB, throwAway, Hostile)
}

func policyB() string {
	return fmt.Sprintf(`policy: headquarters
rules:
  - name: to-branch
    filters: [10.2.0.0/24 -> 10.1.0.0/24]
    tunnel: {local: %[2]s, remote: %[1]s}
    encapsulation: udp
    negotiate: {methods: [esp aes-gcm-16-256], pfs: curve25519}
    auth: [%[3]s]
`, outerA, outerB, throwAway)
}

// Start runs a Pair until ctx ends and brings up its tunnel.
func Start(ctx context.Context) (*Pair, error) {
	p := &Pair{ended: make(chan error, 2)}
	wire := netio.NewWire(netio.WireConfig{}, time.Time{})
	var err error
	if p.A, p.host, err = p.start(ctx, wire, outerA, innerA, policyA()); err != nil {
		return nil, err
	}
	if p.B, p.other, err = p.start(ctx, wire, outerB, innerB, policyB()); err != nil {
		return nil, err
	}
	return p, p.A.Connect(ctx, "to-headquarters")
}

func (p *Pair) start(ctx context.Context, wire *netio.Wire, outer, inner, text string) (*endpoint.Endpoint, *tun.Host, error) {
	load := func() (*endpoint.PolicyFile, error) {
		f, err := config.Parse("policy.yaml", []byte(text), config.Options{})
		if err != nil {
			return nil, err
		}
		return &endpoint.PolicyFile{Policies: f.Policies, Assigned: f.Assigned}, nil
	}
	f, err := load()
	if err != nil {
		return nil, nil, err
	}
	device, host := tun.Pipe(1400)
	addr := netip.MustParseAddr(outer)
	e, err := endpoint.New(endpoint.Options{Policy: f.Assigned, Load: load, Instance: "lab", ConfigPath: "policy.yaml", Version: "test",
		Parts: &endpoint.Parts{Device: device, Addresses: []netip.Addr{addr, netip.MustParseAddr(inner)}, UDP: []dataplane.Socket{
			{Conn: wire.Attach(netip.AddrPortFrom(addr, 500))}, {Conn: wire.Attach(netip.AddrPortFrom(addr, 4500)), Marker: true}}}})
	if err != nil {
		return nil, nil, err
	}
	go func() { p.ended <- e.Run(ctx) }()
	return e, host, nil
}

// Carry sends one datagram through the tunnel and waits until it has come out.
func (p *Pair) Carry() error {
	if err := p.host.Send(datagram(innerA, innerB)); err != nil {
		return err
	}
	_, err := p.other.Receive()
	return err
}

// Wait returns when both endpoints have ended.
func (p *Pair) Wait() error { return errors.Join(<-p.ended, <-p.ended) }

// datagram is a UDP datagram of some size.
func datagram(src, dst string) []byte {
	payload := []byte(strings.Repeat("some traffic ", 40))
	o := packet.Outer{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Proto: 17, TTL: 64, DF: true}
	b := make([]byte, o.Len()+8+len(payload))
	o.Put(b, len(b))
	u := b[o.Len():]
	binary.BigEndian.PutUint16(u, 4000)
	binary.BigEndian.PutUint16(u[2:], 4001)
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	copy(u[8:], payload)
	var h packet.Header
	if h.Parse(b) == nil {
		packet.FixTransportChecksum(b, &h)
	}
	return b
}
