package tun

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
)

// monitored is a Device that remembers whether it was closed by us, so that its errors can say which of the two endings it was,
// and whose Close may be called again.
type monitored struct {
	Device
	closed    atomic.Bool
	closeOnce sync.Once
	closeErr  error
}

func newMonitored(d Device) *monitored { return &monitored{Device: d} }

func (m *monitored) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	n, err := m.Device.Read(bufs, sizes, offset)
	return n, m.explain(err)
}

func (m *monitored) Write(bufs [][]byte, offset int) (int, error) {
	if m.closed.Load() {
		return 0, os.ErrClosed
	}
	n, err := m.Device.Write(bufs, offset)
	return n, m.explain(err)
}

func (m *monitored) Close() error {
	m.closeOnce.Do(func() {
		m.closed.Store(true)
		m.closeErr = m.Device.Close()
	})
	return m.closeErr
}

// explain turns the endings that the operating system reports in several ways into the two that Diagnose knows.
func (m *monitored) explain(err error) error {
	if err == nil {
		return nil
	}
	if m.closed.Load() {
		return os.ErrClosed
	}
	if errors.Is(err, os.ErrClosed) || deviceGone(m.Device, err) {
		return ErrGone
	}
	return err
}
