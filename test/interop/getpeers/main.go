// Getpeers fills the cache of peers that the interoperability tests use, so that a later run needs no network. It always
// succeeds: where there can be no peers it says which tests will be skipped, and why.
//
//	go run ./test/interop/getpeers
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"

	"github.com/goipsec/goipsec/test/interop/peers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	logf := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	if set, err := peers.Ensure(ctx, logf); err != nil {
		fmt.Printf("peers: %v\npeers: every test of ./test/interop that needs root or a peer will be skipped\n", err)
	} else {
		list(set)
	}
	if set, err := peers.EnsureBrowser(ctx, logf); err != nil {
		fmt.Printf("peers: %v\npeers: the tests of ./test/interop/browser will be skipped, unless the host has a Chromium of its own\n", err)
	} else {
		list(set)
	}
}

// list prints what a tree holds.
func list(set *peers.Set) {
	names := make([]string, 0, len(set.Packages))
	for name := range set.Packages {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Printf("peers: %d packages unpacked in %s\n", len(names), set.Dir)
	for _, name := range names {
		fmt.Printf("peers:   %s %s\n", name, set.Packages[name])
	}
}
