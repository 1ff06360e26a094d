package e2e

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// install builds a program of another project from the module proxy, once, and returns where it lies.
func install(ctx context.Context, cache, module, version string) (program string, err error) {
	if cache == "" {
		if cache, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("there is no cache directory to build %s in: %w; name one with --cache", module, err)
		}
		cache = filepath.Join(cache, "goipsec")
	}
	dir := filepath.Join(cache, strings.ReplaceAll(module, "/", "_")+"@"+version)
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	program = filepath.Join(dir, path.Base(module))
	if info, err := buildinfo.ReadFile(program); err == nil && info.Main.Path == module && info.Main.Version == version {
		return program, nil
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("%s has to be built and there is no Go tool in the path: %w", module, err)
	}
	cmd := exec.CommandContext(ctx, tool, "install", module+"@"+version)
	cmd.Env = append(cmd.Environ(), "GOBIN="+dir, "CGO_ENABLED=0")
	cmd.Dir = os.TempDir()
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s@%s cannot be built: %w; the Go tool says:\n%s", module, version, err, text)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", err
	}
	if info.Main.Version != version {
		return "", errors.New(module + " was built as " + info.Main.Version + " and not as " + version)
	}
	return program, nil
}

// buildOf says what a Go program was built from and by which Go; "" if it does not tell.
func buildOf(program string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %s (%s)", info.Main.Path, info.Main.Version, info.GoVersion)
}
