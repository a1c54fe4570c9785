package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// peers is a running peers.py.
type peers struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

type answer struct {
	Seconds float64
	Values  []float64
	IDs     json.RawMessage
	Error   string
}

func startPeers(python, script, model string, threads int, folder string) (*peers, error) {
	return startProcess(python, script, model, strconv.Itoa(threads), folder)
}

func startProcess(name string, args ...string) (*peers, error) {
	p := &peers{cmd: exec.Command(name, args...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 1<<20)
	return p, p.cmd.Start()
}

// ask sends a command and waits for its answer. Between two commands the process stands
// still: threads that libraries leave spinning after their work would slow down ours.
func (p *peers) ask(command map[string]any, into any) error {
	proceed(p.cmd.Process)
	defer pause(p.cmd.Process)
	data, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(data, '\n')); err != nil {
		return err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("peers: no answer to %s: %w", data, err)
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(line, &failed); err != nil {
		return err
	}
	if failed.Error != "" {
		return fmt.Errorf("peers: %s: %s", data, failed.Error)
	}
	return json.Unmarshal(line, into)
}

func (p *peers) close() error {
	proceed(p.cmd.Process)
	p.in.Close()
	return p.cmd.Wait()
}
