package handshake

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// usage is what a number of negotiations took.
type usage struct {
	rate   float64 // a second
	cpu    float64 // microseconds of processor time of the whole process, each; 0 where the system does not tell
	allocs float64 // objects on the heap, each
	bytes  float64 // of these objects, each
}

// meter measures between start and stop.
type meter struct {
	began          time.Time
	cpu            time.Duration
	objects, bytes uint64
}

// start begins a measurement, with the garbage of what was before out of the way.
func start() meter {
	runtime.GC()
	m := meter{}
	m.objects, m.bytes = allocated()
	m.cpu, m.began = processorTime(), time.Now()
	return m
}

// stop ends it, after n negotiations.
func (m meter) stop(n int) usage {
	took, cpu := time.Since(m.began), processorTime()-m.cpu
	objects, bytes := allocated()
	each := func(v float64) float64 { return v / float64(n) }
	return usage{rate: float64(n) / took.Seconds(), cpu: each(float64(cpu) / float64(time.Microsecond)),
		allocs: each(float64(objects - m.objects)), bytes: each(float64(bytes - m.bytes))}
}

// allocated counts the objects and bytes that were ever allocated on the heap.
func allocated() (objects, bytes uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}
