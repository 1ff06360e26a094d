package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// wireguard is wireguard-go, built from the module proxy at a fixed version.
type wireguard struct{ module, version, cache, program string }

func (w *wireguard) about(ctx context.Context, p *Peer) (err error) {
	if w.program, err = install(ctx, w.cache, w.module, w.version); err != nil {
		return err
	}
	p.Version, p.Protects = buildOf(w.program), "WireGuard, ChaCha20-Poly1305"
	return nil
}

const wgDevice = "wg0"

func (w *wireguard) start(ctx context.Context, l *lab) (tunnel, error) {
	a, err := newWGEnd(outerA)
	if err != nil {
		return nil, err
	}
	b, err := newWGEnd(outerB)
	if err != nil {
		return nil, err
	}
	for _, end := range []struct {
		host       *host
		own, other wgEnd
		peerNet    netip.Prefix
		source     netip.Addr
	}{{l.a, a, b, networkB, innerA}, {l.b, b, a, networkA, innerB}} {
		p, err := end.host.start("wireguard-go", []string{w.program, "-f", wgDevice}, "LOG_LEVEL=error")
		if err != nil {
			return nil, err
		}
		if err := wgReady(ctx, end.host, p); err != nil {
			return nil, err
		}
		if _, err := wgAsk(ctx, end.host, end.own.wgSet(end.other, end.peerNet)); err != nil {
			return nil, fmt.Errorf("wireguard-go: %w", err)
		}
		if err := end.host.route(wgDevice, end.peerNet, end.source); err != nil {
			return nil, err
		}
	}
	return &wgTunnel{host: l.a}, nil
}

// wgSocket is where the program of a host listens: /var/run is /run inside.
func wgSocket(h *host) string { return filepath.Join(h.run, "wireguard", wgDevice+".sock") }

// wgReady waits until the program answers.
func wgReady(ctx context.Context, h *host, p *process) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := wgAsk(ctx, h, wgGet)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("wireguard-go ended; it printed:\n%s", p.log)
		default:
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("wireguard-go does not answer: %w; it printed:\n%s", err, p.log)
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// wgAsk sends one request to the program of a host.
func wgAsk(ctx context.Context, h *host, request string) (map[string]string, error) {
	if _, err := os.Stat(wgSocket(h)); err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", wgSocket(h))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		return nil, err
	}
	return wgAnswer(c)
}

type wgTunnel struct {
	inner
	host *host
}

func (t *wgTunnel) device() string { return wgDevice }

func (t *wgTunnel) protected(ctx context.Context) (uint64, error) {
	values, err := wgAsk(ctx, t.host, wgGet)
	if err != nil {
		return 0, fmt.Errorf("wireguard-go: %w", err)
	}
	return number(values, "tx_bytes")
}
