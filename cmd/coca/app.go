package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed-e0874532/coca/generate"
)

// Exit statuses.
const (
	statusOK          = 0
	statusSomeFailed  = 1
	statusUsage       = 2
	statusInterrupted = 130
)

// app is one run of the command.
type app struct {
	in       io.Reader
	out, err io.Writer
	failed   bool // some input failed and the others were done
}

// usageError marks wrong usage and models that cannot be loaded.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage makes a usage error.
func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run executes the command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	out := bufio.NewWriter(a.out)
	a.out = out
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	var wrong usageError
	var option *generate.OptionError
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(a.err, "coca: interrupted")
		return statusInterrupted
	case err == nil && a.failed:
		return statusSomeFailed
	case err == nil:
		return statusOK
	case errors.As(err, &option):
		a.report(fmt.Errorf("--%s: want %s, got %s", strings.ReplaceAll(option.Option, "_", "-"), option.Want, option.Got))
		return statusUsage
	case errors.As(err, &wrong):
		a.report(err)
		return statusUsage
	}
	a.report(err)
	return statusSomeFailed
}

// report prints an error on one line.
func (a *app) report(err error) {
	fmt.Fprintln(a.err, "coca:", strings.Join(strings.Fields(err.Error()), " "))
}

// warn prints a warning.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.err, "coca: warning: "+format+"\n", args...)
}

// fail reports an input that failed; the others go on.
func (a *app) fail(what string, err error) {
	a.failed = true
	a.report(fmt.Errorf("%s: %w", what, err))
}

// printJSON prints one object on a line.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// flush shows what was printed so far.
func (a *app) flush() {
	if w, ok := a.out.(*bufio.Writer); ok {
		w.Flush() // an error comes back at the end
	}
}

// onTerminal reports whether a stream is shown to a person.
func onTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// root builds the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "coca",
		Short:         "Caption images with CoCa, the contrastive captioner of OpenCLIP",
		Long:          "Caption images with CoCa, the contrastive captioner of OpenCLIP: the same captions, id for id, without Python.",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("command: want one of those that coca --help lists, got %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%s: %w (see coca %s --help)", c.Name(), err, c.Name())
	})
	root.AddCommand(a.captionCommand(), a.embedCommand(), a.scoreCommand(), a.tokenizeCommand(), a.preprocessCommand(),
		a.inspectCommand(), a.graphCommand(), a.verifyCommand(), a.convertCommand(), a.pullCommand(),
		a.benchCommand(), a.trainCommand(), a.dataCommand(), a.versionCommand())
	for _, c := range root.Commands() {
		c.Flags().SetInterspersed(false) // flags come before arguments: a file may be called --json
	}
	return root
}

// atLeast demands a number of arguments.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < n {
			return usage("%s: want at least %d %s, got %d", c.Name(), n, what, len(args))
		}
		return nil
	}
}

// exactly demands a number of arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s: want %s, got %d arguments", c.Name(), what, len(args))
		}
		return nil
	}
}

// nothing allows no arguments.
func nothing(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s: want no arguments, got %q", c.Name(), args[0])
	}
	return nil
}
