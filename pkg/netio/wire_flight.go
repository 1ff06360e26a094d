package netio

import (
	"container/heap"
	"net/netip"
	"time"
)

// flight is a datagram on its way.
type flight struct {
	arrives time.Time
	order   uint64 // of departure, for equal times
	to      netip.AddrPort
	from    netip.AddrPort
	tos     uint8
	data    []byte
}

// flights is a heap by time of arrival.
type flights []*flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	if f[i].arrives.Equal(f[j].arrives) {
		return f[i].order < f[j].order
	}
	return f[i].arrives.Before(f[j].arrives)
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(*flight)) }
func (f *flights) Pop() any {
	old := *f
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*f = old[:len(old)-1]
	return x
}

// send decides the fate of one datagram. The lock is held.
func (w *Wire) send(from, to netip.AddrPort, tos uint8, data []byte) {
	w.captured = append(w.captured, Datagram{At: w.now, From: from, To: to, TOS: tos, Data: append([]byte(nil), data...)})
	seen := &w.captured[len(w.captured)-1]
	d := *seen
	d.Data = append([]byte(nil), data...)
	if w.tamper != nil && !w.tamper(&d) || w.chance(w.cfg.Loss) {
		return
	}
	if w.chance(w.cfg.Corrupt) && len(d.Data) > 0 {
		d.Data[w.rand.IntN(len(d.Data))] ^= 1 << w.rand.IntN(8)
	}
	copies := 1
	if w.chance(w.cfg.Dup) {
		copies = 2
	}
	seen.Delivered = copies
	late := w.chance(w.cfg.Reorder)
	if _, waiting := w.held[to]; late && !waiting {
		w.held[to] = w.depart(d)
		copies--
		late = true
	} else {
		late = false
	}
	for range copies {
		heap.Push(&w.flights, w.depart(d))
	}
	if !late {
		w.release(to) // the held one comes after this one
	}
}

func (w *Wire) depart(d Datagram) *flight {
	w.order++
	arrives := w.now.Add(w.cfg.Delay)
	if w.cfg.Jitter > 0 {
		arrives = arrives.Add(time.Duration(w.rand.Int64N(int64(w.cfg.Jitter))))
	}
	return &flight{arrives: arrives, order: w.order, to: d.To, from: d.From, tos: d.TOS, data: append([]byte(nil), d.Data...)}
}

// release puts the datagram that is held back for to, if any, behind all others that are on their way to it.
func (w *Wire) release(to netip.AddrPort) {
	f, ok := w.held[to]
	if !ok {
		return
	}
	delete(w.held, to)
	for _, other := range w.flights {
		if other.to == to && other.arrives.After(f.arrives) {
			f.arrives = other.arrives
		}
	}
	w.order++
	f.order = w.order
	heap.Push(&w.flights, f)
}

// chance draws only if p says so, so that a setting of zero does not change the run of the others.
func (w *Wire) chance(p float64) bool { return p > 0 && w.rand.Float64() < p }

// deliverDue hands over what has arrived by now. The lock is held.
func (w *Wire) deliverDue() {
	for len(w.flights) > 0 && !w.flights[0].arrives.After(w.now) {
		f := heap.Pop(&w.flights).(*flight)
		end := w.ends[f.to]
		if end == nil || end.closed || len(end.queue) >= w.cfg.Queue {
			continue
		}
		end.queue = append(end.queue, f)
		end.ready.Signal()
	}
}
