package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// Options are the sizes of a run. The zero value is what the command uses.
type Options struct {
	// Bytes moved over TCP in each direction; 0: 4 MiB.
	Bytes int
	// Pings; 0: 5.
	Pings int
	// Progress, if set, is told each step as it begins.
	Progress func(step string)
}

// Report is what a run found. OK is the whole verdict.
type Report struct {
	SchemaVersion int  `json:"schema_version"`
	OK            bool `json:"ok"`
	// Pings are the round-trip times in microseconds.
	Pings []int64 `json:"ping_microseconds"`
	// Moved is the number of bytes that arrived and were what was sent, both directions together, in Seconds.
	Moved   int     `json:"moved_bytes"`
	Seconds float64 `json:"seconds"`
	// Rekeys are the quick-mode and main-mode SAs that took over from others under load.
	QuickModeRekeys int `json:"quick_mode_rekeys"`
	MainModeRekeys  int `json:"main_mode_rekeys"`
	// Wire is what was seen between the two ends; NullWire what a run with ESP-NULL showed, which must not be clean.
	Wire     Wire `json:"wire"`
	NullWire Wire `json:"null_wire"`
	// A and B are the two ends' status before they were stopped.
	A endpoint.Status `json:"a"`
	B endpoint.Status `json:"b"`
}

// SchemaVersion is that of a Report in JSON.
const SchemaVersion = 1

const defaultMethods = "esp aes-gcm-16-128"
const nullMethods = "esp null hmac-sha256-128"

// Run moves the traffic and judges it. The error says what failed; the Report is filled as far as the run came.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Bytes == 0 {
		o.Bytes = 4 << 20
	}
	if o.Pings == 0 {
		o.Pings = 5
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	r := Report{SchemaVersion: SchemaVersion}
	if err := r.protected(ctx, o); err != nil {
		return r, err
	}
	if !r.Wire.Clean() {
		return r, fmt.Errorf("the wire was not clean: %v", r.Wire)
	}
	if err := r.selfCheck(ctx, o); err != nil {
		return r, err
	}
	r.OK = true
	return r, nil
}

// protected is the main run.
func (r *Report) protected(ctx context.Context, o Options) error {
	w, err := newWorld(ctx, defaultMethods)
	if err != nil {
		return err
	}
	o.Progress("two endpoints run; the first ping starts main mode and quick mode")
	err = r.traffic(ctx, w, o)
	r.A, r.B = w.a.Status(), w.b.Status()
	err = errors.Join(err, w.stop())
	r.Wire = w.wire.count()
	return err
}

func (r *Report) traffic(ctx context.Context, w *world, o Options) error {
	if err := w.a.Connect(ctx, "to-b"); err != nil {
		return fmt.Errorf("the two ends did not come to an agreement: %w", err)
	}
	for range o.Pings {
		rtt, err := w.ping(ctx)
		if err != nil {
			return err
		}
		r.Pings = append(r.Pings, rtt.Microseconds())
	}
	o.Progress(fmt.Sprintf("%d pings were answered; moving %d bytes over TCP each way, with new keys meanwhile", o.Pings, o.Bytes))
	start := time.Now()
	moved, err := w.transfer(ctx, o.Bytes, func() error { return r.rekey(w) })
	r.Moved, r.Seconds = moved, time.Since(start).Seconds()
	return err
}

// rekey asks for new keys of both phases, from one end each.
func (r *Report) rekey(w *world) error {
	for _, c := range w.a.Status().Children {
		if c.State == "installed" {
			if err := w.a.Rekey(strconv.FormatUint(c.ID, 10)); err != nil {
				return fmt.Errorf("quick-mode rekey: %w", err)
			}
			r.QuickModeRekeys++
			break
		}
	}
	peers := w.b.Status().Peers
	if len(peers) == 0 {
		return errors.New("main-mode rekey: there is no main-mode SA")
	}
	if err := w.b.Rekey(strconv.FormatUint(peers[0].ID, 10)); err != nil {
		return fmt.Errorf("main-mode rekey: %w", err)
	}
	r.MainModeRekeys++
	return nil
}

// selfCheck runs a little traffic under ESP-NULL: the judgement of the wire must find it.
func (r *Report) selfCheck(ctx context.Context, o Options) error {
	o.Progress("self-check: the same with ESP-NULL, which the check of the wire must find")
	w, err := newWorld(ctx, nullMethods)
	if err != nil {
		return err
	}
	_, err = w.transfer(ctx, 64<<10, nil)
	err = errors.Join(err, w.stop())
	r.NullWire = w.wire.count()
	if err != nil {
		return fmt.Errorf("self-check: %w", err)
	}
	if r.NullWire.Leaks == 0 {
		return errors.New("self-check: ESP-NULL hides nothing, and yet no clear text was found on the wire: the check is worth nothing")
	}
	return nil
}

// freshKey is a pre-shared key for one run.
func freshKey() (string, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}
