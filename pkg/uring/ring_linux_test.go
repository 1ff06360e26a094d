package uring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func ring(t *testing.T, size uint32) *Ring {
	t.Helper()
	r, err := New(size)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// pipe gives a pipe whose ends do not block.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p[0], p[1]
}

// results enters, waits for n results and gives them by number.
func results(t *testing.T, r *Ring, n int) map[uint64]int32 {
	t.Helper()
	if err := r.Enter(n); err != nil {
		t.Fatal(err)
	}
	m := map[uint64]int32{}
	for res, ok := r.Next(); ok; res, ok = r.Next() {
		m[res.ID] = res.N
	}
	if len(m) != n {
		t.Fatalf("%d results, not %d", len(m), n)
	}
	return m
}

func TestManyWritesAndReadsForOneEnter(t *testing.T) {
	r := ring(t, 8)
	in, out := pipe(t)
	var pieces [][]unix.Iovec
	for round := range 5 { // around the ring more than once
		want := []byte{}
		pieces = pieces[:0]
		for i := range r.Size() {
			a, b := []byte{byte(round)}, []byte{byte(i), 1}
			v := []unix.Iovec{{Base: &a[0]}, {Base: &b[0]}}
			v[0].SetLen(1)
			v[1].SetLen(2)
			pieces = append(pieces, v)
			want = append(append(want, a...), b...)
		}
		for i, v := range pieces {
			r.TryWritev(out, v, uint64(i))
		}
		if r.Room() != 0 {
			t.Error("there is room for", r.Room())
		}
		runtime.GC()
		for id, n := range results(t, r, r.Size()) {
			if n != 3 {
				t.Errorf("write %d: %d", id, n)
			}
		}
		got := make([]byte, len(want))
		for i := range r.Size() {
			r.TryRead(in, got[3*i:3*i+3], uint64(i))
		}
		for id, n := range results(t, r, r.Size()) {
			if n != 3 {
				t.Errorf("read %d: %d", id, n)
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("read %v, not %v", got, want)
		}
	}
}

func TestTryReadOfNothingFailsAndReadWaits(t *testing.T) {
	r := ring(t, 4)
	in, out := pipe(t)
	buf := make([]byte, 8)
	r.TryRead(in, buf, 1)
	if m := results(t, r, 1); m[1] != -int32(unix.EAGAIN) {
		t.Errorf("a read of nothing: %d", m[1])
	}
	r.Read(in, buf, 2)
	if err := r.Enter(0); err != nil || r.Ready() != 0 {
		t.Fatal("a read of nothing has a result:", err)
	}
	done := make(chan error)
	go func() {
		_, err := unix.Write(out, []byte("now"))
		done <- err
	}()
	if m := results(t, r, 1); m[2] != 3 || string(buf[:3]) != "now" {
		t.Errorf("%d, %q", m[2], buf)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestACancelledReadIsOver(t *testing.T) {
	r := ring(t, 4)
	in, _ := pipe(t)
	r.Read(in, make([]byte, 8), 7)
	r.Cancel(7, 8)
	if m := results(t, r, 2); m[7] != -int32(unix.ECANCELED) || m[8] != 0 {
		t.Errorf("%v", m)
	}
	r.Cancel(7, 9)
	if m := results(t, r, 1); m[9] != -int32(unix.ENOENT) {
		t.Errorf("what is not there was cancelled: %v", m)
	}
}

func TestPollTellsOfAnEventfd(t *testing.T) {
	r := ring(t, 4)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	r.Poll(fd, unix.POLLIN, 5)
	if err := r.Enter(0); err != nil || r.Ready() != 0 {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, 1)); err != nil {
		t.Fatal(err)
	}
	if m := results(t, r, 1); m[5] != unix.POLLIN {
		t.Errorf("%v", m)
	}
}

func TestARequestToNobodyFailsForItself(t *testing.T) {
	r := ring(t, 4)
	in, out := pipe(t)
	if _, err := unix.Write(out, []byte("x")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	r.TryRead(-1, buf, 1)
	r.TryRead(in, buf, 2)
	if m := results(t, r, 2); m[1] != -int32(unix.EBADF) || m[2] != 1 {
		t.Errorf("%v", m)
	}
}

func TestMoreRequestsThanRoomPanic(t *testing.T) {
	r := ring(t, 1)
	r.Cancel(1, 1)
	defer func() {
		if recover() == nil {
			t.Error("a request was overwritten")
		}
	}()
	r.Cancel(1, 1)
}

func TestSizesThatCannotBe(t *testing.T) {
	for _, size := range []uint32{0, maxSize + 1} {
		if _, err := New(size); !errors.Is(err, syscall.EINVAL) || errors.Is(err, ErrUnavailable) {
			t.Error(size, err)
		}
	}
}

func TestNothingIsAllocatedForARequest(t *testing.T) {
	r := ring(t, 8)
	fd, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	buf := make([]byte, 8)
	if n := testing.AllocsPerRun(100, func() {
		r.TryRead(fd, buf, 1)
		if err := r.Enter(1); err != nil {
			t.Fatal(err)
		}
		r.Next()
	}); n > 0 {
		t.Error(n, "allocations")
	}
}
