//go:build !linux

package classifier

// collapse does nothing here.
func collapse[T any]([]T) {}
