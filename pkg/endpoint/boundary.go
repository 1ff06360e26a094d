package endpoint

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// boundary, deferred in what reads a stranger's bytes beside the loop, catches a fault, as the key exchange's own boundary does: it is counted and logged, and instead says what comes of it, which is always a no.
// Without it one peer's certificate could end the process, and with it everybody's protection.
func (e *Endpoint) boundary(what string, instead func()) {
	r := recover()
	if r == nil {
		return
	}
	instead()
	stack := string(debug.Stack())
	_ = e.do(func(now time.Time) { // an endpoint that has ended counts nothing
		e.tally.faults++
		e.logs.log(e.log, now, slog.LevelError, "a fault while "+what+" was looked at; it is refused; please report it", "fault", fmt.Sprint(r), "stack", stack)
	})
}
