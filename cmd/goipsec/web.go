package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/monitor/web"
)

// webFlags are the flags of the web page.
type webFlags struct{ addr, tokenFile string }

func (f *webFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.addr, "web", "", "serve the web page on this loopback `address` and port (127.0.0.1:0 takes a free one and prints it), or unix:PATH")
	c.Flags().StringVar(&f.tokenFile, "web-token-file", "", "let those change something by the web page who know the token in this `file`, 32 random characters or more")
}

// listen takes the page's address, before anything is done to the host. Without --web it returns nil.
func (f *webFlags) listen() (net.Listener, web.Token, error) {
	var token web.Token
	if f.addr == "" && f.tokenFile != "" {
		return nil, token, usageError{errors.New("--web-token-file is for the web page: give --web too")}
	}
	if f.addr == "" {
		return nil, token, nil
	}
	if f.tokenFile != "" {
		var err error
		if token, err = web.ReadToken(f.tokenFile); err != nil {
			return nil, token, err
		}
	}
	if path, ok := strings.CutPrefix(f.addr, "unix:"); ok {
		l, err := control.Listen(path)
		return l, token, err
	}
	l, err := web.Listen(f.addr)
	return l, token, err
}

// serveWeb serves the page of an endpoint on l, prints its address and returns what ends it. Without l it does nothing.
func serveWeb(l net.Listener, token web.Token, e web.Endpoint, out io.Writer, log *slog.Logger) (end func() error) {
	if l == nil {
		return func() error { return nil }
	}
	s := web.New(l, e, token)
	go func() {
		if err := s.Serve(); err != nil {
			log.Error("the web page is not served any more", "error", err)
		}
	}()
	fmt.Fprintln(out, "web page:", s.URL())
	return s.Close
}
