package revocation

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// towns is a network of servers by host: those with an answer give it after a while, and the others take a request and say nothing.
type towns struct {
	answers map[string][]byte
	delay   time.Duration
	asked   map[string]int
}

func (n *towns) dial(_ context.Context, _, address string) (net.Conn, error) {
	ours, its := net.Pipe()
	host, _, _ := net.SplitHostPort(address)
	n.asked[host]++ // one request at a time in these tests
	go func() {
		defer its.Close()
		if _, err := http.ReadRequest(bufio.NewReader(its)); err != nil {
			return
		}
		body := n.answers[host]
		if body == nil {
			_, _ = its.Read(make([]byte, 1)) // until the other end gives up
			return
		}
		time.Sleep(n.delay) // of the bubble's time
		answer := http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Close: true, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body))}
		_ = answer.Write(its)
	}()
	return ours, nil
}

func listsAt(hosts ...string) testpki.Option {
	return func(c *x509.Certificate) {
		for _, h := range hosts {
			c.CRLDistributionPoints = append(c.CRLDistributionPoints, "http://"+h+"/crl")
		}
	}
}

// TestP24ASilentPlaceOfOneCertificateLeavesTimeForTheOthers: the servers of an authority between say nothing, however many they are. The list of the peer's own certificate can be had, and is.
func TestP24ASilentPlaceOfOneCertificateLeavesTimeForTheOthers(t *testing.T) {
	for _, silent := range []int{1, 2, 8} {
		var hosts []string
		for i := range silent {
			hosts = append(hosts, fmt.Sprintf("silent%d.example", i))
		}
		root := testpki.Root(t, "Root")
		between := root.Issue(t, "Between", testpki.Authority, listsAt(hosts...))
		leaf := between.Issue(t, "gw", listsAt("leaf.example"))
		chain := []*x509.Certificate{leaf.Cert, between.Cert, root.Cert}
		list := crl(t, between, revokes(1, leaf))
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			n := &towns{answers: map[string][]byte{"leaf.example": list}, delay: 2 * time.Second, asked: map[string]int{}}
			c := New(Options{Dir: dir, Dial: n.dial})
			begin := time.Now()
			if err := c.Check(context.Background(), now, chain, pki.Rules{}); cause(t, err) != pki.Revoked {
				t.Errorf("%d silent places: %v", silent, err)
			}
			if took := time.Since(begin); took > MaxTime || n.asked["leaf.example"] != 1 {
				t.Errorf("%d silent places: %v, asked %v", silent, took, n.asked)
			}
		})
	}
}

// TestWhoComesTooLateLearnsNothing: a check that has no time left for a place does not remember it as silent, and one that has waited for its turn does.
func TestWhoComesTooLateLearnsNothing(t *testing.T) {
	root := testpki.Root(t, "Root")
	leaf := root.Issue(t, "gw", listsAt("leaf.example"))
	chain := []*x509.Certificate{leaf.Cert, root.Cert}
	list, dir, other := crl(t, root), t.TempDir(), t.TempDir()
	strong := pki.Rules{CRLCheck: pki.CRLStrong}
	synctest.Test(t, func(t *testing.T) {
		n := &towns{answers: map[string][]byte{"leaf.example": list}, delay: time.Second, asked: map[string]int{}}
		c := New(Options{Dir: dir, Dial: n.dial})
		short, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		if err := c.Check(short, now, chain, strong); cause(t, err) != pki.RevocationUnknown {
			t.Error(err)
		}
		if err := c.Check(context.Background(), now, chain, strong); err != nil {
			t.Errorf("asked %v: %v", n.asked, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := &towns{asked: map[string]int{}}
		c := New(Options{Dir: other, Dial: n.dial})
		for range 2 {
			if err := c.Check(context.Background(), now, chain, strong); cause(t, err) != pki.RevocationUnknown || !strings.Contains(err.Error(), "no answer in time") {
				t.Error(err)
			}
		}
		if n.asked["leaf.example"] != 1 {
			t.Errorf("asked %v", n.asked)
		}
	})
}
