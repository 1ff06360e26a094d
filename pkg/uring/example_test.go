package uring_test

import (
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/uring"
)

func ExampleNew() {
	_, err := uring.New(64)
	// A caller goes on by ordinary system calls where there is none.
	fmt.Println(err == nil || errors.Is(err, uring.ErrUnavailable))
	// Output: true
}
