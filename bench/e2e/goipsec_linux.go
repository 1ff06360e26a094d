package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// goipsec is goipsec up in both hosts, as a user runs it: a policy file, a pre-shared key, IKE.
type goipsec struct {
	program string
	variant
}

// variant is what the peers that are goipsec differ in.
type variant struct {
	says          string
	encapsulation string   // as the policy file has it
	encap         string   // as the status has it
	encr          string   // prefix of the algorithm in the status
	bits          int      // as there; 0 where it has one length only
	manual        bool     // keys by hand and not by IKE
	flags         []string // of goipsec up
}

var variants = map[string]variant{
	"goipsec":         {"ESP tunnel in UDP, AES-128-GCM, keys by IKEv1", "udp", "udp", "aes-gcm-16", 128, false, nil},
	"goipsec-queues":  {"ESP tunnel in UDP, two queues (--queues 2), AES-128-GCM, keys by IKEv1", "udp", "udp", "aes-gcm-16", 128, false, []string{"--queues", "2"}},
	"goipsec-raw":     {"ESP tunnel as protocol 50 past the network stack (--direct-esp), AES-128-GCM, keys by IKEv1", "auto", "ip", "aes-gcm-16", 128, false, []string{"--direct-esp"}},
	"goipsec-sockets": {"ESP tunnel as protocol 50 by raw sockets, AES-128-GCM, keys by IKEv1", "auto", "ip", "aes-gcm-16", 128, false, nil},
	"goipsec-chacha":  {"ESP tunnel in UDP, ChaCha20-Poly1305, manual keys for a test", "udp", "udp", "chacha20-poly1305", 0, true, nil},
}

// direct says that ESP moves past the host's network stack.
func (v variant) direct() bool { return slices.Contains(v.flags, "--direct-esp") }

const policyText = `policy: bench
listen: {addresses: [%[1]s]}
rules:
  - name: bench
    filters: [%[3]s -> %[4]s]
    tunnel: {local: %[1]s, remote: %[2]s}
    encapsulation: %[5]s
`

const byIKE = `    negotiate: {methods: [esp aes-gcm-16-128]}
    auth: [{psk_file: peer.key}]
`

// byHand are the keys and SPIs of one end. The nonces of a test lab protect nothing that could be given away.
const byHand = `    test_only: true
    manual:
      method: esp chacha20-poly1305
      spi_in: %d
      spi_out: %d
      encryption_key_in: {file: in.key}
      encryption_key_out: {file: out.key}
`

func (g *goipsec) about(_ context.Context, p *Peer) (err error) {
	if g.program, err = toolsOf(g.program); err != nil {
		return err
	}
	p.Version, p.Protects = "the program that measured", g.says
	if v := buildOf(g.program); v != "" {
		p.Version = v
	}
	return nil
}

func (g *goipsec) start(ctx context.Context, l *lab) (tunnel, error) {
	psk, ab, ba := random(32), random(36), random(36) // a key of ChaCha20-Poly1305 and its salt have 36 bytes
	t := &goipsecTunnel{program: g.program, variant: g.variant, socket: filepath.Join(l.dir, "a.sock"), host: l.a}
	for _, end := range []struct {
		name              string
		host              *host
		local, remote     netip.Addr
		localNet, peerNet netip.Prefix
		in, out           string
		spiIn, spiOut     int
	}{{"a", l.a, outerA, outerB, networkA, networkB, ba, ab, 4097, 4098}, {"b", l.b, outerB, outerA, networkB, networkA, ab, ba, 4098, 4097}} {
		dir := filepath.Join(l.dir, "goipsec-"+end.name)
		policy := fmt.Sprintf(policyText, end.local, end.remote, end.localNet, end.peerNet, g.encapsulation)
		if g.manual {
			policy += fmt.Sprintf(byHand, end.spiIn, end.spiOut)
		} else {
			policy += byIKE
		}
		if err := write(dir, map[string]string{"policy.yaml": policy, "peer.key": psk, "in.key": end.in, "out.key": end.out}); err != nil {
			return nil, err
		}
		p, err := end.host.start("goipsec up", append([]string{g.program, "up", "-c", filepath.Join(dir, "policy.yaml"), "--socket", filepath.Join(l.dir, end.name+".sock")}, g.flags...))
		if err != nil {
			return nil, err
		}
		if err := p.expect(ctx, "msg=up ", 20*time.Second); err != nil {
			return nil, err
		}
	}
	status, err := t.status(ctx)
	if err != nil {
		return nil, err
	}
	t.name = status.TUN.Name
	return t, nil
}

// write makes a directory with files that only we may read.
func write(dir string, files map[string]string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// random returns n bytes of key as key files have them.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return fmt.Sprintf("0x%x", b)
}

type goipsecTunnel struct {
	inner
	variant
	program, socket, name string
	host                  *host
}

func (t *goipsecTunnel) device() string { return t.name }

func (t *goipsecTunnel) status(ctx context.Context) (s endpoint.Status, err error) {
	text, err := t.host.output(ctx, "goipsec status", t.program, "status", "--json", "--socket", t.socket)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

func (t *goipsecTunnel) protected(ctx context.Context) (uint64, error) {
	s, err := t.status(ctx)
	if err != nil {
		return 0, err
	}
	return s.Traffic.SealedBytes, t.judge(s)
}

// judge holds a status against what the run claims: SAs of the variant and of no other kind, and nothing in clear.
func (v variant) judge(s endpoint.Status) error {
	if len(s.Children) == 0 {
		return fmt.Errorf("goipsec has no SA after the measurement; its failures: %s", failures(s))
	}
	for _, c := range s.Children {
		if c.Encap != v.encap || c.Manual != v.manual || len(c.Protocols) != 1 || !strings.HasPrefix(c.Protocols[0].Encr, v.encr) || c.Protocols[0].KeyBits != v.bits {
			return fmt.Errorf("goipsec has other SAs than asked: %s, manual %v, %+v", c.Encap, c.Manual, c.Protocols)
		}
	}
	if (s.Direct != nil) != v.direct() || v.direct() && s.Direct.Sent+s.Direct.Received == 0 {
		return fmt.Errorf("goipsec moved ESP otherwise than asked: past the network stack %v, %+v", v.direct(), s.Direct)
	}
	if s.Traffic.Permitted > 0 {
		return fmt.Errorf("goipsec let %d packets pass in clear", s.Traffic.Permitted)
	}
	return nil
}

func failures(s endpoint.Status) string {
	var list []string
	for _, f := range s.Failures {
		list = append(list, f.What+": "+f.Why)
	}
	return strings.Join(list, "; ")
}
