package preprocess

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestParseConfig(t *testing.T) {
	with := func(f func(*Config)) Config {
		c := DefaultConfig(288)
		f(&c)
		return c
	}
	for _, g := range []struct {
		json string
		want Config
	}{
		{`{}`, DefaultConfig(288)},
		{`{"size": null, "mean": null, "junk": [1, {"a": 2}]}`, DefaultConfig(288)},
		{`{"size": 224, "mode": "RGB"}`, DefaultConfig(224)},
		{`{"size": [224, 336]}`, with(func(c *Config) { c.Height, c.Width = 224, 336 })},
		{`{"mean": [0.5, 0.25, 1], "std": [2, 3, 4]}`, with(func(c *Config) { c.Mean, c.Std = [3]float64{0.5, 0.25, 1}, [3]float64{2, 3, 4} })},
		{`{"mean": 0.5, "std": [2]}`, with(func(c *Config) { c.Mean, c.Std = [3]float64{0.5, 0.5, 0.5}, [3]float64{2, 2, 2} })},
		{`{"mean": 0, "std": []}`, DefaultConfig(288)}, // not given, to OpenCLIP
		{`{"mean": [0, 0, 0]}`, with(func(c *Config) { c.Mean = [3]float64{} })},
		{`{"interpolation": "bilinear", "resize_mode": "longest", "fill_color": 127}`, with(func(c *Config) {
			c.Interpolation, c.ResizeMode, c.FillColor = Bilinear, Longest, 127
		})},
		{`{"interpolation": "random", "resize_mode": "squash"}`, with(func(c *Config) { c.Interpolation, c.ResizeMode = Random, Squash })},
	} {
		got, err := ParseConfig([]byte(g.json), 288)
		if err != nil || got != g.want {
			t.Errorf("%s: %+v, %v; want %+v", g.json, got, err, g.want)
		}
	}
	var inside struct{ Preprocess_cfg Config }
	inside.Preprocess_cfg = DefaultConfig(1)
	if err := json.Unmarshal([]byte(`{"preprocess_cfg": {"size": 32}}`), &inside); err != nil || inside.Preprocess_cfg != DefaultConfig(32) {
		t.Errorf("inside another object: %+v, %v", inside, err)
	}
}

func TestMarshalConfig(t *testing.T) {
	c := DefaultConfig(224)
	data, err := json.Marshal(c)
	const want = `{"size":224,"mode":"RGB","mean":[0.48145466,0.4578275,0.40821073],"std":[0.26862954,0.26130258,0.27577711],` +
		`"interpolation":"bicubic","resize_mode":"shortest","fill_color":0}`
	if err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
	c.Width, c.ResizeMode, c.FillColor, c.Mean[1] = 336, Longest, -3, 1.0/3
	if data, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if back, err := ParseConfig(data, 1); err != nil || back != c {
		t.Errorf("%s came back as %+v, %v", data, back, err)
	}
	if _, err := json.Marshal(Config{}); err == nil {
		t.Error("an invalid configuration was written")
	}
}

// TestConcurrentApply shares one image and one configuration; run with -race.
func TestConcurrentApply(t *testing.T) {
	m, c := formulaPicture(t, "RGBA", 90, 300), DefaultConfig(32)
	want, err := c.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got, err := c.Apply(m); err != nil || !slices.Equal(got, want) {
					t.Errorf("another result; %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestBadConfig(t *testing.T) {
	for field, values := range map[string][]string{
		"size":          {`0`, `-1`, `"224"`, `[224]`, `[1, 2, 3]`, `2.5`, `1e9`, `100000`, `[224, 0]`, `true`, `[[1], 2]`},
		"mode":          {`"L"`, `3`},
		"mean":          {`[1, 2]`, `"x"`, `[1, 2, 3, 4]`, `["a", "b", "c"]`, `[1e300, 0, 0]`},
		"std":           {`[0, 1, 1]`, `[1, 2]`, `[1e-60, 1, 1]`, `{}`},
		"interpolation": {`"nearest"`, `7`, `"BICUBIC"`},
		"resize_mode":   {`"crop"`, `["longest"]`},
		"fill_color":    {`1.5`, `"white"`, `[0, 0, 0]`, `99999999999`},
	} {
		for _, v := range values {
			c, err := ParseConfig([]byte(`{"`+field+`": `+v+`}`), 224)
			var e *ConfigError
			if !errors.As(err, &e) || e.Field != field || e.Want == "" || e.Found == "" || !strings.Contains(err.Error(), field) {
				t.Errorf("%s %s: %v", field, v, err)
			}
			if c != DefaultConfig(224) {
				t.Errorf("%s %s: left %+v", field, v, c)
			}
		}
	}
	for _, s := range []string{``, `{`, `[]`, `7`, `"x"`} {
		var e *ConfigError
		if _, err := ParseConfig([]byte(s), 224); !errors.As(err, &e) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestApplyErrors(t *testing.T) {
	good := greyPicture(5, 4)
	if err := DefaultConfig(8).ApplyTo(make([]float32, 5), good); err == nil {
		t.Error("a short destination is accepted")
	}
	for name, m := range map[string]*Image{
		"nil": nil, "no pixels": {Mode: ModeL}, "unknown mode": {Mode: 99, Width: 1, Height: 1, Pix: make([]byte, 1)},
		"too few samples": {Mode: ModeRGB, Width: 2, Height: 2, Pix: make([]byte, 11)},
		"negative":        {Mode: ModeL, Width: -1, Height: -1, Pix: make([]byte, 1)},
		"overflow":        {Mode: ModeI, Width: 1 << 62, Height: 4, Pix: nil},
		"palette":         {Mode: ModeP, Width: 1, Height: 1, Pix: make([]byte, 1), Palette: make([]byte, 769)},
	} {
		if _, err := DefaultConfig(8).Apply(m); !isTyped(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var zero Config
	var e *ConfigError
	if _, err := zero.Apply(good); !errors.As(err, &e) {
		t.Errorf("zero config: %v", err)
	}
	negative := DefaultConfig(-1)
	if _, err := negative.Apply(good); !errors.As(err, &e) {
		t.Errorf("negative size: %v", err)
	}
	// A side that vanishes, and one that grows beyond all measure.
	longest := DefaultConfig(8)
	longest.ResizeMode = Longest
	var f *FormatError
	if _, err := longest.Apply(greyPicture(2000, 1)); !errors.As(err, &f) {
		t.Errorf("2000×1 in 8×8: %v", err)
	}
	var l *LimitError
	if _, err := DefaultConfig(224).Apply(greyPicture(10_000_000, 1)); !errors.As(err, &l) {
		t.Errorf("10000000×1: %v", err)
	}
}

func TestApplyAllocations(t *testing.T) {
	m := formulaPicture(t, "RGB", 300, 200)
	c := DefaultConfig(64)
	dst := make([]float32, 3*64*64)
	n := testing.AllocsPerRun(20, func() {
		if err := c.ApplyTo(dst, m); err != nil {
			t.Fatal(err)
		}
	})
	if n > 8 {
		t.Errorf("%v allocations", n)
	}
}
