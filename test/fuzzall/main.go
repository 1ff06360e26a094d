// Fuzzall runs every fuzz target of the module, one after the other, each for the same time. The targets are found, not listed, so
// that none is forgotten. It fails if a target fails, after having run the others.
//
//	go run ./test/fuzzall -fuzztime 10s
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

type target struct{ pkg, name string }

func main() {
	fuzztime := flag.String("fuzztime", "5s", "how long each target runs, as go test -fuzztime reads it")
	only := flag.String("only", "", "a regular expression: run the targets whose package and name match")
	list := flag.Bool("list", false, "print the targets and run none")
	flag.Parse()
	filter, err := regexp.Compile(*only)
	if err != nil {
		fail(err)
	}
	targets, err := find()
	if err != nil {
		fail(err)
	}
	failed := 0
	for _, t := range targets {
		switch {
		case !filter.MatchString(t.pkg + "." + t.name):
		case *list:
			fmt.Println(t.pkg, t.name)
		case !run(t, *fuzztime):
			failed++
		}
	}
	if failed > 0 {
		fail(fmt.Errorf("%d of %d fuzz targets failed", failed, len(targets)))
	}
	fmt.Printf("fuzz targets: %d\n", len(targets))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "fuzzall:", err)
	os.Exit(1)
}

// find reads what go test -list prints: the names of a package's targets, and then "ok", the package and a time.
func find() ([]target, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", "test", "-list", "^Fuzz", "./cmd/...", "./pkg/...")
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing: %w\n%s%s", err, text, stderr.Bytes())
	}
	var targets []target
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case strings.HasPrefix(fields[0], "Fuzz"):
			names = append(names, fields[0])
		case fields[0] == "ok" && len(fields) > 1:
			for _, name := range names {
				targets = append(targets, target{fields[1], name})
			}
			names = nil
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("no fuzz target found")
	}
	return targets, nil
}

var executions = regexp.MustCompile(`execs: (\d+)`)

// outOfTime reports whether a run that failed has found nothing: the end of its time has met the fuzzer at work on an input, which go test takes for a failure now and then.
func outOfTime(text string) bool {
	return strings.Contains(text, "    context deadline exceeded\n") && !strings.Contains(text, "Failing input written")
}

// run fuzzes one target and prints how many inputs it tried.
func run(t target, fuzztime string) bool {
	// An interesting input is made smaller for a minute, unless told otherwise: longer than a short run. Where keys are random it never gets smaller.
	text, err := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", fuzztime, "-fuzzminimizetime", "10x", t.pkg).CombinedOutput()
	if err != nil && !outOfTime(string(text)) {
		fmt.Printf("FAIL %s %s: %v\n%s\n", t.pkg, t.name, err, text)
		return false
	}
	count := "0"
	if all := executions.FindAllStringSubmatch(string(text), -1); len(all) > 0 {
		count = all[len(all)-1][1]
	}
	fmt.Printf("%s %s: %s executions\n", t.pkg, t.name, count)
	return true
}
