package main

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// plot draws ours against the peers, and the roofline.
func (r *Results) plot(dir string) error {
	if err := r.plotBars(filepath.Join(dir, "bars.png")); err != nil {
		return err
	}
	return r.plotRoofline(filepath.Join(dir, "roofline.png"))
}

// plotBars shows how many times longer the fastest peer takes, for each row that has one.
func (r *Results) plotBars(path string) error {
	p := plot.New()
	p.Title.Text = "Time of the fastest peer over ours"
	p.Y.Label.Text = "ratio (above 1: ours is faster)"
	p.Y.Tick.Marker = plot.TickerFunc(doublings)
	var values plotter.Values
	var names []string
	for _, row := range r.Rows {
		if n, t := row.fastest(); n != "" {
			values = append(values, math.Log2(t.Median/row.Ours.Median)) // bars stand on 1
			names = append(names, strings.TrimPrefix(row.Model, "coca_")+"\n"+row.Name+"\n"+row.Precision+" / "+n)
		}
	}
	if len(values) == 0 {
		return nil
	}
	bars, err := plotter.NewBarChart(values, vg.Points(24))
	if err != nil {
		return err
	}
	bars.Color = plotutil.Color(2)
	p.Add(plotter.NewGrid(), bars)
	p.NominalX(names...)
	p.X.Tick.Label.Font.Size = vg.Points(6)
	return p.Save(3.6*vg.Length(len(values)+1)*vg.Centimeter, 11*vg.Centimeter, path)
}

// doublings marks the powers of two on an axis of logarithms.
func doublings(low, high float64) (ticks []plot.Tick) {
	for v := math.Floor(low); v <= math.Ceil(high); v++ {
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(math.Exp2(v), 'g', -1, 64)})
	}
	return ticks
}

// plotRoofline shows each row's operations a second over its operations a byte, under the machine's limits.
func (r *Results) plotRoofline(path string) error {
	p := plot.New()
	p.Title.Text = "Roofline"
	p.X.Label.Text = "operations a byte"
	p.Y.Label.Text = "G operations a second"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.X.Min, p.X.Max = 0.1, 2000
	p.Legend.Top, p.Legend.Left = true, true
	for i, precision := range []string{"f32", "bf16", "int8"} {
		peak := r.Machine.Peak[precision]
		var roof, points plotter.XYs
		for x := 0.1; x <= 2000; x *= 1.1 {
			roof = append(roof, plotter.XY{X: x, Y: math.Min(peak, x*r.Machine.ReadAll) / 1e9})
		}
		for _, row := range r.Rows {
			if row.Precision == precision && row.Flops > 0 {
				points = append(points, plotter.XY{X: row.Flops / row.Bytes, Y: row.Flops / row.Ours.Median / 1e9})
			}
		}
		line, err := plotter.NewLine(roof)
		if err != nil {
			return err
		}
		line.Color = plotutil.Color(i)
		p.Add(line)
		p.Legend.Add(precision, line)
		if len(points) == 0 {
			continue
		}
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		dots.GlyphStyle.Color, dots.GlyphStyle.Shape = plotutil.Color(i), plotutil.Shape(i)
		p.Add(dots)
	}
	return p.Save(18*vg.Centimeter, 12*vg.Centimeter, path)
}
