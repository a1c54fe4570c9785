//go:build unix

package main

import (
	"os"
	"syscall"
)

// pause stops a process, proceed lets it go on. One that has ended is left alone.
func pause(p *os.Process)   { _ = p.Signal(syscall.SIGSTOP) }
func proceed(p *os.Process) { _ = p.Signal(syscall.SIGCONT) }
