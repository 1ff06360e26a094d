package terminal_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/monitor/terminal"
)

// nobody is an endpoint that does not run.
type nobody struct{}

func (nobody) List(context.Context, endpoint.Query) (endpoint.Page, error) {
	return endpoint.Page{}, fmt.Errorf("no instance is running")
}

// Before the first answer the screen says what it waits for; Run drives a Model on a terminal.
func Example() {
	m := terminal.New(nobody{})
	fmt.Println(strings.Contains(m.View().Content, "waiting for the endpoint"))
	// Output: true
}
