package guard

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// system is the packet filter of macOS, which is reached by its program alone: the one program that goipsec starts. Its path and its
// arguments are fixed but for the name of the instance, which has letters, digits and three signs only; what a peer sends is in neither.
const system = "pf"

const pfctl = "/sbin/pfctl"

// run starts pfctl and returns what it prints.
func run(input string, args ...string) (string, error) {
	cmd := exec.Command(pfctl, args...)
	cmd.Stdin = strings.NewReader(input)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w (pfctl %s: %w: %s)", ErrUnavailable, strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

func anchor(instance string) string { return pfParent + "/" + instance }

func install(cfg Config) error {
	if err := check(&cfg); err != nil {
		return err
	}
	rules, err := run("", "-s", "rules")
	if err != nil {
		return err
	}
	if !strings.Contains(rules, `anchor "`+pfParent+`/*"`) {
		return fmt.Errorf("%w: the main rules of pf do not ask those of goipsec; add the line  anchor \"%s/*\"  to /etc/pf.conf and type  pfctl -f /etc/pf.conf", ErrUnavailable, pfParent)
	}
	// One load is one transaction: the old rules hold until the new ones do.
	if _, err := run(pfRules(&cfg), "-q", "-a", anchor(cfg.Instance), "-f", "-"); err != nil {
		return err
	}
	_, err = run("", "-q", "-E") // enabled it stays: others may have come to rely on it
	return err
}

func clearTable(instance string) (removed bool, err error) {
	if err := checkInstance(instance); err != nil {
		return false, err
	}
	names, err := list()
	if err != nil || !slices.Contains(names, instance) {
		return false, nil // where there is no pf there is no anchor
	}
	if _, err := run("", "-q", "-a", anchor(instance), "-F", "rules"); err != nil {
		return false, fmt.Errorf("the guard of instance %s could not be removed: %w", instance, err)
	}
	return true, nil
}

func list() ([]string, error) {
	printed, err := run("", "-a", pfParent, "-s", "Anchors")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(readPFAnchors(printed), func(name string) bool {
		rules, err := run("", "-a", anchor(name), "-s", "rules")
		return err == nil && strings.TrimSpace(rules) == "" // emptied anchors stay listed
	}), nil
}

func show(instance string) (*Listing, error) {
	if err := checkInstance(instance); err != nil {
		return nil, err
	}
	printed, err := run("", "-a", anchor(instance), "-v", "-s", "rules")
	if err != nil {
		return nil, err
	}
	l := readPF(instance, printed)
	if len(l.Lines) == 0 {
		return nil, fmt.Errorf("%w %s", ErrNone, instance)
	}
	return l, nil
}

func dropped(instance string) (Dropped, error) {
	l, err := show(instance)
	if err != nil {
		return Dropped{}, err
	}
	return l.Dropped, nil
}
