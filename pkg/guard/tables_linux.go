package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// tablePrefix is what the names of our tables begin with; the instance follows.
const tablePrefix = "goipsec_"

// secondTable ends the name of every other table of an instance: each new one takes the place of the one before.
const secondTable = "/2"

// tableNames are the names that the table of an instance can have.
func tableNames(instance string) [2]string {
	return [2]string{tablePrefix + instance, tablePrefix + instance + secondTable}
}

// tables returns the tables of the family inet that are ours, and of each whether it has rules: a table without chains is what a killed process had begun.
func tables() (map[string]bool, error) {
	conn, err := dial()
	if err != nil {
		return nil, unavailable(err)
	}
	all, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, unavailable(err)
	}
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, unavailable(err)
	}
	ours := map[string]bool{}
	for _, t := range all {
		if strings.HasPrefix(t.Name, tablePrefix) {
			ours[t.Name] = slices.ContainsFunc(chains, func(c *nftables.Chain) bool { return c.Table.Name == t.Name && c.Name == chainInput })
		}
	}
	return ours, nil
}

// turns returns the name of the table that is in force for an instance, "" if there is none, and that of the next one.
func turns(instance string) (old, fresh string, err error) {
	there, err := tables()
	names := tableNames(instance)
	switch {
	case err != nil:
		return "", "", err
	case there[names[0]]:
		return names[0], names[1], nil
	case there[names[1]]:
		return names[1], names[0], nil
	}
	return "", names[0], nil
}

// inForce returns the table of an instance. The error wraps ErrNone if there is none.
func inForce(instance string) (*nftables.Table, error) {
	if err := checkInstance(instance); err != nil {
		return nil, err
	}
	name, _, err := turns(instance)
	if err == nil && name == "" {
		err = fmt.Errorf("%w %s", ErrNone, instance)
	}
	return &nftables.Table{Name: name, Family: nftables.TableFamilyINet}, err
}

func remove(name string) error {
	conn, err := dial()
	if err != nil {
		return unavailable(err)
	}
	conn.DelTable(&nftables.Table{Name: name, Family: nftables.TableFamilyINet})
	if err := conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("the guard could not be removed; type  nft delete table inet %s: %w", name, err)
	}
	return nil
}

func clearTable(instance string) (removed bool, err error) {
	if err := checkInstance(instance); err != nil {
		return false, err
	}
	there, err := tables()
	if err != nil {
		return false, nil // where there is no nftables there is no table
	}
	var errs []error
	for _, n := range tableNames(instance) {
		if rules, ok := there[n]; ok {
			errs = append(errs, remove(n))
			removed = removed || rules
		}
	}
	return removed, errors.Join(errs...)
}

func list() ([]string, error) {
	there, err := tables()
	if err != nil {
		return nil, err
	}
	var names []string
	for n, rules := range there {
		if rules {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(n, tablePrefix), secondTable))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
