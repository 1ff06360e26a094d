package tun

import (
	"fmt"
	"os"
	"sync"
)

// pipeBatch is how many datagrams a Pipe moves at most in one call, pipeQueue how many wait in each direction.
const (
	pipeBatch = 128
	pipeQueue = 1024
)

// Host is the far side of a Pipe: what the operating system's network stack would be behind a real device. Its methods may be
// used by any number of goroutines.
type Host struct {
	toDevice, fromDevice chan []byte
	done                 chan struct{}
}

// pipe is the device side.
type pipe struct {
	host   *Host
	mtu    int
	events chan Event
	once   sync.Once
}

// Pipe returns a device in memory and the host behind it. What the host sends, the device reads; what is written to the device,
// the host receives. mtu, in octets, is only reported: oversized datagrams pass, as they may on a real device.
func Pipe(mtu int) (Device, *Host) {
	h := &Host{toDevice: make(chan []byte, pipeQueue), fromDevice: make(chan []byte, pipeQueue), done: make(chan struct{})}
	p := &pipe{host: h, mtu: mtu, events: make(chan Event, 4)}
	p.events <- EventUp
	return newMonitored(p), h
}

// Send queues a copy of one datagram for the device's reader. It blocks while the queue is full, and reports os.ErrClosed once the
// device is closed. Anything may be sent, garbage and empty datagrams too.
func (h *Host) Send(datagram []byte) error {
	select {
	case <-h.done:
		return os.ErrClosed
	default:
	}
	select {
	case h.toDevice <- append([]byte{}, datagram...):
		return nil
	case <-h.done:
		return os.ErrClosed
	}
}

// Receive waits for the next datagram that was written to the device. After the device was closed it still gives what was written
// before, then os.ErrClosed.
func (h *Host) Receive() ([]byte, error) {
	select {
	case d := <-h.fromDevice:
		return d, nil
	case <-h.done:
		if d, ok := h.TryReceive(); ok {
			return d, nil
		}
		return nil, os.ErrClosed
	}
}

// TryReceive is Receive without waiting.
func (h *Host) TryReceive() (datagram []byte, ok bool) {
	select {
	case d := <-h.fromDevice:
		return d, true
	default:
		return nil, false
	}
}

func (p *pipe) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	select {
	case <-p.host.done:
		return 0, os.ErrClosed
	default:
	}
	var first []byte
	select {
	case first = <-p.host.toDevice:
	case <-p.host.done:
		return 0, os.ErrClosed
	}
	n := 0
	for d := first; ; {
		if len(d) > len(bufs[n])-offset {
			return n, fmt.Errorf("a datagram of %d octets does not fit a buffer of %d", len(d), len(bufs[n])-offset)
		}
		sizes[n] = copy(bufs[n][offset:], d)
		n++
		if n == len(bufs) || n == pipeBatch {
			return n, nil
		}
		select {
		case d = <-p.host.toDevice:
		default:
			return n, nil
		}
	}
}

// Write drops what the host's full queue has no room for, as a real device does.
func (p *pipe) Write(bufs [][]byte, offset int) (int, error) {
	if offset < Headroom {
		return 0, fmt.Errorf("a write to a TUN device needs %d octets of headroom, not %d", Headroom, offset)
	}
	for i, b := range bufs {
		select {
		case <-p.host.done:
			return i, os.ErrClosed
		default:
		}
		select {
		case p.host.fromDevice <- append([]byte{}, b[offset:]...):
		default:
		}
	}
	return len(bufs), nil
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.host.done); close(p.events) })
	return nil
}

func (p *pipe) File() *os.File        { return nil }
func (p *pipe) MTU() (int, error)     { return p.mtu, nil }
func (p *pipe) Name() (string, error) { return "pipe", nil }
func (p *pipe) Events() <-chan Event  { return p.events }
func (p *pipe) BatchSize() int        { return pipeBatch }
