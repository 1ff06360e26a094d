// Coverage prints the statement coverage of each package by its own tests and fails where a package that must keep the bound
// does not, unless it is one of instructions that the processor has not. The rooms of the key exchange count as one family: the engine's tests drive the exchanges, so each of them is measured by the tests of all.
//
//	go run ./test/coverage
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// bound is the least coverage, in percent, of the packages on which the safety of traffic rests.
const bound = 85

var must = []string{"pkg/classifier", "pkg/sa", "pkg/esp", "pkg/ah", "pkg/suite", "pkg/packet", "pkg/ike"}

// testRooms hold what several packages' tests share: no program contains them, and they have no tests of their own.
var testRooms = []string{"pkg/testdata", "pkg/testnet", "pkg/testpki", "pkg/suite/internal/aeadtest"}

// family are the packages that are measured by the tests of all of them.
const family = "pkg/ike"

const module = "github.com/goipsec/goipsec/"

var line = regexp.MustCompile(`(?m)^(?:ok)?\s+` + regexp.QuoteMeta(module) + `(pkg/\S+)\s.*coverage: ([0-9.]+)% of statements`)

func main() {
	percents, err := measure()
	if err != nil {
		fmt.Println("coverage:", err)
		os.Exit(1)
	}
	seen, low := 0, 0
	for _, pkg := range sorted(percents) {
		note := ""
		if slices.ContainsFunc(must, func(m string) bool { return below(pkg, m) }) {
			seen++
			switch {
			case percents[pkg] >= bound:
			case unfit(pkg):
				note = "  this processor has not the instructions that it is of"
			default:
				low++
				note = fmt.Sprintf("  below %d %%", bound)
			}
		}
		fmt.Printf("%6.1f %%  %s%s\n", percents[pkg], pkg, note)
	}
	switch {
	case seen < len(must):
		fmt.Printf("coverage: only %d packages of those that must keep the bound were measured\n", seen)
		os.Exit(1)
	case low > 0:
		fmt.Printf("coverage: %d packages below %d %%\n", low, bound)
		os.Exit(1)
	}
}

func below(pkg, room string) bool { return pkg == room || strings.HasPrefix(pkg, room+"/") }

// unfit reports whether a package has tests that were skipped because the processor lacks what they test. They say so with these words.
func unfit(pkg string) bool {
	text, err := exec.Command("go", "test", "-v", "./"+pkg).Output()
	return err == nil && strings.Contains(string(text), "this processor, or its operating system,") && strings.Contains(string(text), ": there is nothing to test")
}

func sorted(m map[string]float64) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// measure runs the tests and returns the coverage of each package in percent.
func measure() (map[string]float64, error) {
	text, err := exec.Command("go", "test", "-cover", "./pkg/...").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	percents := map[string]float64{}
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(testRooms, m[1]) {
			percents[m[1]], _ = strconv.ParseFloat(m[2], 64)
		}
	}
	dir, err := os.MkdirTemp("", "coverage")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	profile := filepath.Join(dir, "profile")
	text, err = exec.Command("go", "test", "-coverpkg=./"+family+"/...", "-coverprofile="+profile, "./"+family+"/...").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	raw, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	for pkg, percent := range parse(string(raw)) {
		percents[pkg] = percent
	}
	return percents, nil
}

// parse joins the blocks of a profile, which stand once for each test binary, and returns the coverage of each package. A line is
// "file:from,to statements count".
func parse(profile string) map[string]float64 {
	type block struct {
		statements int
		reached    bool
	}
	blocks := map[string]block{}
	for l := range strings.Lines(profile) {
		fields := strings.Fields(l)
		if len(fields) != 3 {
			continue
		}
		n, _ := strconv.Atoi(fields[1])
		b := blocks[fields[0]]
		blocks[fields[0]] = block{n, b.reached || fields[2] != "0"}
	}
	total, reached := map[string]int{}, map[string]int{}
	for at, b := range blocks {
		file, _, _ := strings.Cut(strings.TrimPrefix(at, module), ":")
		pkg := path.Dir(file)
		total[pkg] += b.statements
		if b.reached {
			reached[pkg] += b.statements
		}
	}
	percents := map[string]float64{}
	for pkg, n := range total {
		percents[pkg] = 100 * float64(reached[pkg]) / float64(max(n, 1))
	}
	return percents
}
