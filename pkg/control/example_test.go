//go:build unix

package control_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goipsec/goipsec/pkg/control"
)

func Example() {
	dir, err := os.MkdirTemp("", "goipsec")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	c := control.NewClient(filepath.Join(dir, "lab.sock"))
	if _, err := c.Status(context.Background()); err != nil {
		fmt.Println("not running")
	}
	// Output: not running
}
