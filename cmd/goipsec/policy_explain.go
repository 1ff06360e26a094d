package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/inspect"
)

func policyExplainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain SRC DST [PROTO [SPORT] DPORT]",
		Short: "Say which filter decides about a packet, why, and what is done",
		Long: `Says which specific filter decides about a packet, why it outweighs the others that match, what is done, and,
where an instance is running, which SA carries it. For ICMP the ports are type and code. Without
--config it is the file of the running instance, or ` + defaultConfig + `.`,
		Example: `  goipsec policy explain -c examples/host-to-host.yaml --local 192.0.2.1 192.0.2.1 192.0.2.2 tcp 443`,
		Args:    usage(cobra.RangeArgs(2, 5)),
	}
	config, socket, asJSON, local := configFlag(c), socketFlag(c), jsonFlag(c), localFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		k, err := inspect.ParseQuestion(args)
		if err != nil {
			return usageError{err}
		}
		client := control.NewClient(*socket)
		status, running := ask(cmd.Context(), client)
		path := *config
		if running && !cmd.Flags().Changed("config") {
			path = status.ConfigPath
		}
		compiled, addrs, err := expand(cmd.Context(), path, *local)
		if err != nil {
			return err
		}
		x := inspect.Explain(compiled, k, addrs)
		if running {
			carriers(cmd.Context(), client, status, k, &x)
		}
		return inspect.Write(cmd.OutOrStdout(), x, *asJSON)
	}
	return c
}

// ask asks for the status of an instance; there may be none, or one of another user's.
func ask(ctx context.Context, client *control.Client) (endpoint.Status, bool) {
	s, err := client.Status(ctx)
	return s, err == nil
}

// carriers adds the SAs of the running instance that carry the datagram, or says that it decides otherwise.
func carriers(ctx context.Context, client *control.Client, s endpoint.Status, k inspect.Question, x *inspect.Explanation) {
	proto, ports := inspect.Given(&k)
	a, err := client.Explain(ctx, endpoint.Question{Src: k.Src, Dst: k.Dst, Proto: k.Proto, ProtoGiven: proto, SrcPort: k.SrcPort, DstPort: k.DstPort, PortsGiven: ports})
	if err != nil {
		return
	}
	var lines []string
	for _, c := range s.Children {
		if slices.Contains(a.Carriers, c.ID) {
			lines = append(lines, c.String())
		}
	}
	x.Compare(inspect.Running{Policy: a.Policy, Direction: a.Direction, Filter: a.Filter, Rule: a.Rule, Action: a.Action, Dynamic: a.Dynamic, Carriers: lines})
}
