//go:build !linux

package uring

import "syscall"

// Piece is a piece of memory.
type Piece struct{}

// Ring is a pair of queues shared with the kernel. There are none on this system: New says so, and the methods of what nobody has do nothing.
type Ring struct{}

// New returns ErrUnavailable.
func New(uint32) (*Ring, error) { return nil, ErrUnavailable }

func (*Ring) Size() int                      { return 0 }
func (*Ring) Room() int                      { return 0 }
func (*Ring) Read(int, []byte, uint64)       {}
func (*Ring) TryRead(int, []byte, uint64)    {}
func (*Ring) TryWritev(int, []Piece, uint64) {}
func (*Ring) Poll(int, uint16, uint64)       {}
func (*Ring) Cancel(uint64, uint64)          {}
func (*Ring) Enter(int) error                { return syscall.ENOSYS }
func (*Ring) Ready() int                     { return 0 }
func (*Ring) Next() (Result, bool)           { return Result{}, false }
func (*Ring) Close()                         {}
