package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
)

// benchObject is what coca bench found.
type benchObject struct {
	Model   string     `json:"model"`
	Device  string     `json:"device"`
	Threads int        `json:"threads"`
	Read    float64    `json:"read_gb_per_second"`
	Rows    []benchRow `json:"rows"`
}

// benchRow is one computation in one precision.
type benchRow struct {
	What      string  `json:"row"`
	Precision string  `json:"precision"`
	Median    float64 `json:"median_ms"`
	Least     float64 `json:"least_ms"`
	Largest   float64 `json:"largest_ms"`
	Peak      float64 `json:"peak_gops_per_second"` // of multiply-adds without memory
	Floor     float64 `json:"floor_ms"`
	Fraction  float64 `json:"fraction_of_floor"` // floor over median
	Bound     string  `json:"bound"`             // operations or bytes
}

func (a *app) benchCommand() *cobra.Command {
	var flags modelFlags
	var asJSON bool
	var rounds int
	c := &cobra.Command{
		Use:   "bench [flags]",
		Short: "Measure the speed of a model on this machine",
		Long: "Measure one image through the encoder, again and again and after pauses in which all threads slept, and one decoder step of two beams, beside what this machine can do at most: the larger of " +
			"operations over the speed of multiply-adds without memory and bytes over the bandwidth of reading. " +
			"A built-in architecture needs no weights; without --precision, each precision is measured.",
		Example: "  coca bench\n  coca bench --model coca_ViT-L-14 --precision bf16 --json",
		Args:    nothing,
		RunE: func(c *cobra.Command, _ []string) error {
			if rounds < 1 {
				return usage("--rounds: want 1 or more, got %d", rounds)
			}
			object, err := a.bench(c.Context(), flags, rounds)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(object)
			}
			fmt.Fprintf(a.out, "%s on %s; reading %.1f GB/s\n", object.Model, object.Device, object.Read)
			for _, r := range object.Rows {
				fmt.Fprintf(a.out, "%-22s %-4s %9.2f ms (%.2f to %.2f)  floor %8.2f ms by %s (peak %.0f G/s)  %3.0f %%\n",
					r.What, r.Precision, r.Median, r.Least, r.Largest, r.Floor, r.Bound, r.Peak, 100*r.Fraction)
			}
			return nil
		},
	}
	flags.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().IntVar(&rounds, "rounds", 5, "measurements of each row, of which the median counts")
	return c
}

// bench measures a model in the wanted precision, or in all.
func (a *app) bench(ctx context.Context, flags modelFlags, rounds int) (*benchObject, error) {
	threads := flags.threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	object := &benchObject{Threads: threads, Read: kernel.ReadSpeed(threads) / 1e9}
	precisions := []string{"fp32", "bf16", "int8"}
	if flags.precision != "" {
		precisions = []string{flags.precision}
	}
	for _, p := range precisions {
		flags.precision = p
		m, err := a.benchModel(ctx, flags)
		if err != nil {
			return nil, err
		}
		object.Model, object.Device = m.Name(), m.Device()
		rows, err := benchRows(ctx, m, p, threads, rounds, object.Read*1e9)
		m.Close()
		if err != nil {
			return nil, err
		}
		object.Rows = append(object.Rows, rows...)
	}
	return object, nil
}

// benchModel loads the model; an architecture without weights gets those of a formula.
func (a *app) benchModel(ctx context.Context, flags modelFlags) (*coca.Model, error) {
	if !model.IsNamed(flags.model) || flags.pretrained != "" {
		return flags.load(ctx, a)
	}
	cfg, err := model.Named(flags.model)
	if err != nil {
		return nil, usageError{err}
	}
	opts, err := flags.options(a)
	if err != nil {
		return nil, err
	}
	return coca.New(cfg, formula.Source(model.Tensors(cfg)), opts...)
}

func benchRows(ctx context.Context, m *coca.Model, precision string, threads, rounds int, read float64) ([]benchRow, error) {
	p, err := coca.ParsePrecision(precision)
	if err != nil {
		return nil, usageError{err}
	}
	r := m.Runtime()
	image, _, step, err := r.Costs()
	if err != nil {
		return nil, err
	}
	step.Flops *= 2 // two beams share the weights
	peak := kernel.PeakSpeed("", p, threads)
	if peak == 0 {
		peak = productSpeed(threads, p)
	}
	size := m.Config().Vision.ImageSize
	pixels := [][]float32{formula.Image(0, size.Height, size.Width)}
	once := func() error {
		session, err := r.Open(ctx, pixels, 2)
		if err == nil {
			session.Close()
		}
		return err
	}
	if err := once(); err != nil { // weights are packed by the first one
		return nil, err
	}
	encode, err := timeEach(rounds, once, 0)
	if err != nil {
		return nil, err
	}
	late, err := timeEach(rounds, once, pause)
	rows := []benchRow{
		benchRowOf("encode an image", precision, encode, image, peak, read),
		benchRowOf("the same after a pause", precision, late, image, peak, read),
	}
	if err != nil || step.Flops == 0 { // a text tower that sees ahead has no steps
		return rows, err
	}
	session, err := r.Open(ctx, pixels, 2)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	fed := m.Config().MaxTokens()
	next := func() error {
		if fed == m.Config().MaxTokens() {
			fed = 0
			if err := session.Start(ctx, []int{0, 0}); err != nil {
				return err
			}
		}
		fed++
		_, err := session.Step(ctx, []int{0, 1}, []int32{1, 2})
		return err
	}
	if err := next(); err != nil {
		return nil, err
	}
	steps, err := timeEach(4*rounds, next, 0)
	return append(rows, benchRowOf("decode step, 2 beams", precision, steps, step, peak, read)), err
}

// benchRowOf compares sorted seconds with the least that a cost takes.
func benchRowOf(what, precision string, seconds []float64, c coca.Cost, peak, read float64) benchRow {
	bytes := float64(c.Bytes) / map[string]float64{"fp32": 1, "bf16": 2, "int8": 4}[precision]
	r := benchRow{What: what, Precision: precision, Peak: peak / 1e9, Bound: "operations", Floor: 1e3 * float64(c.Flops) / peak}
	if memory := 1e3 * bytes / read; memory > r.Floor {
		r.Floor, r.Bound = memory, "bytes"
	}
	r.Median, r.Least, r.Largest = 1e3*seconds[len(seconds)/2], 1e3*seconds[0], 1e3*seconds[len(seconds)-1]
	r.Fraction = r.Floor / r.Median
	return r
}

// pause is long enough for all threads to have gone to sleep.
const pause = 200 * time.Millisecond

// timeEach returns the seconds of each call, sorted; before each it waits.
func timeEach(n int, f func() error, wait time.Duration) ([]float64, error) {
	var list []float64
	for range n {
		time.Sleep(wait)
		began := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		list = append(list, time.Since(began).Seconds())
	}
	slices.Sort(list)
	return list, nil
}

// productSpeed is the most operations a second of a matrix product whose
// operands stay in the second-level caches: the limit of code that has no instruction set.
func productSpeed(threads int, p exec.Precision) (best float64) {
	const rows, in, out = 112, 512, 512
	pool := kernel.NewPool(threads)
	defer pool.Close()
	m := kernel.NewMatrixPrecision(make([]float32, out*in), out, in, kernel.OutIn, p)
	x, y := make([]float32, rows*in), make([]float32, rows*out)
	for range 200 {
		began := time.Now()
		m.Linear(pool, y, x, rows, kernel.Epilogue{})
		best = max(best, 2*rows*in*out/time.Since(began).Seconds())
	}
	return best
}
