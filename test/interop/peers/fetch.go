package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fetch makes the tree under a temporary name and renames it: a tree with the right name is complete.
func fetch(ctx context.Context, cache, name string, of *list, logf func(string, ...any)) (*Set, error) {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, ErrNoApt
		}
	}
	missing, err := missingPackages(ctx, of)
	if err != nil {
		logf("peers: reading Debian's package lists")
		if err := apt(ctx, cache, "update"); err != nil {
			return nil, fmt.Errorf("no package lists and no network to get them: %w", err)
		}
		if missing, err = missingPackages(ctx, of); err != nil {
			return nil, err
		}
	}
	tmp, err := os.MkdirTemp(cache, "making-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	logf("peers: downloading %d packages into %s (nothing is installed)", len(missing), cache)
	if err := download(ctx, filepath.Join(tmp, "debs"), of, missing); err != nil {
		return nil, err
	}
	set := &Set{Dir: filepath.Join(tmp, "tree"), Packages: missing, of: of}
	if err := unpackAll(ctx, filepath.Join(tmp, "debs"), set.Dir); err != nil {
		return nil, err
	}
	if err := errors.Join(linkModules(set.Dir), set.check(), set.writeManifest()); err != nil {
		return nil, err
	}
	place := filepath.Join(cache, name)
	if err := errors.Join(os.RemoveAll(place), os.Rename(set.Dir, place)); err != nil {
		return nil, err
	}
	return open(place, of)
}

// missingPackages asks apt-get what an installation would add, without doing it. Packages that it would only upgrade stay as
// the host has them.
func missingPackages(ctx context.Context, of *list) (map[string]string, error) {
	args := append([]string{"install", "--simulate", "--no-install-recommends"}, of.want...)
	text, err := aptCommand(ctx, args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("apt-get cannot plan the peers: %w: %s", err, lastLine(text))
	}
	return parsePlan(string(text)), nil
}

// parsePlan reads lines such as "Inst iperf3 (3.12-1+deb12u2 Debian:12 [amd64])"; an upgrade has the old version in brackets
// after the name.
func parsePlan(text string) map[string]string {
	plan := make(map[string]string)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "Inst" || !strings.HasPrefix(fields[2], "(") {
			continue
		}
		plan[fields[1]] = strings.TrimPrefix(fields[2], "(")
	}
	return plan
}

// download gets the packages. A list that is older than the archive names versions that are gone: it is read again once.
func download(ctx context.Context, dir string, of *list, packages map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := downloadOnce(ctx, dir, packages)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if err := apt(ctx, dir, "update"); err != nil {
		return fmt.Errorf("no network for the peers: %w", err)
	}
	fresh, err := missingPackages(ctx, of)
	if err != nil {
		return err
	}
	clear(packages)
	for name, version := range fresh {
		packages[name] = version
	}
	return downloadOnce(ctx, dir, packages)
}

func downloadOnce(ctx context.Context, dir string, packages map[string]string) error {
	args := []string{"download"}
	for name, version := range packages {
		args = append(args, name+"="+version)
	}
	return apt(ctx, dir, args...)
}

func apt(ctx context.Context, dir string, args ...string) error {
	cmd := aptCommand(ctx, args...)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w: %s", args[0], err, lastLine(text))
	}
	return nil
}

func aptCommand(ctx context.Context, args ...string) *exec.Cmd {
	options := []string{"-q", "-y", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=20"}
	cmd := exec.CommandContext(ctx, "apt-get", append(options, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	return cmd
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
