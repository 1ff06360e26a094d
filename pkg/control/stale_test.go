package control

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
)

// A process that ends removes its socket at any moment: to whoever looks, it is there, refuses, or is gone, and nothing of that is an error.
func TestASocketThatVanishesMeanwhileIsNoError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			l, err := net.Listen("unix", path)
			if err != nil {
				ended <- err
				return
			}
			l.Close() // removes it
		}
	}()
	var live *InUseError
	for range 5000 {
		if err := removeStale(path); err != nil && !errors.As(err, &live) {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
