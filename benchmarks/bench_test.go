package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/nn/op"
)

var machine = Machine{Peak: map[string]float64{"f32": 100e9, "bf16": 200e9, "int8": 400e9}, ReadOne: 10e9, ReadAll: 20e9}

func TestFloorIsTheLargerOfOperationsAndBytes(t *testing.T) {
	for _, c := range []struct {
		cost      op.Cost
		precision string
		want      float64
		bound     string
	}{
		{op.Cost{Flops: 50e9, Bytes: 1e9}, "f32", 0.5, "operations"},
		{op.Cost{Flops: 1e9, Bytes: 10e9}, "f32", 0.5, "bytes"},
		{op.Cost{Flops: 50e9, Bytes: 1e9}, "int8", 0.125, "operations"},
		{op.Cost{Flops: 1e9, Bytes: 10e9}, "bf16", 0.25, "bytes"},
	} {
		got, bound := floor(c.cost, c.precision, machine)
		if math.Abs(got-c.want) > 1e-12 || bound != c.bound {
			t.Errorf("floor(%+v, %s) = %v by %s, want %v by %s", c.cost, c.precision, got, bound, c.want, c.bound)
		}
	}
}

func TestTimesOf(t *testing.T) {
	for _, c := range []struct {
		seconds []float64
		want    Times
	}{
		{[]float64{3, 1, 9}, Times{Median: 3, Min: 1, Max: 9, Runs: 3}},
		{[]float64{4, 2}, Times{Median: 3, Min: 2, Max: 4, Runs: 2}},
	} {
		if got := timesOf(c.seconds); got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}

func TestCurvePredictsFromTheFirstPoint(t *testing.T) {
	var c Curve
	c.point(1, 2, 10)
	c.point(4, 9, 40)
	if c.Predicted[0] != 2 || c.Predicted[1] != 8 {
		t.Errorf("got %v, want [2 8]", c.Predicted)
	}
}

func TestResultsAreWrittenAndTakenOver(t *testing.T) {
	dir := t.TempDir()
	r := Results{Machine: machine, CPU: "a processor", Rows: []Row{
		{Model: "m", Name: "tower", Precision: "f32", Ours: Times{Median: 1}, Peers: map[string]Times{"slow": {Median: 3}, "fast": {Median: 2}},
			Floor: 0.5, Bound: "operations", Flops: 1e9, Bytes: 1e8},
		{Model: "m", Name: "step", Precision: "bf16", Ours: Times{Median: 1}},
	}, Curves: []Curve{{Model: "m", Name: "batch", X: []float64{1}, Seconds: []float64{1}, Predicted: []float64{1}}}}
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bars.png", "roofline.png"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasPrefix(string(data), "\x89PNG") {
			t.Errorf("%s: want a picture, got %d bytes, %v", name, len(data), err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 2.00 | 50 % (operations) |", "a processor", "| m | batch"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	var again Results
	if err := again.read(dir); err != nil || len(again.Rows) != 2 || len(again.Curves) != 1 {
		t.Errorf("want 2 rows and 1 curve, got %d, %d, %v", len(again.Rows), len(again.Curves), err)
	}
}

func TestWatchSeesOwnMemory(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc")
	}
	stop := make(chan struct{})
	memory := watch(os.Getpid(), stop)
	close(stop)
	if got := <-memory; got < 1e6 || got > 1e12 {
		t.Errorf("got %v bytes", got)
	}
}
