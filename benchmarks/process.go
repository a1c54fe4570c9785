package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seed-e0874532/coca/nn/op"
)

// processRows measures whole processes, with a file that the peers wrote.
func (b *bench) processRows() error {
	if b.peers == nil || b.binary == "" {
		return nil
	}
	if err := b.peers.ask(map[string]any{"do": "export"}, &answer{}); err != nil {
		return err
	}
	examples, err := filepath.Glob(filepath.Join(filepath.Dir(b.script), "..", "testdata", "images", "*.png"))
	if err != nil || len(examples) == 0 {
		return fmt.Errorf("images: want some in testdata/images, got none (%v)", err)
	}
	folder := filepath.Join(b.folder, "images")
	if err := copies(folder, examples, 64); err != nil {
		return err
	}
	plain := filepath.Join(b.folder, "open_clip_model.safetensors")
	for _, p := range b.precisions {
		packed := filepath.Join(b.folder, "packed.safetensors")
		flag := map[string]string{"f32": "fp32", "bf16": "bf16", "int8": "int8"}[p]
		if _, err := b.process("convert", "--pack", "--precision", flag, b.folder, packed); err != nil {
			return err
		}
		if err := b.firstCaption("packed", p, packed, packed, examples[0]); err != nil {
			return err
		}
		if err := os.Remove(packed); err != nil {
			return err
		}
		if err := b.firstCaption("plain safetensors", p, b.folder, plain, examples[0]); err != nil {
			return err
		}
	}
	return b.folderRow(folder)
}

// copies fills a folder with n images, the given ones in turn.
func copies(folder string, from []string, n int) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for i := range n {
		data, err := os.ReadFile(from[i%len(from)])
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.png", i)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// process runs coca to its end and returns the seconds.
func (b *bench) process(args ...string) (float64, error) {
	c := exec.Command(b.binary, args...)
	c.Stderr = os.Stderr
	began := time.Now()
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("coca %s: %w", strings.Join(args, " "), err)
	}
	return time.Since(began).Seconds(), nil
}

// watch follows the largest resident memory of a running process until stop is
// closed. What the system says after the end will not do: it counts the memory
// that the process had for a moment before it became this program, ours.
func watch(pid int, stop <-chan struct{}) <-chan float64 {
	result := make(chan float64, 1)
	go func() {
		var peak float64
		for {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if _, after, ok := strings.Cut(string(data), "VmHWM:"); ok {
				var kilobytes float64
				fmt.Sscan(after, &kilobytes)
				peak = max(peak, kilobytes*1024)
			}
			select {
			case <-stop:
				result <- peak
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return result
}

// firstCaption is a process from its start to its first line, files in the system's cache.
// Its memory is watched until then: mapped pages of the file count.
func (b *bench) firstCaption(what, precision, model, file, image string) error {
	flag := map[string]string{"f32": "fp32", "bf16": "bf16", "int8": "int8"}[precision]
	var seconds []float64
	var peak float64
	for i := range b.rounds + 1 {
		began := time.Now()
		c := exec.Command(b.binary, "caption", "--threads", strconv.Itoa(b.Threads), "--precision", flag, "--seq-len", strconv.Itoa(captionLength), "--model", model, image)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return err
		}
		stop := make(chan struct{})
		memory := watch(c.Process.Pid, stop)
		_, readErr := bufio.NewReader(out).ReadString('\n')
		took := time.Since(began).Seconds()
		close(stop)
		peak = max(peak, <-memory)
		if err := c.Wait(); err != nil || readErr != nil {
			return fmt.Errorf("caption from a %s file: %v %v", what, err, readErr)
		}
		if i > 0 { // the first run brings the file into the cache
			seconds = append(seconds, took)
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	b.add(Row{Name: "process start to first caption, " + what, Precision: precision, Ours: timesOf(seconds),
		Note: fmt.Sprintf("largest resident memory %.0f MB, file %.0f MB", peak/1e6, float64(info.Size())/1e6)}, op.Cost{})
	return nil
}

// folderRow is 64 images in a folder against open_clip on some, scaled.
func (b *bench) folderRow(folder string) error {
	const together = 2 // images of the peer's batch
	length := strconv.Itoa(captionLength)
	var ours []float64
	for range min(b.rounds, 3) {
		seconds, err := b.process("caption", "--threads", strconv.Itoa(b.Threads), "--precision", "bf16", "--seq-len", length, "--model", b.folder, folder)
		if err != nil {
			return err
		}
		ours = append(ours, seconds)
	}
	var a answer
	if err := b.peers.ask(map[string]any{"do": "generate", "images": together, "length": captionLength}, &a); err != nil {
		return err
	}
	b.add(Row{Name: "64 images in a folder, 15 ids each", Precision: "bf16", Ours: timesOf(ours),
		Peers: map[string]Times{"open_clip_f32": timesOf([]float64{a.Seconds * 64 / together})},
		Note:  fmt.Sprintf("ours a whole process, loading included; the peer timed once on a batch of %d and scaled, without loading and preprocessing", together)}, op.Cost{})
	return nil
}
