package peers

import (
	"fmt"
	"os"
	"path/filepath"
)

// Browser returns the program of a tree that EnsureBrowser made, and what its environment needs to find its libraries and its font where they lie.
// dir is a directory for the files that this takes.
func (s *Set) Browser(dir string) (program string, env []string, err error) {
	program = filepath.Join(s.Dir, "usr/lib/chromium/chromium")
	libraries, err := filepath.Glob(filepath.Join(s.Dir, "usr/lib/*-linux-gnu"))
	if err != nil || len(libraries) != 1 {
		return "", nil, fmt.Errorf("the libraries of the browser are not in %s (%v)", s.Dir, err)
	}
	fonts := filepath.Join(dir, "fonts.conf")
	text := fmt.Sprintf("<?xml version=\"1.0\"?>\n<fontconfig><dir>%s/usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>%s</cachedir></fontconfig>\n", s.Dir, filepath.Join(dir, "fonts"))
	if err := os.WriteFile(fonts, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	return program, []string{"LD_LIBRARY_PATH=" + libraries[0] + ":" + filepath.Join(libraries[0], "pulseaudio"), "FONTCONFIG_FILE=" + fonts}, nil
}
