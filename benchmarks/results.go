package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Times are the measured seconds of one subject.
type Times struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Runs   int     `json:"runs"`
}

func timesOf(seconds []float64) Times {
	s := slices.Sorted(slices.Values(seconds))
	return Times{(s[(len(s)-1)/2] + s[len(s)/2]) / 2, s[0], s[len(s)-1], len(s)}
}

// Row is one line of the table: ours beside the peers, measured in turns.
type Row struct {
	Model     string           `json:"model"`
	Name      string           `json:"row"`
	Precision string           `json:"precision"`
	Ours      Times            `json:"ours"`
	Peers     map[string]Times `json:"peers,omitempty"`
	Floor     float64          `json:"floor_seconds,omitempty"`
	Bound     string           `json:"bound,omitempty"`
	Flops     float64          `json:"flops,omitempty"`
	Bytes     float64          `json:"bytes,omitempty"`
	Load      float64          `json:"load"`
	Date      string           `json:"date"`
	Agreement string           `json:"agreement,omitempty"`
	Note      string           `json:"note,omitempty"`
}

// fastest is the peer with the least median.
func (r Row) fastest() (name string, t Times) {
	t.Median = math.Inf(1)
	for n, p := range r.Peers {
		if p.Median < t.Median {
			name, t = n, p
		}
	}
	return name, t
}

// Curve is how a time grows along one size.
type Curve struct {
	Model     string    `json:"model"`
	Name      string    `json:"curve"`
	Precision string    `json:"precision"`
	X         []float64 `json:"x"`
	Seconds   []float64 `json:"seconds"`
	Predicted []float64 `json:"predicted"` // from the first point, in proportion to the floor
	first     float64   // the floor of the first point
}

// Results are everything that a run found.
type Results struct {
	Date     string            `json:"date"`
	CPU      string            `json:"cpu"`
	Threads  int               `json:"threads"`
	ISA      string            `json:"instruction_set"`
	Go       string            `json:"go"`
	Revision string            `json:"revision"`
	Versions map[string]string `json:"versions,omitempty"`
	Machine  Machine           `json:"machine"`
	Rows     []Row             `json:"rows"`
	Curves   []Curve           `json:"curves,omitempty"`
}

// read takes over the rows and curves of an earlier run, if there was one.
func (r *Results) read(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if os.IsNotExist(err) {
		return nil
	}
	var old Results
	if err == nil {
		err = json.Unmarshal(data, &old)
	}
	r.Rows, r.Curves = old.Rows, old.Curves
	return err
}

func (r *Results) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.md"), []byte(r.markdown()), 0o644); err != nil {
		return err
	}
	return r.plot(dir)
}

func ms(t Times) string { return fmt.Sprintf("%.4g (%.4g–%.4g)", t.Median*1e3, t.Min*1e3, t.Max*1e3) }

func (r *Results) markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "# Measurements\n\n%s, %s, %d threads, instruction set %s, %s, revision %s.\n\n", r.Date, r.CPU, r.Threads, r.ISA, r.Go, r.Revision)
	fmt.Fprintf(&b, "Measured limits: float32 %.0f GFLOP/s (AVX2 %.0f), bfloat16 %.0f, int8 %.0f Gop/s; reading %.1f GB/s with one thread, %.1f with all.\n\n",
		m.Peak["f32"]/1e9, m.Peak["avx2"]/1e9, m.Peak["bf16"]/1e9, m.Peak["int8"]/1e9, m.ReadOne/1e9, m.ReadAll/1e9)
	if len(r.Versions) > 0 {
		var list []string
		for n, v := range r.Versions {
			list = append(list, n+" "+v)
		}
		slices.Sort(list)
		fmt.Fprintf(&b, "Peers: %s.\n\n", strings.Join(list, ", "))
	}
	b.WriteString("Times are medians in milliseconds (smallest–largest). The ratio is that of the fastest peer to ours; load is the machine's load average when the row ended.\n\n")
	b.WriteString("| model | row | ours | peers | ratio | of the floor | outputs | load | measured | note |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range r.Rows {
		var others []string
		for n, t := range row.Peers {
			others = append(others, n+" "+ms(t))
		}
		slices.Sort(others)
		ratio, fraction := "–", "–"
		if _, t := row.fastest(); len(row.Peers) > 0 {
			ratio = fmt.Sprintf("%.2f", t.Median/row.Ours.Median)
		}
		if row.Floor > 0 {
			fraction = fmt.Sprintf("%.0f %% (%s)", 100*row.Floor/row.Ours.Median, row.Bound)
		}
		fmt.Fprintf(&b, "| %s | %s, %s | %s | %s | %s | %s | %s | %.2f | %s | %s |\n", row.Model, row.Name, row.Precision, ms(row.Ours), strings.Join(others, "<br>"), ratio, fraction, row.Agreement, row.Load, row.Date, row.Note)
	}
	if len(r.Curves) > 0 {
		b.WriteString("\n## Growth\n\nPredicted: the first point, scaled by the floor.\n\n| model | along | size | ms | measured over predicted |\n|---|---|---|---|---|\n")
	}
	for _, c := range r.Curves {
		for i, x := range c.X {
			fmt.Fprintf(&b, "| %s | %s, %s | %.0f | %.4g | %.2f |\n", c.Model, c.Name, c.Precision, x, c.Seconds[i]*1e3, c.Seconds[i]/c.Predicted[i])
		}
	}
	return b.String()
}
