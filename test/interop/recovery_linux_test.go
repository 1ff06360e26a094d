package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// TestKilledPeerComesBack ends one endpoint by SIGKILL under traffic. Until it is started again nothing of the traffic may be on
// the wire in clear, from either side; then DPD must notice, and the traffic must flow again.
func TestKilledPeerComesBack(t *testing.T) {
	l := lab.New(t)
	a, b := l.Pair()
	dpd := ownCase{more: "    dpd: {interval: 2s, timeout: 6s}\n"}
	ga, gb := l.Goipsec(a, dpd.policy(1, 2)), l.Goipsec(b, dpd.policy(2, 1))
	answered := func() (bool, string) { return a.Ping("10.1.0.2", 1) == 1, fmt.Sprintf("%+v", ga.Status().Failures) }
	l.Until(limit, "an answer", answered)
	capture := a.Capture("eth0")
	gb.Kill()
	l.Never(3*time.Second, "a clear packet after one side was killed", func() (bool, string) {
		a.Try("ping -n -c 2 -i 0.1 -W 0.2 10.1.0.2")
		b.Try("ping -n -c 2 -i 0.1 -W 0.2 10.1.0.1")
		seen := lab.Clear(capture.Frames())
		return seen != "", seen
	})
	gb.Restart()
	watch := lab.StartWatch()
	l.Until(time.Minute, "an answer after the restart", answered)
	t.Logf("traffic flows again %v after the restart", watch.Elapsed().Round(100*time.Millisecond))
	l.NoClear(capture.Stop())
}
