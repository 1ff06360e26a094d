package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// NotRunningError tells that nobody listens on the socket.
type NotRunningError struct{ Path string }

func (e *NotRunningError) Error() string {
	return fmt.Sprintf("no instance is running on %s: start one with `goipsec up`, or name its socket with --socket", e.Path)
}

// PermissionError tells that the socket is another user's.
type PermissionError struct {
	Path   string
	Reason string
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("%s: %s: only root and the user that goipsec runs as may use it (try sudo)", e.Path, e.Reason)
}

// Client calls the endpoint behind one socket. Its errors are *NotRunningError, *PermissionError, *RemoteError, or those of the network.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client of the socket at path. It dials at every call.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http = &http.Client{Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
	return c
}

// dial connects and makes sure who answers, before a byte is sent.
func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), err != nil && isRefused(err):
		return nil, &NotRunningError{Path: c.path}
	case errors.Is(err, fs.ErrPermission):
		return nil, &PermissionError{Path: c.path, Reason: "permission denied"}
	case err != nil:
		return nil, err
	}
	id, err := peerOf(conn)
	if err == nil && !self().mayTrust(id) {
		err = &PermissionError{Path: c.path, Reason: "the process that listens there is another user's"}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Status asks what the endpoint is doing.
func (c *Client) Status(ctx context.Context) (endpoint.Status, error) {
	var s endpoint.Status
	err := c.call(ctx, http.MethodGet, pathStatus, nil, &s)
	return s, err
}

// Connect, Rekey, Delete and Reload do what the methods of Endpoint say.
func (c *Client) Connect(ctx context.Context, target string) error {
	return c.call(ctx, http.MethodPost, pathConnect, request{Target: target}, nil)
}

func (c *Client) Rekey(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, pathRekey, request{ID: id}, nil)
}

func (c *Client) Delete(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, pathDelete, request{ID: id}, nil)
}

func (c *Client) Reload(ctx context.Context) ([]endpoint.Waiting, error) {
	var a applied
	err := c.call(ctx, http.MethodPost, pathReload, request{}, &a)
	return a.Waiting, err
}

// Assign and Unassign do what the methods of Endpoint say.
func (c *Client) Assign(ctx context.Context, name string) ([]endpoint.Waiting, error) {
	var a applied
	err := c.call(ctx, http.MethodPost, pathAssign, request{Target: name}, &a)
	return a.Waiting, err
}

func (c *Client) Unassign(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, pathUnassign, request{}, nil)
}

// Stop asks the endpoint to end and returns when it has ended and cleaned up.
func (c *Client) Stop(ctx context.Context) error {
	err := c.call(ctx, http.MethodPost, pathStop, request{}, nil)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil // it ended before it could answer
	}
	return err
}

// Explain asks what the endpoint does with one datagram.
func (c *Client) Explain(ctx context.Context, q endpoint.Question) (endpoint.Explanation, error) {
	var x endpoint.Explanation
	err := c.call(ctx, http.MethodPost, pathExplain, q, &x)
	return x, err
}

// List asks for a part of what a monitor shows.
func (c *Client) List(ctx context.Context, q endpoint.Query) (endpoint.Page, error) {
	var p endpoint.Page
	err := c.call(ctx, http.MethodPost, pathList, q, &p)
	return p, err
}

// call sends one request and reads its answer into out, unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://goipsec"+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return plain(err)
	}
	defer resp.Body.Close()
	r := io.LimitReader(resp.Body, maxResponse)
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.Status, r)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(r).Decode(out); err != nil {
		return fmt.Errorf("the answer of %s cannot be read (is it a goipsec of another version?): %w", c.path, err)
	}
	return nil
}

// plain takes off the URL that net/http wraps round our own errors and means nothing to a person.
func plain(err error) error {
	var down *NotRunningError
	var denied *PermissionError
	switch {
	case errors.As(err, &down):
		return down
	case errors.As(err, &denied):
		return denied
	}
	return fmt.Errorf("the running instance: %w", err)
}

func refusal(status string, r io.Reader) error {
	e := new(RemoteError)
	if err := json.NewDecoder(r).Decode(e); err != nil || e.Message == "" {
		return &RemoteError{Code: CodeFailed, Message: "the running instance answered: " + status}
	}
	return e
}
