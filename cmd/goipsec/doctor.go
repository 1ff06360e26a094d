package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/diagnose"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/policy"
)

func doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with this host",
		Long: `Looks at what an endpoint stands on: the TUN driver, rights, who holds UDP 500 and 4500, reverse-path
filters, forwarding, routes and rules of others, the firewall, the clock, kernel features, what a killed
instance left, MTU. Each line is ok, warning or problem, with what it means and what to do. Nothing is
changed. It works with and without a policy file, and with and without a running instance.`,
		Example: `  sudo goipsec doctor
  sudo goipsec doctor -c examples/site-to-site.yaml --json`,
		Args: usage(cobra.NoArgs),
	}
	config, socket, asJSON := configFlag(c), socketFlag(c), jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		named := ""
		if cmd.Flags().Changed("config") {
			named = *config
		}
		checkup := diagnose.Doctor(doctorOptions(cmd.Context(), *socket, named))
		if err := inspect.Write(cmd.OutOrStdout(), checkup, *asJSON); err != nil {
			return err
		}
		return coded(checkup.ExitCode())
	}
	return c
}

// doctorOptions gathers what doctor works with. named is the policy file of the command line, "" if there is none.
func doctorOptions(ctx context.Context, socket, named string) diagnose.DoctorOptions {
	o := diagnose.DoctorOptions{Instance: control.Instance(socket), Now: time.Now(), PolicyPath: named}
	if s, running := ask(ctx, control.NewClient(socket)); running {
		o.Status, o.Instance = &s, s.Instance
		if named == "" {
			o.PolicyPath = s.ConfigPath
		}
	}
	o.Others = others(ctx, socket)
	if o.PolicyPath == "" {
		o.PolicyPath = defaultConfig
	}
	file, err := read(o.PolicyPath)
	if errors.Is(err, fs.ErrNotExist) && named == "" {
		o.PolicyPath = ""
		return o
	}
	if err != nil {
		o.PolicyErr = err
		return o
	}
	o.Listen, o.Port, o.NATPort = file.Listen.Addrs, file.Listen.Port, file.Listen.NATPort
	for _, w := range file.Warnings {
		o.Warnings = append(o.Warnings, w.String())
	}
	if file.Assigned == nil {
		return o
	}
	host, err := localHost(file.Assigned, nil)
	if err == nil {
		var p *policy.Policy
		if p, err = resolve(ctx, file.Assigned); err == nil {
			o.Policy, err = policy.CompileOn(p, host)
		}
	}
	o.PolicyErr = err
	return o
}

// others asks the instances whose sockets stand beside this one, and those of the usual place.
func others(ctx context.Context, socket string) (list []endpoint.Status) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	asked := map[string]bool{socket: true}
	for _, dir := range []string{filepath.Dir(socket), filepath.Dir(control.DefaultPath())} {
		paths, _ := filepath.Glob(filepath.Join(dir, "*.sock"))
		for _, path := range paths {
			if asked[path] {
				continue
			}
			asked[path] = true
			if s, running := ask(ctx, control.NewClient(path)); running {
				list = append(list, s)
			}
		}
	}
	return list
}
