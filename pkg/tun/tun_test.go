package tun

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

func buffers(n, size int) (bufs [][]byte, sizes []int) {
	for range n {
		bufs = append(bufs, make([]byte, size))
	}
	return bufs, make([]int, n)
}

func TestPipeMovesBatchesBothWays(t *testing.T) {
	d, h := Pipe(1400)
	defer d.Close()
	for i := range 5 {
		if err := h.Send([]byte{byte(i), 1, 2}); err != nil {
			t.Fatal(err)
		}
	}
	bufs, sizes := buffers(3, Headroom+100)
	for want, got := 0, 0; got < 5; {
		n, err := d.Read(bufs, sizes, Headroom)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		for i := range n {
			if b := bufs[i][Headroom:][:sizes[i]]; len(b) != 3 || b[0] != byte(want) {
				t.Errorf("datagram %d is %v", want, b)
			}
			want++
		}
		got += n
	}
	out := append(make([]byte, Headroom), "abc"...)
	if n, err := d.Write([][]byte{out, out[:Headroom]}, Headroom); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	out[Headroom] = 'X' // the device must have taken a copy
	for _, want := range []string{"abc", ""} {
		if b, err := h.Receive(); string(b) != want || err != nil {
			t.Errorf("%q %v", b, err)
		}
	}
	if _, ok := h.TryReceive(); ok {
		t.Error("something came from nothing")
	}
	if mtu, _ := d.MTU(); mtu != 1400 || d.BatchSize() < 2 || d.File() != nil {
		t.Error(mtu, d.BatchSize())
	}
	if name, err := d.Name(); name == "" || err != nil {
		t.Error(name, err)
	}
	if ev := <-d.Events(); ev != EventUp {
		t.Error(ev)
	}
}

func TestD19GarbageAndEmptyDatagramsReachTheReader(t *testing.T) {
	d, h := Pipe(1400)
	defer d.Close()
	for _, b := range [][]byte{{}, {0xff}, make([]byte, 3000)} {
		if err := h.Send(b); err != nil {
			t.Fatal(err)
		}
		bufs, sizes := buffers(1, 4000)
		if n, err := d.Read(bufs, sizes, 0); n != 1 || err != nil || sizes[0] != len(b) {
			t.Error(n, err, sizes)
		}
	}
	if err := h.Send(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	bufs, sizes := buffers(1, 4000)
	if _, err := d.Read(bufs, sizes, 0); err == nil || Diagnose(err) != Temporary {
		t.Error("a datagram without room:", err)
	}
}

func TestPipeClose(t *testing.T) {
	d, h := Pipe(1400)
	done := make(chan error)
	go func() {
		bufs, sizes := buffers(1, 100)
		_, err := d.Read(bufs, sizes, 0)
		done <- err
	}()
	if _, err := d.Write([][]byte{make([]byte, Headroom+1)}, Headroom); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) || Diagnose(err) != Closed {
		t.Error(err)
	}
	if _, err := h.Receive(); err != nil {
		t.Error("what was written before is lost:", err)
	}
	if _, err := h.Receive(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := h.Send([]byte{1}); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := d.Write([][]byte{make([]byte, Headroom+1)}, Headroom); Diagnose(err) != Closed {
		t.Error(err)
	}
	bufs, sizes := buffers(1, 100)
	if _, err := d.Read(bufs, sizes, 0); Diagnose(err) != Closed {
		t.Error(err)
	}
	for range d.Events() { // is closed
	}
}

func TestPipeDropsWhenTheHostDoesNotRead(t *testing.T) {
	d, h := Pipe(1400)
	defer d.Close()
	b := make([]byte, Headroom+1)
	for range pipeQueue + 10 {
		if n, err := d.Write([][]byte{b}, Headroom); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	n := 0
	for _, ok := h.TryReceive(); ok; _, ok = h.TryReceive() {
		n++
	}
	if n != pipeQueue {
		t.Error(n)
	}
	if _, err := d.Write([][]byte{b}, Headroom-1); err == nil {
		t.Error("a write without headroom passed")
	}
}

func TestNetstackEndsWork(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("10.1.1.1"), netip.MustParseAddr("fd01::1")}
	d, stack, err := NewNetstack(addrs, nil, 1400)
	if err != nil {
		t.Fatal(err)
	}
	c, err := stack.DialUDPAddrPort(netip.AddrPort{}, netip.MustParseAddrPort("10.1.1.2:9"))
	if err != nil {
		t.Fatal(err)
	}
	go c.Write([]byte("hello")) // waits for the reader
	bufs, sizes := buffers(1, 2000)
	n, err := d.Read(bufs, sizes, Headroom)
	if n != 1 || err != nil || sizes[0] != 20+8+5 || bufs[0][Headroom] != 0x45 {
		t.Error(n, err, sizes)
	}
	// Writers that nobody reads from must not make Close panic or hang.
	for range 20 {
		go c.Write([]byte("more"))
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Read(bufs, sizes, Headroom); Diagnose(err) != Closed {
		t.Error(err)
	}
	if _, _, err := NewNetstack(addrs, nil, 20); err == nil {
		t.Error("an MTU of 20 passed")
	}
}

func TestDiagnose(t *testing.T) {
	for err, want := range map[error]Condition{
		os.ErrClosed: Closed, fmt.Errorf("read: %w", os.ErrClosed): Closed, ErrGone: Gone, syscall.EIO: Temporary, errors.New("other"): Temporary,
	} {
		if got := Diagnose(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}

func ExamplePipe() {
	device, host := Pipe(1400)
	defer device.Close()
	_ = host.Send([]byte("a datagram of the host"))
	bufs, sizes := [][]byte{make([]byte, Headroom+1400)}, make([]int, 1)
	n, _ := device.Read(bufs, sizes, Headroom)
	fmt.Printf("%d: %s\n", n, bufs[0][Headroom:][:sizes[0]])
	// Output: 1: a datagram of the host
}
