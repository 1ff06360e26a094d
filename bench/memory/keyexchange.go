package memory

import (
	"context"
	"runtime"
	"time"

	"github.com/goipsec/goipsec/bench/handshake"
)

// kept is what an IKE SA with one SA pair costs in an engine, in bytes.
type kept struct {
	initiator, responder float64
	// fresh is the mean of both roles right after the negotiation.
	fresh float64
}

// forgotten is when a finished exchange no longer answers duplicates, and some.
const forgotten = 2 * time.Minute

// keyExchange measures the engines of n negotiations.
func keyExchange(ctx context.Context, n int) (k kept, err error) {
	before := heap()
	h, err := handshake.Hold(ctx, n)
	if err != nil {
		return k, err
	}
	each := func(a, b uint64) float64 { return (float64(b) - float64(a)) / float64(n) }
	k.fresh = each(before, heap()) / 2
	if err := h.Wait(forgotten); err != nil {
		return k, err
	}
	both := heap()
	h.Responder = nil
	one := heap()
	k.responder, k.initiator = each(one, both), each(before, one)
	runtime.KeepAlive(h)
	return k, nil
}
