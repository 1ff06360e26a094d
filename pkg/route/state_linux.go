package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// state is what a later process has to know in order to put back what is neither a route nor a rule.
type state struct {
	Instance string `json:"instance"`
	// RPFilter holds the values of rp_filter that were there before, by interface.
	RPFilter map[string]string `json:"rp_filter"`
}

func statePath(instance, dir string) string { return filepath.Join(dir, instance+".json") }

// loadState returns the state of an instance, empty if there is none. A file that is damaged is an error: guessing would make a
// loosened setting permanent.
func loadState(instance, dir string) (state, error) {
	s := state{Instance: instance, RPFilter: map[string]string{}}
	b, err := os.ReadFile(statePath(instance, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("the state file of instance %s could not be read: %w", instance, err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || s.Instance != instance {
		return s, fmt.Errorf("the state file %s is damaged; check rp_filter by hand (sysctl -a -r rp_filter) and delete the file: %w",
			statePath(instance, dir), errors.Join(err, fs.ErrInvalid))
	}
	for name, value := range s.RPFilter {
		if !plainInterface(name) || value != "0" && value != "1" && value != "2" {
			return s, fmt.Errorf("the state file %s names %q, which is no interface setting; delete the file: %w", statePath(instance, dir), name, fs.ErrInvalid)
		}
	}
	if s.RPFilter == nil {
		s.RPFilter = map[string]string{}
	}
	return s, nil
}

// save writes the file whole or not at all.
func (s *state) save(dir string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the directory for state files could not be made: %w", err)
	}
	f, err := os.CreateTemp(dir, ".state-*") // mode 0600
	if err != nil {
		return fmt.Errorf("the state file could not be written: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("the state file could not be written: %w", err)
	}
	return os.Rename(f.Name(), statePath(s.Instance, dir))
}

// restoreState puts the saved settings back and removes the file.
func restoreState(instance, dir string) (restored []string, err error) {
	s, err := loadState(instance, dir)
	if err != nil {
		return nil, err
	}
	var errs []error
	for name, value := range s.RPFilter {
		done, err := restoreRPFilter(name, value)
		errs = append(errs, err)
		if done {
			restored = append(restored, fmt.Sprintf("rp_filter of %s set back to %s", name, value))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return restored, err // keep the file for another try
	}
	if err := os.Remove(statePath(instance, dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return restored, err
	}
	return restored, nil
}
