package revocation

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
)

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// TestSlowAnswer: who waits gives up when its context ends, and at the latest after five seconds. What was not learnt is asked again.
func TestSlowAnswer(t *testing.T) {
	w := newWorld(t)
	asked := make(chan struct{}, 1)
	w.on("/crl", func(rw http.ResponseWriter, r *http.Request) {
		rw.Write([]byte("some of it"))
		rw.(http.Flusher).Flush()
		asked <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() {
		result <- w.checker.Check(ctx, now, []*x509.Certificate{w.machine.Cert, w.root.Cert}, pki.Rules{CRLCheck: pki.CRLStrong})
	}()
	<-asked
	cancel()
	if err := <-result; cause(t, err) != pki.RevocationUnknown {
		t.Error(err)
	}
	w.put("/crl", crl(t, w.root))
	w.says(now, pki.Rules{CRLCheck: pki.CRLStrong}, 0)
}

// TestTheEndpointsSocketsAreUsed: connections are made by the given function, with a deadline of five seconds for the whole check, and of half of that for the first of two places.
func TestTheEndpointsSocketsAreUsed(t *testing.T) {
	w := newWorld(t, ocspAt("/ocsp"))
	var mu sync.Mutex
	var deadlines []time.Time
	begin := time.Now()
	w.checker = New(Options{Dir: w.dir, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		d, ok := ctx.Deadline()
		if !ok {
			t.Error("no deadline")
		}
		mu.Lock()
		deadlines = append(deadlines, d)
		mu.Unlock()
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	w.put("/crl", crl(t, w.root))
	w.says(now, pki.Rules{CRLCheck: pki.CRLStrong}, 0)
	end := time.Now()
	mu.Lock()
	defer mu.Unlock()
	if len(deadlines) != 2 {
		t.Fatal(deadlines)
	}
	for i, d := range deadlines {
		if turn := MaxTime / 2 * time.Duration(i+1); d.Before(begin.Add(turn)) || d.After(end.Add(turn)) {
			t.Errorf("place %d has until %v; %v %v", i, d, begin, end)
		}
	}
}

// TestP24OneCheckIsBounded: in places that it asks and in bytes over all of them.
func TestP24OneCheckIsBounded(t *testing.T) {
	w := newWorld(t, func(w *world, c *x509.Certificate) {
		c.CRLDistributionPoints = nil
		for i := range 30 {
			c.CRLDistributionPoints = append(c.CRLDistributionPoints, w.url(fmt.Sprintf("/%d", i)))
			c.OCSPServer = append(c.OCSPServer, w.url(fmt.Sprintf("/ocsp%d", i)))
		}
	})
	w.says(now, pki.Rules{CRLCheck: pki.CRLStrong}, pki.RevocationUnknown)
	total := 0
	for _, n := range w.hits {
		total += n
	}
	if total != MaxURLs {
		t.Errorf("%d places were asked", total)
	}
	large := newWorld(t, func(w *world, c *x509.Certificate) { c.CRLDistributionPoints = []string{w.url("/a"), w.url("/b")} })
	large.put("/a", make([]byte, MaxBytes*3/4))
	large.put("/b", make([]byte, MaxBytes*3/4))
	err := large.check(now, pki.Rules{CRLCheck: pki.CRLStrong})
	if cause(t, err) != pki.RevocationUnknown || !contains2(err.Error(), "/a: it is no revocation list", "/b: the answer is larger") {
		t.Error(err)
	}
}

// TestDeadServersAreNotAskedForAMinute: otherwise each negotiation would wait for them.
func TestDeadServersAreNotAskedForAMinute(t *testing.T) {
	w := newWorld(t)
	w.says(now, pki.Rules{}, 0)
	if w.hit("/crl") != 1 {
		t.Errorf("asked %d times", w.hit("/crl"))
	}
	w.says(now.Add(retry-time.Second), pki.Rules{CRLCheck: pki.CRLStrong}, pki.RevocationUnknown)
	if w.hit("/crl") != 1 {
		t.Error("asked again")
	}
	w.put("/crl", crl(t, w.root))
	w.says(now.Add(retry), pki.Rules{CRLCheck: pki.CRLStrong}, 0)
	// The clock went back: what failed in the future says nothing.
	v := newWorld(t)
	v.says(now.Add(time.Hour), pki.Rules{}, 0)
	v.put("/crl", crl(t, v.root))
	v.says(now, pki.Rules{CRLCheck: pki.CRLStrong}, 0)
}

// TestO4WarningsAreFew: a peer that calls without end has one line in ten minutes.
func TestO4WarningsAreFew(t *testing.T) {
	w := newWorld(t)
	for i := range 1200 {
		w.says(now.Add(time.Duration(i)*time.Second), pki.Rules{}, 0)
	}
	if n := strings.Count(w.log.String(), "\n"); n != 2 {
		t.Errorf("%d lines", n)
	}
	for range 100_000 {
		w.checker.tell(&x509.Certificate{Raw: []byte(fmt.Sprint(len(w.checker.told)))}, now)
	}
	if len(w.checker.told) > maxTold {
		t.Errorf("%d are remembered", len(w.checker.told))
	}
}

// TestManyChecksFetchOnce: what several need at once is fetched once.
func TestManyChecksFetchOnce(t *testing.T) {
	w := newWorld(t)
	list, dir := crl(t, w.root, revokes(1, w.machine)), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		waiting := make(chan struct{})
		var asked atomic.Int64
		c := New(Options{Dir: dir, Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, its := net.Pipe()
			go func() {
				defer its.Close()
				if _, err := http.ReadRequest(bufio.NewReader(its)); err != nil {
					return
				}
				asked.Add(1)
				<-waiting
				answer := http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Close: true, ContentLength: int64(len(list)), Body: io.NopCloser(bytes.NewReader(list))}
				_ = answer.Write(its)
			}()
			return ours, nil
		}})
		results := make(chan error, n)
		for range n {
			go func() {
				results <- c.Check(context.Background(), now, []*x509.Certificate{w.machine.Cert, w.root.Cert}, pki.Rules{NoOCSP: true})
			}()
		}
		synctest.Wait() // all of them wait, one for the server and the others for that one
		close(waiting)
		for range n {
			if err := <-results; cause(t, err) != pki.Revoked {
				t.Error(err)
			}
		}
		if asked.Load() != 1 {
			t.Errorf("fetched %d times", asked.Load())
		}
	})
}
