package lab

// Inside runs f on a thread that is in the host's network namespace. A socket that f opens stays in the host wherever it is
// used later.
func (h *Host) Inside(f func() error) {
	h.lab.t.Helper()
	if err := h.inside(f); err != nil {
		h.lab.t.Fatalf("in %s: %v", h.Name, err)
	}
}
