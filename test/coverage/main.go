// Coverage prints the statement coverage of each package by its own tests and fails where a package that must keep the bound
// does not.
//
//	go run ./test/coverage
package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// bound is the least coverage, in percent, of the packages on which the safety of traffic rests.
const bound = 85

var must = []string{"pkg/classifier", "pkg/sa", "pkg/esp", "pkg/ah", "pkg/suite", "pkg/packet", "pkg/ike"}

const module = "github.com/goipsec/goipsec/"

var line = regexp.MustCompile(`(?m)^(?:ok)?\s+` + regexp.QuoteMeta(module) + `(pkg/\S+)\s.*coverage: ([0-9.]+)% of statements`)

func main() {
	text, err := exec.Command("go", "test", "-cover", "./pkg/...").CombinedOutput()
	if err != nil {
		fmt.Printf("%s\ncoverage: %v\n", text, err)
		os.Exit(1)
	}
	seen, low := 0, 0
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		percent, _ := strconv.ParseFloat(m[2], 64)
		note := ""
		if keepsBound(m[1]) {
			seen++
			if percent < bound {
				low++
				note = fmt.Sprintf("  below %d %%", bound)
			}
		}
		fmt.Printf("%6.1f %%  %s%s\n", percent, m[1], note)
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

func keepsBound(pkg string) bool {
	for _, m := range must {
		if pkg == m || strings.HasPrefix(pkg, m+"/") {
			return true
		}
	}
	return false
}
