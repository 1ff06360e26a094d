package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// goipsec is goipsec up in both hosts, as a user runs it: a policy file, a pre-shared key, IKE.
type goipsec struct{ program string }

const policyText = `policy: bench
listen: {addresses: [%[1]s]}
rules:
  - name: bench
    filters: [%[3]s -> %[4]s]
    tunnel: {local: %[1]s, remote: %[2]s}
    encapsulation: udp
    negotiate: {methods: [esp aes-gcm-16-128]}
    auth: [{psk_file: peer.key}]
`

func (g *goipsec) about(_ context.Context, p *Peer) (err error) {
	if g.program == "" {
		if g.program, err = os.Executable(); err != nil {
			return err
		}
	}
	if g.program, err = filepath.Abs(g.program); err != nil {
		return err
	}
	p.Version, p.Protects = "the program that measured", "ESP tunnel in UDP, AES-128-GCM, keys by IKEv1"
	if v := buildOf(g.program); v != "" {
		p.Version = v
	}
	return nil
}

func (g *goipsec) start(ctx context.Context, l *lab) (tunnel, error) {
	key := "0x" + fmt.Sprintf("%x", random(32))
	t := &goipsecTunnel{program: g.program, socket: filepath.Join(l.dir, "a.sock"), host: l.a}
	for _, end := range []struct {
		name              string
		host              *host
		local, remote     netip.Addr
		localNet, peerNet netip.Prefix
	}{{"a", l.a, outerA, outerB, networkA, networkB}, {"b", l.b, outerB, outerA, networkB, networkA}} {
		dir := filepath.Join(l.dir, "goipsec-"+end.name)
		policy := fmt.Sprintf(policyText, end.local, end.remote, end.localNet, end.peerNet)
		if err := write(dir, map[string]string{"policy.yaml": policy, "peer.key": key}); err != nil {
			return nil, err
		}
		p, err := end.host.start("goipsec up", []string{g.program, "up", "-c", filepath.Join(dir, "policy.yaml"), "--socket", filepath.Join(l.dir, end.name+".sock")})
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

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

type goipsecTunnel struct {
	inner
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

func (t *goipsecTunnel) protected(ctx context.Context, bytes uint64) error {
	s, err := t.status(ctx)
	if err != nil {
		return err
	}
	return judge(s, bytes)
}

// judge holds a status against what the run claims: so many bytes sealed with AES-128-GCM in UDP, none in clear.
func judge(s endpoint.Status, bytes uint64) error {
	if len(s.Children) == 0 {
		return fmt.Errorf("goipsec has no SA after the measurement; its failures: %s", failures(s))
	}
	for _, c := range s.Children {
		if c.Encap != "udp" || len(c.Protocols) != 1 || !strings.HasPrefix(c.Protocols[0].Encr, "aes-gcm-16") || c.Protocols[0].KeyBits != 128 {
			return fmt.Errorf("goipsec agreed on other methods than asked: %s %+v", c.Encap, c.Protocols)
		}
	}
	if s.Traffic.SealedBytes < bytes || s.Traffic.Permitted > 0 {
		return fmt.Errorf("goipsec sealed %d bytes and let %d packets pass in clear, but %d bytes arrived: not all went through the tunnel",
			s.Traffic.SealedBytes, s.Traffic.Permitted, bytes)
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
