//go:build !linux

package e2e

import "context"

// Run measures. It needs Linux, and elsewhere it returns ErrUnsupported.
func Run(context.Context, Options) (Result, error) { return Result{}, ErrUnsupported }
