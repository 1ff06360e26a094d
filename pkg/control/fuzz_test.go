package control

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// quiet is an endpoint that does nothing.
type quiet struct{}

func (quiet) Status() endpoint.Status                   { return endpoint.Status{} }
func (quiet) Connect(context.Context, string) error     { return nil }
func (quiet) Rekey(string) error                        { return endpoint.ErrNotFound }
func (quiet) Delete(string) error                       { return nil }
func (quiet) Reload() ([]endpoint.Waiting, error)       { return nil, endpoint.ErrPolicyFile }
func (quiet) Assign(string) ([]endpoint.Waiting, error) { return nil, endpoint.ErrNotFound }
func (quiet) Unassign() error                           { return nil }
func (quiet) Stop()                                     {}
func (quiet) Explain(endpoint.Question) (endpoint.Explanation, error) {
	return endpoint.Explanation{}, nil
}

func (quiet) List(q endpoint.Query) (endpoint.Page, error) {
	return endpoint.Page{List: q.List, Status: new(endpoint.Status)}, nil
}

// FuzzA9Handler sends any method, path and body: each is answered with a status that HTTP knows and JSON or a plain refusal.
func FuzzA9Handler(f *testing.F) {
	f.Add(uint8(0), pathStatus, "")
	f.Add(uint8(1), pathConnect, `{"target":"b"}`)
	f.Add(uint8(1), pathRekey, `{"id":"1"}`)
	f.Add(uint8(1), pathDelete, `{"id":18446744073709551616}`)
	f.Add(uint8(1), pathReload, `{}`)
	f.Add(uint8(1), pathStop, `{}`)
	f.Add(uint8(1), pathExplain, `{"src":"192.0.2.1","dst":"2001:db8::1%eth0","proto":6,"proto_given":true}`)
	f.Add(uint8(1), pathList, `{"list":"events","search":"a","offset":1,"limit":2}`)
	f.Add(uint8(0), pathMetrics, "")
	f.Add(uint8(2), "/%2e%2e/", "[[[[")
	gone := make(chan struct{})
	close(gone)
	h := newHandler(quiet{}, gone)
	methods := []string{"GET", "POST", "PUT", "OPTIONS"}
	f.Fuzz(func(t *testing.T, method uint8, path, body string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \r\n\t#?%") || strings.ContainsFunc(path, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
			t.Skip("no path that an HTTP request line can hold")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(methods[int(method)%len(methods)], path, strings.NewReader(body)))
		if w.Code < 200 || w.Code > 499 {
			t.Errorf("%s %q %q: status %d", methods[int(method)%len(methods)], path, body, w.Code)
		}
	})
}
