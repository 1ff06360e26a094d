package revocation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	maxRedirects = 3
	maxURL       = 2048 // bytes
	// retry is how long a place that gave nothing is not asked again. Without it every negotiation would wait for a dead server.
	retry       = time.Minute
	maxFailures = 256 // places that are remembered
)

// fetcher gets answers over HTTP. What several checks want at once is fetched once.
type fetcher struct {
	client http.Client

	mu       sync.Mutex
	flights  map[string]*flight
	failures map[string]failure
}

// turnKey is where a request has the context of its turn.
type turnKey struct{}

// flight is a request under way.
type flight struct {
	done chan struct{}
	data []byte
	err  error
	void bool // it says nothing about the place
}

type failure struct {
	at  time.Time
	err error
}

func newFetcher(dial func(ctx context.Context, network, address string) (net.Conn, error)) fetcher {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	// The transport lets a connection that is being made outlive its request; here it ends with the request's turn.
	within := func(ctx context.Context, network, address string) (net.Conn, error) {
		if turn, ok := ctx.Value(turnKey{}).(context.Context); ok {
			ctx = turn
		}
		return dial(ctx, network, address)
	}
	return fetcher{
		client: http.Client{
			// No proxy, no cookies, no compression: what is received is what counts against the bound.
			Transport:     &http.Transport{DialContext: within, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10},
			CheckRedirect: redirect,
		},
		flights: map[string]*flight{}, failures: map[string]failure{},
	}
}

func redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirections")
	}
	if req.URL.Scheme != "http" {
		return errors.New("it redirects away from http://")
	}
	return nil
}

// fetchable keeps the URLs that may be fetched: plain http with a host.
func fetchable(list []string) (urls []string) {
	for _, s := range list {
		u, err := url.Parse(s)
		if err == nil && u.Scheme == "http" && u.Hostname() != "" && u.User == nil && len(s) <= maxURL && len(urls) < MaxURLs {
			urls = append(urls, s)
		}
	}
	return urls
}

// budget is what is left to one check.
type budget struct {
	bytes int64
	urls  int
}

// fetch gets what an URL gives, or its answer to a question.
func (k *check) fetch(url string, question []byte) ([]byte, error) {
	if k.rules.NoFetch {
		return nil, problem("%s: the policy does not fetch (fetch: false)", url)
	}
	ctx, cancel := k.turn()
	defer cancel()
	f := &k.fetcher
	id := url + "\x00" + string(question)
	for {
		own, other, err := f.start(id, k.now)
		if err != nil {
			return nil, err
		}
		if own != nil {
			k.fly(ctx, id, own, url, question)
			return own.data, own.err
		}
		select {
		case <-other.done:
			if !other.void {
				return other.data, other.err
			}
		case <-ctx.Done():
			return nil, problem("%s: no answer in time", url)
		}
	}
}

// fly makes a request that others may wait for.
func (k *check) fly(ctx context.Context, id string, own *flight, url string, question []byte) {
	own.err, own.void = errFault, true // should a fault end it
	defer k.fetcher.land(id, own, k.now)
	// Half a turn is enough: what is silent that long is remembered as silent.
	enough, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.share.place/2)
	defer cancel()
	own.data, own.err = k.request(ctx, url, question)
	// Who was called off, had nothing left to spend or came too late has learnt nothing about the place.
	own.void = own.err != nil && (errors.Is(own.err, errSpent) || errors.Is(k.ctx.Err(), context.Canceled) || ctx.Err() != nil && enough.Err() == nil)
}

// start begins a request, or returns the one that is under way, or the failure of a moment ago.
func (f *fetcher) start(id string, now time.Time) (own, other *flight, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last, ok := f.failures[id]; ok && !now.Before(last.at) && now.Sub(last.at) < retry {
		return nil, nil, last.err
	}
	if other := f.flights[id]; other != nil {
		return nil, other, nil
	}
	own = &flight{done: make(chan struct{})}
	f.flights[id] = own
	return own, nil, nil
}

// land ends a request.
func (f *fetcher) land(id string, own *flight, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.flights, id)
	delete(f.failures, id)
	if own.err != nil && !own.void {
		if len(f.failures) >= maxFailures {
			clear(f.failures)
		}
		f.failures[id] = failure{now, own.err}
	}
	close(own.done)
}

var (
	// errSpent says that a check has used up what it may.
	errSpent = errors.New("the check has asked enough")
	errFault = errors.New("a fault of this program ended the request")
)

func (k *check) request(ctx context.Context, url string, question []byte) ([]byte, error) {
	if k.budget.urls <= k.share.kept {
		return nil, errSpent
	}
	k.budget.urls--
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if question != nil {
		method, body = http.MethodPost, bytes.NewReader(question)
	}
	req, err := http.NewRequestWithContext(context.WithValue(ctx, turnKey{}, ctx), method, url, body)
	if err != nil {
		return nil, problem("%s: %v", url, err)
	}
	if question != nil {
		req.Header.Set("Content-Type", "application/ocsp-request")
	}
	req.Header.Set("User-Agent", "goipsec")
	resp, err := k.fetcher.client.Do(req)
	if err != nil {
		return nil, unanswered(ctx, url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, problem("%s: the server says %s", url, resp.Status)
	}
	if resp.ContentLength > k.budget.bytes {
		return nil, tooLarge(url)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, k.budget.bytes+1))
	switch {
	case int64(len(data)) > k.budget.bytes:
		return nil, tooLarge(url)
	case err != nil:
		return nil, unanswered(ctx, url, err)
	}
	k.budget.bytes -= int64(len(data))
	return data, nil
}

func tooLarge(url string) error {
	return problem("%s: the answer is larger than the %d bytes that one check may fetch", url, MaxBytes)
}

func unanswered(ctx context.Context, where string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if ctx.Err() != nil {
		return problem("%s: no answer in time", where)
	}
	return problem("%s: %s", where, strings.TrimSpace(err.Error()))
}
