package terminal

import (
	"context"
	"errors"
	"io"

	tea "charm.land/bubbletea/v2"
)

// Run shows src on a terminal until the person at it quits or ctx ends.
func Run(ctx context.Context, src Source, in io.Reader, out io.Writer) error {
	_, err := tea.NewProgram(New(src), tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out)).Run()
	if ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}
