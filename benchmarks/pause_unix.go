//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// pause stops a process, proceed lets it go on. One that has ended is left alone.
func pause(p *os.Process)   { _ = p.Signal(unix.SIGSTOP) }
func proceed(p *os.Process) { _ = p.Signal(unix.SIGCONT) }
