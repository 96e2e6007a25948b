// Command watchdog installs, watches and heals one host of an identity stack:
// Keycloak with PostgreSQL behind NGINX, and the gateways that ask it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil, errors.As(err, new(exitCode)):
	case errors.As(err, new(siteError)): // begins with the file and line, for editors
		fmt.Fprintln(os.Stderr, err)
	default:
		fmt.Fprintln(os.Stderr, "watchdog:", err)
	}
	return codeOf(err)
}
