package main

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-e0874532/coca"
)

func TestBench(t *testing.T) {
	r := run(t, nil, "bench", "--json", "--rounds", "2", "--threads", "2")
	if r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	if want := []string{"model", "device", "threads", "read_gb_per_second", "rows"}; !slices.Equal(keys(t, r.out), want) {
		t.Errorf("keys %v, want %v", keys(t, r.out), want)
	}
	var got benchObject
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Model == "" || got.Threads != 2 || got.Read <= 0 || !strings.Contains(got.Device, "2 threads") {
		t.Errorf("got %+v", got)
	}
	var rows []string
	for _, row := range got.Rows {
		rows = append(rows, row.What+" "+row.Precision)
		if !(0 < row.Least && row.Least <= row.Median && row.Median <= row.Largest) {
			t.Errorf("%+v: times out of order", row)
		}
		if row.Peak <= 0 || row.Floor <= 0 || math.Abs(row.Fraction-row.Floor/row.Median) > 1e-9 || row.Bound != "operations" && row.Bound != "bytes" {
			t.Errorf("%+v: no floor, or a fraction that is not that of it", row)
		}
	}
	var want []string
	for _, p := range []string{"fp32", "bf16", "int8"} {
		want = append(want, "encode an image "+p, "the same after a pause "+p, "decode step, 2 beams "+p)
	}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}

	r = run(t, nil, "bench", "--rounds", "1", "--precision", "bf16")
	if lines := strings.Split(strings.TrimSpace(r.out), "\n"); r.status != 0 || len(lines) != 4 ||
		!strings.Contains(lines[0], "GB/s") || !strings.Contains(lines[3], "decode step") || strings.Contains(r.out, "fp32") {
		t.Errorf("one precision: %+v", r)
	}
	for _, args := range [][]string{{"--rounds", "0"}, {"--precision", "f8"}, {"a.png"}} {
		if r := run(t, nil, append([]string{"bench"}, args...)...); r.status != 2 || r.out != "" || r.err == "" {
			t.Errorf("%v: %+v, want status 2 and a message", args, r)
		}
	}
}

func TestBenchRowOf(t *testing.T) {
	cost := coca.Cost{Flops: 2e9, Bytes: 4e8}
	for _, c := range []struct {
		precision  string
		peak, read float64
		floor      float64
		bound      string
	}{
		{"fp32", 1e12, 1e10, 40, "bytes"}, // 2 ms of operations, 40 of bytes
		{"bf16", 1e12, 1e10, 20, "bytes"},
		{"int8", 1e12, 1e10, 10, "bytes"},
		{"int8", 1e11, 1e10, 20, "operations"},
	} {
		row := benchRowOf("row", c.precision, []float64{0.04, 0.05, 0.08}, cost, c.peak, c.read)
		if math.Abs(row.Floor-c.floor) > 1e-9 || row.Bound != c.bound || row.Median != 50 || row.Least != 40 || row.Largest != 80 ||
			math.Abs(row.Fraction-c.floor/50) > 1e-9 {
			t.Errorf("%+v: got %+v", c, row)
		}
	}
}

func TestTimeEachWaitsOutsideOfWhatItTimes(t *testing.T) {
	const wait = 30 * time.Millisecond
	began, calls := time.Now(), 0
	list, err := timeEach(3, func() error { calls++; return nil }, wait)
	if err != nil || calls != 3 || !slices.IsSorted(list) {
		t.Fatalf("%v after %d calls: %v", list, calls, err)
	}
	if time.Since(began) < 3*wait || list[0] >= wait.Seconds() {
		t.Errorf("waited %v in all, least time %v s", time.Since(began), list[0])
	}
}
