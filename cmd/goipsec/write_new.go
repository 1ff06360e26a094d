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
	if force {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	err := create(name, content, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: choose another place with -o, or replace it with --force", name)
	}
	return err
}

// create writes a file that is not there.
func create(name string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close(), os.Chmod(name, mode))
}
