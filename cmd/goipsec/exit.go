package main

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/spf13/cobra"
)

// exitCode is what the process ends with. The numbers are stable: scripts depend on them.
type exitCode int

const (
	exitOK         exitCode = 0
	exitFailure    exitCode = 1
	exitUsage      exitCode = 2
	exitPolicyFile exitCode = 3
	exitNotRunning exitCode = 4
	exitPermission exitCode = 5
	exitInUse      exitCode = 6
	exitNotFound   exitCode = 7
	exitDiffers    exitCode = 8
)

const exitHelp = `Exit codes are stable:

  0  the command did what was asked
  1  it failed for a reason that no other code names
  2  the command line is wrong: an unknown command or flag, a missing or bad argument
  3  the policy file has errors
  4  no instance is running on the socket
  5  permission is missing: not root, a capability missing, or another user's socket
  6  something is in use: the socket by another instance, a port by another process
  7  the running instance knows no such peer, rule, SA or policy
  8  policy diff found differences

goipsec ping ends with that of the first layer that failed:

  10  resolution      the target is no rule, and its name has no address
  11  route           this host has no way to the peer
  12  udp-500         the peer's IKE port cannot be reached
  13  udp-4500        nor its port for what passes a NAT
  14  main-mode       the ends do not agree on a method
  15  authentication  one could not prove who it is
  16  selectors       quick mode: the ends do not agree on traffic or protection
  17  esp             protected packets do not go and come
  18  inner-echo      an echo inside the SA is not answered
  19  path-mtu        large packets vanish

goipsec doctor ends with

  20  it found a problem; warnings alone are no reason
`

// usageError marks a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage turns the errors of an argument check into usage errors.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// codeOf sorts an error by its kind, never by its text.
func codeOf(err error) exitCode {
	var wrong usageError
	var file config.Errors
	var expansion policy.Errors
	var down *control.NotRunningError
	var denied *control.PermissionError
	var used *control.InUseError
	var remote *control.RemoteError
	code, isCoded := asCoded(err)
	switch {
	case err == nil:
		return exitOK
	case isCoded:
		return code
	case errors.Is(err, errDiffers):
		return exitDiffers
	case errors.As(err, &wrong):
		return exitUsage
	case errors.As(err, &file), errors.As(err, &expansion):
		return exitPolicyFile
	case errors.As(err, &down):
		return exitNotRunning
	case errors.As(err, &used), errors.Is(err, endpoint.ErrInUse), errors.Is(err, syscall.EADDRINUSE):
		return exitInUse
	case errors.As(err, &denied), errors.Is(err, fs.ErrPermission):
		return exitPermission
	case errors.As(err, &remote) && remote.Code == control.CodeNotFound:
		return exitNotFound
	case errors.As(err, &remote) && remote.Code == control.CodePolicyFile:
		return exitPolicyFile
	}
	return exitFailure
}
