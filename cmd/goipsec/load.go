package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/spf13/cobra"
)

// defaultConfig is the policy file of those who name none.
const defaultConfig = "/etc/goipsec/policy.yaml"

// configFlag adds -c.
func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("config", "c", defaultConfig, "the policy `file`")
}

// localFlag adds --local.
func localFlag(c *cobra.Command) *[]string {
	return c.Flags().StringSlice("local", nil, "look at the policy as on a host with these `addresses` (default: this host's)")
}

// resolve looks up the DNS names of a policy.
func resolve(ctx context.Context, p *policy.Policy) (*policy.Policy, error) {
	return p.Resolve(func(name string) ([]netip.Addr, error) { return net.DefaultResolver.LookupNetIP(ctx, "ip", name) })
}

// read reads a policy file as a person wants to look at it: what up would refuse about key files is a warning here.
func read(path string) (*config.File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the policy file: %w", err)
	}
	return config.Parse(path, data, config.Options{})
}

// expand reads the assigned policy of a file and expands it for a host.
func expand(ctx context.Context, path string, local []string) (*policy.Compiled, []netip.Addr, error) {
	file, err := read(path)
	if err != nil {
		return nil, nil, err
	}
	host, err := localHost(file.Assigned, local)
	if err != nil {
		return nil, nil, err
	}
	p, err := resolve(ctx, file.Assigned)
	if err != nil {
		return nil, nil, err
	}
	c, err := policy.CompileOn(p, host)
	return c, host.Addresses, err
}

// localHost is the host that a policy is looked at for: that of --local, of which nothing but its addresses is known, so that every one counts for every
// connection type and live keywords stand for nothing; or this one.
func localHost(p *policy.Policy, given []string) (policy.LocalHost, error) {
	addrs, err := localAddresses(given)
	if err != nil || len(given) > 0 {
		return policy.LocalHost{Addresses: addrs}, err
	}
	host, err := endpoint.ThisHost(p)
	host.Addresses = addrs
	return host, err
}

// localAddresses reads the addresses of --local, or asks the system for those of this host.
func localAddresses(given []string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, s := range given {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, usageError{fmt.Errorf("--local: %.50q is no address", s)}
		}
		addrs = append(addrs, a.Unmap())
	}
	if len(given) > 0 {
		return addrs, nil
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("this host's addresses: %w", err)
	}
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap().WithZone(""))
		}
	}
	return addrs, nil
}
