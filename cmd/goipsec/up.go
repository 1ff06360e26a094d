package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/policy"
)

// upFlags are the flags of up.
type upFlags struct {
	config, socket, tun, keylog string
	noGuard, noRing, noOffload  bool
	queues                      int
	directESP                   bool
	log                         logFlags
	web                         webFlags
}

func upCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Apply a policy and protect traffic until interrupted",
		Long: `Applies the assigned policy of a file and runs in the foreground until SIGINT or SIGTERM.
On the way out it deletes its SAs at the peers and removes every route, rule, address, device and
guard rule it made. SIGHUP (or goipsec reload) applies a changed file without dropping SAs that
the change does not touch; a bad file is refused, and the old policy stays.`,
		Example: `  sudo goipsec up -c examples/host-to-host.yaml
  sudo goipsec up -c examples/host-to-host.yaml --web 127.0.0.1:0`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return up(cmd.Context(), f) },
	}
	c.Flags().StringVarP(&f.config, "config", "c", defaultConfig, "the policy `file`")
	c.Flags().StringVar(&f.socket, "socket", control.DefaultPath(), "the control `socket` to make; one for each instance")
	c.Flags().StringVar(&f.tun, "tun", "", "the `name` of the TUN device (default: from the file, or the system's choice)")
	c.Flags().StringVar(&f.keylog, "keylog", "", "write keys for Wireshark to this `directory`: whoever reads it reads the traffic")
	c.Flags().BoolVar(&f.noGuard, "no-guard", false, "go on without the host's firewall; what stays open is said")
	c.Flags().BoolVar(&f.noRing, "no-io-uring", false, "move packets by ordinary system calls")
	c.Flags().BoolVar(&f.noOffload, "no-offload", false, "move each packet by itself and not in superpackets")
	c.Flags().IntVar(&f.queues, "queues", 0, "work in this `number` of queues, at most one a processor (default: from the file, or 1)")
	c.Flags().BoolVar(&f.directESP, "direct-esp", false, "move raw ESP past this host's network stack: faster, but its firewall does not see it (Linux 6.6, IPv4)")
	f.web.add(c)
	f.log.add(c)
	return c
}

func up(ctx context.Context, f upFlags) error {
	log, err := f.log.logger(os.Stderr)
	if err != nil {
		return err
	}
	// A signal that comes while the host is being prepared must not end the process halfway.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	words := new(passphrases)
	file, err := config.LoadWith(f.config, words.options())
	if err != nil {
		return err
	}
	for _, w := range file.Warnings {
		log.Warn(w.String())
	}
	opts, err := f.options(ctx, file, words, log)
	if err != nil {
		return err
	}
	l, err := control.Listen(f.socket)
	if err != nil {
		return err
	}
	page, token, err := f.web.listen()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	ep, err := endpoint.New(opts)
	if err != nil {
		if page != nil {
			err = errors.Join(err, page.Close())
		}
		return errors.Join(err, l.Close())
	}
	srv := control.Serve(l, ep)
	endPage := serveWeb(page, token, ep, os.Stdout, log)
	go reloadOn(ctx, hup, ep, log)
	log.Info("up", "policy", file.Assigned.Name, "socket", f.socket, "pid", os.Getpid())
	return errors.Join(ep.Run(ctx), endPage(), srv.Close())
}

// reloadOn reloads the policy at each signal. A bad file is logged; the old policy stays.
func reloadOn(ctx context.Context, hup <-chan os.Signal, ep control.Endpoint, log *slog.Logger) {
	for {
		select {
		case <-hup:
			if _, err := ep.Reload(); err != nil { // the endpoint logs what waits for a restart
				log.Error("the policy was not reloaded", "error", err)
			} else {
				log.Info("the policy was reloaded")
			}
		case <-ctx.Done():
			return
		}
	}
}

// options maps a file and flags to what an endpoint takes.
func (f *upFlags) options(ctx context.Context, file *config.File, words *passphrases, log *slog.Logger) (endpoint.Options, error) {
	p, err := resolve(ctx, file.Assigned)
	if err != nil {
		return endpoint.Options{}, err
	}
	o := f.settings(file)
	o.Policy, o.Load = p, func() (*endpoint.PolicyFile, error) { return f.again(ctx, words, log) }
	o.Instance, o.ConfigPath, o.Version, o.Log = control.Instance(f.socket), f.config, version(), log
	o.KeylogDir, o.NoRing, o.NoOffload, o.DirectESP = f.keylog, f.noRing, f.noOffload, f.directESP
	return o, nil
}

// settings are those of a file that are looked at when an endpoint starts. Flags weigh more.
func (f *upFlags) settings(file *config.File) endpoint.Options {
	name := file.Tun.Name
	if f.tun != "" {
		name = f.tun
	}
	queues := file.Tun.Queues
	if f.queues != 0 {
		queues = f.queues
	}
	return endpoint.Options{Listen: file.Listen.Addrs, Port: file.Listen.Port, NATPort: file.Listen.NATPort, TUNName: name, MTU: file.Tun.MTU, Queues: queues,
		NoGuard: f.noGuard || file.Guard == config.GuardOff}
}

// again reads the policies for a reload, and the file's other settings, which take a restart.
func (f *upFlags) again(ctx context.Context, words *passphrases, log *slog.Logger) (*endpoint.PolicyFile, error) {
	file, err := config.LoadWith(f.config, words.options())
	if err != nil {
		return nil, err
	}
	for _, w := range file.Warnings {
		log.Warn(w.String())
	}
	start := f.settings(file)
	return &endpoint.PolicyFile{Policies: file.Policies, Assigned: file.Assigned, Start: &start,
		Resolve: func(p *policy.Policy) (*policy.Policy, error) { return resolve(ctx, p) }}, nil
}
