// Command coca captions images with CoCa models, and does what goes with it:
// embeddings, scores, tokens, golden tests, conversion and download of weights.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	status := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}
