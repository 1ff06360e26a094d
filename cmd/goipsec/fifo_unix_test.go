//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// makeFIFO, await and tell let a script wait until a program that it started in the background is ready, without a clock.
func makeFIFO() {
	if err := syscall.Mkfifo(os.Args[1], 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// await returns when somebody told.
func await() {
	if _, err := os.ReadFile(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tell(path string) {
	if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
		f.Close()
	}
}
