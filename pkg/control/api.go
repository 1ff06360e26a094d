package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// Endpoint is what the API drives. Its methods are called concurrently.
type Endpoint interface {
	Status() endpoint.Status
	// Connect brings up the SAs of a rule's name, a peer's address or a filter's ID, and returns when they are up or have failed.
	Connect(ctx context.Context, target string) error
	// Rekey and Delete take the ID of a peer or a child, as Status prints it.
	Rekey(id string) error
	Delete(id string) error
	// Reload reads the policy file again. A bad file is refused with an error that wraps endpoint.ErrPolicyFile. It and Assign return the settings of the file that wait
	// for a restart.
	Reload() ([]endpoint.Waiting, error)
	// Assign puts another policy of the file in force, Unassign none. Unknown names are refused with an error that wraps endpoint.ErrNotFound.
	Assign(name string) ([]endpoint.Waiting, error)
	Unassign() error
	// Stop asks the endpoint to end and returns at once; Server.Close tells that it has ended.
	Stop()
	Explain(q endpoint.Question) (endpoint.Explanation, error)
	// List gives a part of what a monitor shows. A query that cannot be answered is an error that wraps endpoint.ErrQuery.
	List(q endpoint.Query) (endpoint.Page, error)
}

// Paths of the API. A change of their meaning takes a new prefix.
const (
	pathStatus   = "/v1/status"
	pathConnect  = "/v1/connect"
	pathRekey    = "/v1/rekey"
	pathDelete   = "/v1/delete"
	pathReload   = "/v1/reload"
	pathAssign   = "/v1/assign"
	pathUnassign = "/v1/unassign"
	pathStop     = "/v1/stop"
	pathExplain  = "/v1/explain"
	pathList     = "/v1/list"
	pathMetrics  = "/metrics" // Prometheus text, where scrapers look for it
)

// maxRequest and maxResponse bound the two bodies, in bytes. A request is a name or one question; a status grows with its SAs.
const (
	maxRequest  = 4 << 10
	maxResponse = 256 << 20
)

// request is the body of connect and assign (target), rekey and delete (id).
type request struct {
	Target string `json:"target,omitempty"`
	ID     string `json:"id,omitempty"`
}

// applied is the answer to reload and assign.
type applied struct {
	Waiting []endpoint.Waiting `json:"waiting,omitempty"`
}

// Code says what kind of refusal a RemoteError is.
type Code string

const (
	CodeBadRequest Code = "bad_request"
	CodeNotFound   Code = "not_found"
	CodePolicyFile Code = "policy_file"
	CodeFailed     Code = "failed"
)

// RemoteError is the refusal of a running endpoint.
type RemoteError struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (e *RemoteError) Error() string { return e.Message }

// codeOf sorts an endpoint's error.
func codeOf(err error) Code {
	switch {
	case errors.Is(err, endpoint.ErrNotFound):
		return CodeNotFound
	case errors.Is(err, endpoint.ErrPolicyFile):
		return CodePolicyFile
	case errors.Is(err, endpoint.ErrQuery):
		return CodeBadRequest
	}
	return CodeFailed
}

// decode reads exactly one JSON value with known fields only.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("the request's body is not the JSON that is expected here: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the request's body holds more than one JSON value")
	}
	return nil
}
