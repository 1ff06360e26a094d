package memory

import "runtime"

// heap is how many bytes of the heap are in use: all that can be reached, and no garbage.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what a pool or a finalizer held over the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// grown is what build adds to the heap while its result is held, in bytes for each of n.
func grown(n int, build func() (kept any, err error)) (float64, error) {
	before := heap()
	kept, err := build()
	if err != nil {
		return 0, err
	}
	after := heap()
	runtime.KeepAlive(kept)
	return (float64(after) - float64(before)) / float64(n), nil
}
