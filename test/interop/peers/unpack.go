package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// unpackAll extracts every package of a directory into one tree whose /bin, /sbin and /lib are those of /usr.
func unpackAll(ctx context.Context, debs, tree string) error {
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("apt-get downloaded nothing")
	}
	for _, file := range files {
		if text, err := exec.CommandContext(ctx, "dpkg-deb", "-x", file, tree).CombinedOutput(); err != nil {
			return fmt.Errorf("unpacking %s: %w: %s", filepath.Base(file), err, lastLine(text))
		}
	}
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := merge(filepath.Join(tree, dir), filepath.Join(tree, "usr", dir)); err != nil {
			return fmt.Errorf("merging /%s into /usr: %w", dir, err)
		}
	}
	return nil
}

// merge moves what is below from to the same place below to.
func merge(from, to string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		if entry.IsDir() && exists(target) {
			err = merge(source, target)
		} else {
			err = os.Rename(source, target)
		}
		if err != nil {
			return err
		}
	}
	return os.Remove(from)
}

// linkModules puts the modules of user-mode Linux where its modprobe looks: /usr/lib/modules/VERSION.
func linkModules(tree string) error {
	versions, err := os.ReadDir(filepath.Join(tree, "usr/lib/uml/modules"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // user-mode Linux is the host's own: Enter finds its modules there
	}
	if err != nil {
		return err
	}
	modules := filepath.Join(tree, "usr/lib/modules")
	if err := os.MkdirAll(modules, 0o755); err != nil {
		return err
	}
	for _, version := range versions {
		if err := os.Symlink(filepath.Join("../uml/modules", version.Name()), filepath.Join(modules, version.Name())); err != nil {
			return err
		}
	}
	return nil
}
