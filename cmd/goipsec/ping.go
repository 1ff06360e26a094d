package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/diagnose"
	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/route"
)

func pingCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ping PEER|RULE",
		Short: "Say which layer between this host and a peer fails",
		Long: `Tries the layers between this host and a peer one after the other: resolution of its name, route, UDP 500
and 4500, main mode, authentication, selectors (quick mode), ESP, an echo inside the SA, path MTU. Each is
ok, failed or skipped, with the cause and the next step. The target is a rule's name, a peer's address or
name, or an address that a rule protects. The layers from main mode on need a running instance; it is asked
to negotiate. Without --config the policy is that of the running instance, or ` + defaultConfig + `.

The exit code is 0, or that of the first layer that failed: goipsec help exit-codes.`,
		Example: `  sudo goipsec ping 192.0.2.2
  sudo goipsec ping branch-office --inner 192.168.2.1 --count 10`,
		Args: usage(cobra.ExactArgs(1)),
	}
	config, socket, asJSON := configFlag(c), socketFlag(c), jsonFlag(c)
	count := c.Flags().IntP("count", "n", 3, "how many echoes to send inside the SA")
	limit := c.Flags().Duration("timeout", 15*time.Second, "how long to wait for one layer")
	inner := c.Flags().String("inner", "", "the `address` to send echoes to (default: the peer's, or the first of the rule's remote network)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		o := diagnose.PingOptions{Target: args[0], Count: *count, Timeout: *limit, Mark: route.Derive(control.Instance(*socket)).Mark, Now: time.Now, Pause: pause,
			Resolve: func(ctx context.Context, name string) ([]netip.Addr, error) {
				return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
			}}
		if *inner != "" {
			a, err := netip.ParseAddr(*inner)
			if err != nil {
				return usageError{fmt.Errorf("--inner: %.50q is no address", *inner)}
			}
			o.Inner = a.Unmap()
		}
		client := control.NewClient(*socket)
		path := *config
		if status, err := client.Status(cmd.Context()); err == nil {
			o.Endpoint = client
			if !cmd.Flags().Changed("config") {
				path = status.ConfigPath
			}
		} else {
			o.NoEndpoint = err.Error()
		}
		var err error
		if o.Policy, _, err = expand(cmd.Context(), path, nil); err != nil {
			o.Policy, o.NoPolicy = nil, "the policy could not be read: "+err.Error()
		}
		t := diagnose.Ping(cmd.Context(), o)
		if err := inspect.Write(cmd.OutOrStdout(), t, *asJSON); err != nil {
			return err
		}
		return coded(t.ExitCode)
	}
	return c
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// codedError ends the process with a code of its own, what there is to say having been said.
type codedError struct{ code exitCode }

func (codedError) Error() string { return "" }

// coded is the error for an exit code, nil for 0.
func coded(code int) error {
	if code == 0 {
		return nil
	}
	return codedError{exitCode(code)}
}

// asCoded finds the code of a codedError.
func asCoded(err error) (exitCode, bool) {
	var e codedError
	ok := errors.As(err, &e)
	return e.code, ok
}
