package route

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// confDir holds a directory of settings for each interface.
const confDir = "/proc/sys/net/ipv4/conf"

// LoosenRPFilter sets rp_filter from 1 (strict) to 2 (loose) on every interface where it is in force, and returns their names. Under
// strict filtering the kernel drops what a captured peer sends, ESP too, because the way back to it leads into the TUN. Setup calls
// it; call it again when an interface came. With Config.RefuseStrict it changes nothing and returns ErrStrictRPFilter with the
// command to type. What was there before is kept in the state file until Close or Clean.
func (h *Host) LoosenRPFilter() ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.loosenRPFilter()
}

func (h *Host) loosenRPFilter() ([]string, error) {
	strict, err := strictInterfaces()
	if err != nil || len(strict) == 0 {
		return nil, err
	}
	if h.cfg.RefuseStrict {
		return nil, fmt.Errorf("%w: type  sysctl -w %s", ErrStrictRPFilter, rpFilterArgs(strict))
	}
	s, err := loadState(h.cfg.Instance, h.cfg.stateDir())
	if err != nil {
		return nil, err
	}
	for _, name := range strict {
		if _, saved := s.RPFilter[name]; !saved {
			old, err := readSetting(name)
			if err != nil {
				return nil, err
			}
			s.RPFilter[name] = old
		}
	}
	// The file comes first: a crash in between then restores what was never changed, which does no harm.
	if err := s.save(h.cfg.stateDir()); err != nil {
		return nil, err
	}
	for _, name := range strict {
		if err := writeSetting(name, "2"); err != nil {
			return nil, fmt.Errorf("rp_filter of %s could not be loosened (%w); type  sysctl -w %s", name, err, rpFilterArgs(strict))
		}
	}
	return strict, nil
}

func rpFilterArgs(names []string) string {
	var args []string
	for _, n := range names {
		// In sysctl's notation a dot in a name is written as a slash.
		args = append(args, "net.ipv4.conf."+strings.ReplaceAll(n, ".", "/")+".rp_filter=2")
	}
	return strings.Join(args, " ")
}

// strictInterfaces returns the interfaces on which strict filtering is in force: the kernel takes the larger of the interface's value
// and that of "all". Loopback is left out.
func strictInterfaces() ([]string, error) {
	all, err := readSetting("all")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without IPv4, or /proc hidden from us
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(confDir)
	if err != nil {
		return nil, fmt.Errorf("rp_filter could not be read: %w", err)
	}
	var strict []string
	for _, e := range entries {
		name := e.Name()
		if name == "all" || name == "default" || name == "lo" {
			continue
		}
		v, err := readSetting(name)
		if err == nil && max(v, all) == "1" {
			strict = append(strict, name)
		}
	}
	slices.Sort(strict)
	return strict, nil
}

// restoreRPFilter sets the old value, unless somebody else has changed it or the interface is gone.
func restoreRPFilter(name, value string) (done bool, err error) {
	now, err := readSetting(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || now != "2" || value == "2" {
		return false, err
	}
	return true, writeSetting(name, value)
}

// plainInterface keeps a name from a file from leading elsewhere.
func plainInterface(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) < 16 && !strings.ContainsAny(name, "/\x00")
}

func readSetting(name string) (string, error) {
	b, err := os.ReadFile(confDir + "/" + name + "/rp_filter")
	return strings.TrimSpace(string(b)), err
}

func writeSetting(name, value string) error {
	return os.WriteFile(confDir+"/"+name+"/rp_filter", []byte(value), 0)
}
