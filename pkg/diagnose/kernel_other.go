//go:build !linux

package diagnose

// kernel has no more to say here than the name of the system.
func kernel() string { return "kernel not asked" }
