package handshake

import (
	"context"
	"errors"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// pair is an initiator and a responder in one goroutine.
type pair [2]*end

func newPair(x exchange) (p pair, err error) {
	for i := range p {
		if p[i], err = newEnd(x, i == 0, spis(), 0, 0); err != nil {
			return p, err
		}
	}
	return p, nil
}

// negotiate makes the SAs of the n-th peer, and returns when neither end has anything to say.
func (p pair) negotiate(now time.Time, n int) error {
	p[0].begin(now, n)
	return p.settle(now)
}

// settle carries datagrams to and fro until there are none.
func (p pair) settle(now time.Time) error {
	for again := true; again; {
		again = false
		for i, e := range p {
			far := p[1-i].engine
			err := e.drain(func(d isakmp.Datagram) {
				again = true
				far.Receive(now, isakmp.Datagram{Local: d.Remote, Remote: d.Local, Data: d.Data})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// share is how many of n are the i-th's among so many.
func share(n, i, among int) int { return n*(i+1)/among - n*i/among }

// inMemory makes n negotiations with so many pairs of engines at a time.
func inMemory(pairs int) func(ctx context.Context, x exchange, n int) (usage, error) {
	return func(ctx context.Context, x exchange, n int) (usage, error) {
		list := make([]pair, pairs)
		for i := range list {
			var err error
			if list[i], err = newPair(x); err != nil {
				return usage{}, err
			}
		}
		ended := make(chan error, pairs)
		m := start()
		for i, p := range list {
			go func() {
				var err error
				for k := 0; k < share(n, i, pairs) && err == nil; k++ {
					if err = ctx.Err(); err == nil {
						err = p.negotiate(time.Now(), k)
					}
				}
				ended <- err
			}()
		}
		var err error
		for range list {
			err = errors.Join(err, <-ended)
		}
		used := m.stop(n)
		if err != nil {
			return usage{}, err
		}
		for i, p := range list {
			if err := verify(p[0], p[1], share(n, i, pairs)); err != nil {
				return usage{}, err
			}
		}
		return used, nil
	}
}
