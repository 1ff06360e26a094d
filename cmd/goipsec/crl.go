package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/pki/revocation"
)

func crlCommand() *cobra.Command {
	return parent("crl", "Show or empty the cache of revocation lists", crlListCommand(), crlFlushCommand())
}

// cacheFlags say which cache is meant.
type cacheFlags struct{ config, dir *string }

func addCacheFlags(c *cobra.Command) cacheFlags {
	return cacheFlags{configFlag(c), c.Flags().String("cache", "", "the cache's `directory` (default: that of the policy file, or the system's)")}
}

// directory finds the cache: that of the flag, or of the assigned policy if the file can be read and names one, or the system's.
func (f cacheFlags) directory(cmd *cobra.Command) (string, error) {
	if *f.dir != "" {
		return *f.dir, nil
	}
	file, err := read(*f.config)
	switch {
	case err != nil && cmd.Flags().Changed("config"):
		return "", err
	case err == nil && file.Assigned.Certificates.Cache != "":
		return file.Assigned.Certificates.Cache, nil
	}
	dir := revocation.DefaultDir()
	if dir == "" {
		return "", usageError{fmt.Errorf("no directory for a cache is known: name it with --cache")}
	}
	return dir, nil
}

func crlListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "Show what is known about revoked certificates",
		Long: `Shows the revocation lists and OCSP answers that were fetched and are kept until they expire: where each came from,
whose it is, when it expires, and how many certificates a list revokes.`,
		Example: `  goipsec crl list`,
		Args:    usage(cobra.NoArgs),
	}
	flags, asJSON := addCacheFlags(c), jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := flags.directory(cmd)
		if err != nil {
			return err
		}
		list, err := revocation.List(dir)
		if err != nil {
			return fmt.Errorf("the cache of revocation lists: %w", err)
		}
		return inspect.Write(cmd.OutOrStdout(), inspect.ViewRevocation(dir, list, time.Now()), *asJSON)
	}
	return c
}

func crlFlushCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "flush",
		Short: "Forget what is known about revoked certificates",
		Long: `Deletes the revocation lists and OCSP answers of the cache, so that they are fetched anew when they are needed next. A running
instance notices. Use it after an authority has revoked a certificate before its last list expired.`,
		Example: `  sudo goipsec crl flush`,
		Args:    usage(cobra.NoArgs),
	}
	flags := addCacheFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := flags.directory(cmd)
		if err != nil {
			return err
		}
		n, err := revocation.Flush(dir)
		if err != nil {
			return fmt.Errorf("the cache of revocation lists: %w", err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d forgotten\n", dir, n)
		return nil
	}
	return c
}
