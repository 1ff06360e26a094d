package endpoint

import (
	"context"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// atFault is a check of revocation that has a fault.
type atFault struct{}

func (atFault) Check(context.Context, time.Time, []*x509.Certificate, pki.Rules) error {
	var list []byte
	_ = list[len(list)]
	return nil
}

// TestP24AFaultOnAStrangersBytesIsARefusal: a fault of this program over a peer's certificate or password ends neither the process nor the turn of those who wait, and lets nobody in.
func TestP24AFaultOnAStrangersBytesIsARefusal(t *testing.T) {
	e := &ends{t: t, wire: netio.NewWire(netio.WireConfig{}, time.Time{})}
	x := e.start(outerA, "10.1.0.1", "policy: p\nrules: []\n")
	root := testpki.Root(t, "root", today)
	own := root.Issue(t, "alice", today)
	ask := question(root, own, isakmp.Identification{Type: isakmp.IDDERASN1DN, Data: own.Cert.RawSubject}, "", t)
	x.on(t, func(time.Time) { x.revocation = atFault{} })
	if r := x.judgeWithin(context.Background(), ask, pki.Rules{}); r == nil || !r.Notify.IsError() || !strings.Contains(r.Failure.Why, "a fault") || !r.Failure.Answered {
		t.Errorf("%+v", r)
	}
	const logins = 2 * maxChecking // more than have a turn at once
	for range logins {
		if x.matches(func([]byte) bool { panic("a fault") }, []byte("secret word")) {
			t.Error("a fault let somebody in")
		}
	}
	if !x.matches(func([]byte) bool { return true }, nil) {
		t.Error("a right password is refused")
	}
	x.on(t, func(time.Time) { x.judge(*ask) }) // beside the loop
	eventually(t, func() bool { return x.Status().IKE.Panics == 2+logins })
	if log := x.log.String(); strings.Count(log, "please report it") != 2+logins || strings.Contains(log, "secret word") {
		t.Error(log)
	}
}
