package dataplane

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goipsec/goipsec/pkg/poll"
)

// Duty lets one thread serve several directions while little comes: those of a queue of the device, and the sockets that have its number. What is written to the
// device is often answered within the same system call, and the thread that wrote it then reads the answer, without another's being woken for it; and
// what it touches is still in its processor's caches.
//
// A direction whose batches are single datagrams with pauses between rests ([Turn.Rest]). The first that does is on duty: it waits for the files of
// all that rest, and reads and works off what comes, by the ordinary code of each direction. The others park. As soon as more comes, or a read fails, all go
// their own ways again, where each waits in its own read: throughput over sockets never meets a Duty.
//
// It does if the files of one are a [poll.Sleeper], whose waking is dear to those who send to it: then all rest at once, and one thread goes on until it has
// more to do than it can. With direct ESP, that spares an interrupt for the acknowledgements of each handful, and the change of threads that follows.
//
// It is made by NewDuty, safe for concurrent use, and closed when no direction runs any more.
type Duty struct {
	poller  *poll.Poller
	mu      sync.Mutex
	resting []*Turn
	onDuty  bool
	changed atomic.Bool // resting is not what the one on duty knows
	dear    atomic.Bool // waking one of those that rest is dear
	apart   time.Time   // until when all go their own ways, because there was too much for one thread
}

const (
	// calmPause is how long nothing came before a batch that counts as calm, and calmBatches is how many of them let a direction rest. The acknowledgements
	// of a busy flow, some 100 µs apart, are not calm: to rest between them and to be woken again cost four flows of TCP a tenth.
	calmPause   = 500 * time.Microsecond
	calmBatches = 8
	// hastyBatches in a row that are not calm are more.
	hastyBatches = 16
	// fullTime is how long there was always something to do for the one on duty before it counts as too much for one thread, if minorPart is what all
	// directions but one have of that time at least: 1/minorPart. The acknowledgements of a flow are less.
	fullTime  = 10 * time.Millisecond
	minorPart = 3
	// apartTime is how long all go their own ways after that, unless they are calm.
	apartTime = 100 * time.Millisecond
	// mostVain is how often in a row a file may be ready that has nothing, such as one with an error that only a read which waits tells.
	mostVain = 64
	// breakPause is how long nothing comes before a break is taken that is due: then nobody waits for the end of it. In the middle of an echo it
	// would cost a tenth of the round trip, because the scheduler wakes another thread to look for work.
	breakPause = 500 * time.Microsecond
)

// NewDuty makes a duty; nil, which nobody can join, where the system has none.
func NewDuty() *Duty {
	p, err := poll.New()
	if err != nil {
		return nil
	}
	return &Duty{poller: p}
}

// Close gives back what NewDuty took.
func (d *Duty) Close() {
	if d != nil {
		d.poller.Close()
	}
}

// Batch is what a direction tells of a batch.
type Batch struct {
	N      int  // packets or messages; 0: there was nothing
	Single bool // it was one datagram, and no more was joined in it
	Now    time.Time
}

// Turn is the part of one direction in a Duty. It belongs to the goroutine of the direction; a nil Turn never rests.
type Turn struct {
	duty  *Duty
	files poll.Files
	last  bool
	dear  bool
	try   func() (Batch, error)
	woken chan error // with the error of the read that ended the rest, if it was this direction's

	at    time.Time // of the last batch
	calm  int       // calm batches in a row
	hasty int       // others in a row, at rest

	spent time.Duration // on batches, at rest
}

// Join makes a direction that can rest. files are those that it reads, and try reads them without waiting and works off what it got. Answers says
// that they are read after those of other directions, because what these did may be answered there at once. If files is no [poll.Files] the result is nil.
func (d *Duty) Join(files any, answers bool, try func() (Batch, error)) *Turn {
	f, ok := files.(poll.Files)
	if d == nil || !ok {
		return nil
	}
	_, dear := files.(poll.Sleeper)
	return &Turn{duty: d, files: f, last: answers, dear: dear, try: try, woken: make(chan error, 1)}
}

// Calm takes a batch that the direction read by itself, and reports whether it is to rest.
func (t *Turn) Calm(b Batch) bool {
	if t == nil || b.N == 0 {
		return false
	}
	if t.calm++; !t.isCalm(b) {
		t.calm = 0
	}
	return t.calm >= calmBatches || (t.dear || t.duty.dear.Load()) && t.duty.together(b.Now)
}

// together reports whether one thread may try to serve all, however much comes.
func (d *Duty) together(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !now.Before(d.apart)
}

// isCalm judges a batch by what it is and by the pause before it.
func (t *Turn) isCalm(b Batch) bool {
	pause := b.Now.Sub(t.at)
	t.at = b.Now
	return b.Single && pause >= calmPause
}

// Rest returns when the direction has to read for itself again, with the error of the read that ended its rest, if one did. Meanwhile its try is called,
// by this goroutine or by another's that is on duty.
func (t *Turn) Rest() error {
	d := t.duty
	t.calm, t.hasty = 0, 0
	d.mu.Lock()
	d.resting = append(d.resting, t)
	d.changed.Store(true)
	if t.dear {
		d.dear.Store(true)
	}
	if d.onDuty {
		d.mu.Unlock()
		d.poller.Kick()
		return <-t.woken
	}
	d.onDuty = true
	d.mu.Unlock()
	who, err := d.serve()
	d.mu.Lock()
	list := d.resting
	d.resting, d.onDuty = nil, false
	d.dear.Store(false)
	d.mu.Unlock()
	var own error
	for _, r := range list {
		var its error
		if r == who {
			its = err
		}
		if r == t {
			own = its
		} else {
			r.woken <- its
		}
	}
	return own
}

// serve works for all that rest, until there is too much for one thread or a read fails. It returns whose read that was, if one was.
func (d *Duty) serve() (who *Turn, err error) {
	var (
		list  []*Turn
		files []poll.Files
		ready []bool
		stint Stint
		now   time.Time
		read  bool // something came, and more may be there by now
		stays bool // when more comes
		vain  int
		load  load
	)
	for {
		if d.changed.Swap(false) {
			d.mu.Lock()
			list, stays = append(list[:0], d.resting...), d.dear.Load()
			d.mu.Unlock()
			files = files[:0]
			for _, t := range list {
				files = append(files, t.files)
			}
			ready = make([]bool, len(list))
		}
		over := false
		if read && stays {
			for i := range ready {
				ready[i] = true
			}
		} else {
			limit := time.Duration(0)
			if stint.due(now) {
				limit = breakPause
			}
			load.turn = nil
			if over, err = d.poller.Wait(files, ready, limit); err != nil {
				return nil, nil // each waits for itself
			}
		}
		if over || stint.overdue(now) {
			runtime.Gosched()
			stint.since = now
		}
		read = false
		for _, answers := range [...]bool{false, true} {
			for i, t := range list {
				if t.last != answers || !ready[i] && !(answers && read) {
					continue
				}
				b, err := t.try()
				if err != nil {
					return t, err
				}
				if b.N > 0 {
					read, now = true, b.Now
					if !stays && t.grew(b) {
						return nil, nil
					}
					if stays && load.tooMuch(list, t, now) {
						d.mu.Lock()
						d.apart = now.Add(apartTime)
						d.mu.Unlock()
						return nil, nil
					}
				}
			}
		}
		switch {
		case read || over:
			vain = 0
		default:
			if vain++; vain > mostVain {
				return nil, nil
			}
		}
	}
}

// load is how the time of whoever is on duty is spent while there is always something to do.
type load struct {
	since, at time.Time // the first batch, and the last
	turn      *Turn     // whose the last is; nil: there was nothing to do
}

// tooMuch takes a batch of one of the directions in list and reports whether another thread should share the work.
func (l *load) tooMuch(list []*Turn, t *Turn, now time.Time) bool {
	if l.turn != nil {
		l.turn.spent += now.Sub(l.at)
	}
	first := l.turn == nil
	l.turn, l.at = t, now
	all := now.Sub(l.since)
	if !first && all < fullTime {
		return false
	}
	most := time.Duration(0)
	for _, t := range list {
		most = max(most, t.spent)
		t.spent = 0
	}
	l.since = now
	return !first && (all-most)*minorPart >= all
}

// grew reports whether a batch says that more comes.
func (t *Turn) grew(b Batch) bool {
	switch {
	case t.isCalm(b):
		t.hasty = 0
	case b.Single:
		t.hasty++
	default:
		return true
	}
	return t.hasty >= hastyBatches
}
