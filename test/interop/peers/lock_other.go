//go:build !linux

package peers

func lock(string) (func(), error) { return nil, ErrNotLinux }
