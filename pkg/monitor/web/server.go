package web

import (
	"context"
	"embed"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/metrics"
)

// Endpoint is what is shown and, with a token, changed. Its methods are called concurrently.
type Endpoint interface {
	List(q endpoint.Query) (endpoint.Page, error)
	Connect(ctx context.Context, target string) error
	Rekey(id string) error
	Delete(id string) error
	Reload() ([]endpoint.Waiting, error)
}

//go:embed page.html page.js style.css icon.svg
var files embed.FS

// assets are the files that a page loads, by their media types.
var assets = map[string]string{"page.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}

// Limits of one connection.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 2 * time.Minute // connect waits for the network
	idleTimeout   = 30 * time.Second
	closeTimeout  = 2 * time.Second
	maxHeader     = 16 << 10 // bytes
)

// Server answers on one listener. Make it with New.
type Server struct {
	http   *http.Server
	l      *limited
	cancel context.CancelFunc
	port   string // that the Host header must have; "": any, on a unix socket
	token  Token
	e      Endpoint
}

// New makes a server of e on l, which it owns from now on. With the zero Token it can be looked at only.
func New(l net.Listener, e Endpoint, token Token) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{l: limit(l, maxConnections), cancel: cancel, token: token, e: e}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		_, s.port, _ = net.SplitHostPort(a.String())
	}
	s.http = &http.Server{Handler: s.handler(), BaseContext: func(net.Listener) context.Context { return ctx }, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0)}
	return s
}

// Serve answers until Close, and then returns nil.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends Serve; requests that are being answered have two seconds.
func (s *Server) Close() error {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	return errors.Join(err, s.l.Close()) // for a server that never served
}

// URL is where a browser finds the page; for a unix socket, its path behind "unix:".
func (s *Server) URL() string {
	if s.port == "" {
		return "unix:" + s.l.Addr().String()
	}
	return "http://" + s.l.Addr().String() + "/"
}

// handler is everything that is answered.
func (s *Server) handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", s.page)
	m.HandleFunc("GET /view/{view}", s.page)
	m.HandleFunc("GET /head", s.head)
	m.HandleFunc("GET /data/{view}", s.data)
	m.HandleFunc("GET /metrics", s.metrics)
	for name, kind := range assets {
		text, _ := files.ReadFile(name) // embedded: it is there
		m.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(text) // the client went away: nobody is left to be told
		})
	}
	if s.token.set {
		m.HandleFunc("POST /do/{what}", s.do)
	}
	return s.guarded(m)
}

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	p, err := s.e.List(endpoint.Query{List: endpoint.ListOverview})
	if err != nil || p.Status == nil {
		refuse(w, http.StatusServiceUnavailable, "the endpoint has stopped")
		return
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	_ = metrics.Write(w, p.Status)
}
