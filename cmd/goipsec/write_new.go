package main

import (
	"errors"
	"fmt"
	"os"
)

// writeNew writes a file that is not there, or that may be replaced.
func writeNew(name string, content []byte, mode os.FileMode, force bool) error {
	if old, err := os.ReadFile(name); err == nil && string(old) == string(content) && !force {
		return os.Chmod(name, mode)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(name, flags, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: choose another place with -o, or replace it with --force", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close(), os.Chmod(name, mode))
}
