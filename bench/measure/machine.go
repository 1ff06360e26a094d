package measure

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Machine is where figures come from. What could not be found out is empty.
type Machine struct {
	OS     string    `json:"os"`
	Arch   string    `json:"arch"`
	CPU    string    `json:"cpu,omitempty"`
	CPUs   int       `json:"cpus"`
	Kernel string    `json:"kernel,omitempty"`
	Go     string    `json:"go"`
	Commit string    `json:"commit,omitempty"`
	Load   string    `json:"load_average,omitempty"` // of 1, 5 and 15 minutes, before the run
	Began  time.Time `json:"began"`
}

// Here describes this machine, and the program that runs.
func Here() Machine {
	return Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: processor(), CPUs: runtime.NumCPU(), Kernel: line("/proc/sys/kernel/osrelease"),
		Go: runtime.Version(), Commit: commit(), Load: Load(), Began: time.Now().UTC().Truncate(time.Second)}
}

// Load returns the load averages of 1, 5 and 15 minutes as Linux prints them; "" elsewhere.
func Load() string {
	fields := strings.Fields(line("/proc/loadavg"))
	if len(fields) < 3 {
		return ""
	}
	return strings.Join(fields[:3], " ")
}

// String is the machine in one line.
func (m Machine) String() string {
	text := fmt.Sprintf("%d × %s, %s/%s", m.CPUs, cmp.Or(m.CPU, "unknown processor"), m.OS, m.Arch)
	if m.Kernel != "" {
		text += ", kernel " + m.Kernel
	}
	text += ", " + m.Go
	if m.Commit != "" {
		text += ", goipsec " + m.Commit
	}
	if m.Load != "" {
		text += ", load average before the run " + m.Load
	}
	return text
}

// line reads a file of one line.
func line(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func processor() string {
	for l := range strings.Lines(line("/proc/cpuinfo")) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// commit is what the Go tool stamped into the program, or else what git says of the directory if that is a clone of goipsec.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if c := stamped(info.Settings); c != "" {
			return c
		}
	}
	module, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(module), "module github.com/goipsec/goipsec\n") {
		return ""
	}
	text, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// stamped reads revision and state of the tree from a build's settings.
func stamped(settings []debug.BuildSetting) string {
	var revision, dirty string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}
