package guard

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const system = "nftables"

// socketBuffer is the most, in octets, that one transaction or its acknowledgements may take: some hundred thousand filters.
const socketBuffer = 256 << 20

// priority puts our chains just before those of an ordinary filter: what it accepts is still the administrator's to refuse.
const priority = -10

func install(cfg Config) error {
	if err := check(&cfg); err != nil {
		return err
	}
	err := write(&cfg, false)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT) {
		err = write(&cfg, true)
	}
	return err
}

// write replaces the table by another one. The kernel switches from the rules of one transaction to those of the next at once, but a set of ranges that is made in
// a transaction stands empty for a moment after that. So the sets are made first, in a table that has no rules yet.
func write(cfg *Config, noRanges bool) error {
	old, fresh, err := turns(cfg.Instance)
	if err != nil {
		return err
	}
	sets, err := dial()
	if err != nil {
		return unavailable(err)
	}
	rules, err := dial()
	if err != nil {
		return unavailable(err)
	}
	table := &nftables.Table{Name: fresh, Family: nftables.TableFamilyINet}
	// Add, so that there is one to delete; delete what a process left that was killed in between; add anew.
	sets.AddTable(table)
	sets.DelTable(table)
	sets.AddTable(table)
	rules.AddTable(table)
	c := compiler{setConn: sets, conn: rules, table: table, cfg: cfg, noRanges: noRanges}
	if err := c.compile(); err != nil {
		return err
	}
	if old != "" {
		rules.DelTable(&nftables.Table{Name: old, Family: nftables.TableFamilyINet})
	}
	if err := sets.Flush(); err != nil {
		return unavailable(err)
	}
	if err := rules.Flush(); err != nil {
		return errors.Join(unavailable(err), remove(fresh))
	}
	return nil
}

func dial() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		// Without the right to force it the system's limit applies, which is enough for ordinary policies.
		_ = c.SetWriteBuffer(socketBuffer)
		_ = c.SetReadBuffer(socketBuffer)
		return nil
	}))
}

// unavailable makes ErrUnavailable of the errors that say that there is no nftables, or not for us.
func unavailable(err error) error {
	for _, e := range [...]error{unix.EPERM, unix.EACCES, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.EOPNOTSUPP, unix.ENOENT, unix.EINVAL} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w (nftables: %w; the capability CAP_NET_ADMIN and a kernel with nf_tables are needed)", ErrUnavailable, err)
		}
	}
	return fmt.Errorf("the guard could not be put in force: %w", err)
}
