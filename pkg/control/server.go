package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/metrics"
)

// Limits of one connection. Only root and the endpoint's own user get this far, so they guard against accidents, not floods.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	answerTimeout = 3 * time.Minute // connect and stop wait for the network
	idleTimeout   = 30 * time.Second
	closeTimeout  = 5 * time.Second
	maxHeader     = 8 << 10 // bytes
)

// Server answers on one socket. It is safe for concurrent use.
type Server struct {
	http   *http.Server
	cancel context.CancelFunc
	gone   chan struct{} // closed when the endpoint has ended: releases those who asked it to stop
	done   chan struct{} // closed when the accept loop has ended
	once   sync.Once
}

// Serve answers on l, which it owns from now on, until Close.
func Serve(l net.Listener, e Endpoint) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{cancel: cancel, gone: make(chan struct{}), done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           newHandler(e, s.gone),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// What a broken client sends is no news for an administrator.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // it ends with http.ErrServerClosed, or because the listener broke: then there is no API, and Close says so to nobody
	}()
	return s
}

// Close ends the API and removes the socket. Call it when the endpoint has ended and cleaned up: requests to stop are answered now, and
// requests that still wait for the network are given up.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		close(s.gone)
		s.cancel()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err = s.http.Shutdown(ctx); err != nil {
			err = errors.Join(err, s.http.Close())
		}
		<-s.done
	})
	return err
}

// newHandler returns the API of e. gone is closed when e has ended.
func newHandler(e Endpoint, gone <-chan struct{}) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET "+pathStatus, func(w http.ResponseWriter, r *http.Request) { answer(w, e.Status(), nil) })
	m.HandleFunc("POST "+pathConnect, with(func(r *http.Request, q request) error { return e.Connect(r.Context(), q.Target) }))
	m.HandleFunc("POST "+pathRekey, with(func(_ *http.Request, q request) error { return e.Rekey(q.ID) }))
	m.HandleFunc("POST "+pathDelete, with(func(_ *http.Request, q request) error { return e.Delete(q.ID) }))
	m.HandleFunc("POST "+pathReload, changing(func(request) ([]endpoint.Waiting, error) { return e.Reload() }))
	m.HandleFunc("POST "+pathAssign, changing(func(q request) ([]endpoint.Waiting, error) { return e.Assign(q.Target) }))
	m.HandleFunc("POST "+pathUnassign, with(func(*http.Request, request) error { return e.Unassign() }))
	m.HandleFunc("POST "+pathStop, with(func(r *http.Request, _ request) error {
		e.Stop()
		select {
		case <-gone:
		case <-r.Context().Done():
		}
		return nil
	}))
	m.HandleFunc("POST "+pathExplain, func(w http.ResponseWriter, r *http.Request) {
		var q endpoint.Question
		if !read(w, r, &q) {
			return
		}
		x, err := e.Explain(q)
		answer(w, x, err)
	})
	m.HandleFunc("GET "+pathMetrics, func(w http.ResponseWriter, _ *http.Request) {
		p, err := e.List(endpoint.Query{List: endpoint.ListOverview})
		if err != nil || p.Status == nil {
			refuse(w, http.StatusServiceUnavailable, &RemoteError{Code: CodeFailed, Message: "the endpoint has stopped"})
			return
		}
		w.Header().Set("Content-Type", metrics.ContentType)
		_ = metrics.Write(w, p.Status) // as in write
	})
	m.HandleFunc("POST "+pathList, func(w http.ResponseWriter, r *http.Request) {
		var q endpoint.Query
		if !read(w, r, &q) {
			return
		}
		p, err := e.List(q)
		answer(w, p, err)
	})
	return m
}

// with makes a handler of a command that takes a request and returns nothing.
func with(f func(*http.Request, request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q request
		if read(w, r, &q) {
			answer(w, struct{}{}, f(r, q))
		}
	}
}

// changing makes a handler of a command that reads the policy file.
func changing(f func(request) ([]endpoint.Waiting, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q request
		if read(w, r, &q) {
			waiting, err := f(q)
			answer(w, applied{waiting}, err)
		}
	}
}

// read decodes a bounded body, or answers with the reason and returns false.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	err := decode(http.MaxBytesReader(w, r.Body, maxRequest), v)
	if err != nil {
		refuse(w, http.StatusBadRequest, &RemoteError{Code: CodeBadRequest, Message: err.Error()})
	}
	return err == nil
}

// answer writes v, or the error.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		code := codeOf(err)
		status := http.StatusUnprocessableEntity
		if code == CodeNotFound {
			status = http.StatusNotFound
		}
		refuse(w, status, &RemoteError{Code: code, Message: err.Error()})
		return
	}
	write(w, http.StatusOK, v)
}

func refuse(w http.ResponseWriter, status int, e *RemoteError) { write(w, status, e) }

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away: nobody is left to be told
}
