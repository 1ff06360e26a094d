// Command goipsec is an IPsec endpoint in user space: it applies a policy file, negotiates keys by IKE and protects the traffic that the
// policy names. The commands hold no logic: each turns its flags into a call.
package main

import (
	"context"
	"fmt"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Args[1:])) }

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, "goipsec: "+err.Error())
	}
	return int(codeOf(err))
}
