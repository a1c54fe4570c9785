// Command benchmarks measures coca beside its peers and writes the table and
// the pictures of the results folder. Use benchmarks/run, which prepares what it needs.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/op"
)

// bench is one run of everything.
type bench struct {
	Results
	quick  bool
	rounds int
	wanted []string // groups of rows

	precisions []string
	python     string
	script     string
	binary     string // the command coca
	out        string
	weights    *source
	subjects   map[string]*subject
	peers      *peers
	model      string
	cfg        model.Config
	folder     string // of the model's file and whatever the peers write
}

func main() {
	log.SetFlags(0)
	b := &bench{}
	models := flag.String("models", "coca_ViT-B-32,coca_ViT-L-14", "built-in architectures, separated by commas")
	flag.IntVar(&b.Threads, "threads", runtime.NumCPU(), "threads of ours and of the peers")
	flag.BoolVar(&b.quick, "quick", false, "a smoke test: one round of one model, no peers")
	flag.IntVar(&b.rounds, "rounds", 5, "measurements of each row")
	flag.StringVar(&b.python, "python", "", "Python with the peers; empty: none")
	flag.StringVar(&b.script, "peers", "peers.py", "the script of the peers")
	flag.StringVar(&b.binary, "coca", "", "the command coca, for rows that measure processes")
	flag.StringVar(&b.out, "out", "results", "folder of the results")
	rows := flag.String("rows", "tower,step,caption,growth,train,process", "what to measure; the results of what is not stay as they are")
	precisions := flag.String("precisions", "f32,bf16,int8", "precisions of the rows")
	worker := flag.String("worker", "", "train one model in this precision, a step for each line of standard input; used by the training row")
	flag.Parse()
	if *worker != "" {
		if err := work(*models, *worker, b.Threads, os.Stdin, os.Stdout); err != nil {
			log.Fatal("benchmarks: ", err)
		}
		return
	}
	b.wanted, b.precisions = strings.Split(*rows, ","), strings.Split(*precisions, ",")
	if b.quick {
		*models, b.rounds, b.python = "coca_ViT-B-32", 1, ""
	}
	if err := b.run(strings.Split(*models, ",")); err != nil {
		log.Fatal("benchmarks: ", err)
	}
}

func (b *bench) run(models []string) error {
	if !b.quick {
		if err := b.read(b.out); err != nil {
			return err
		}
	}
	b.Date, b.Go, b.CPU = time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.Version(), cpuName()
	isa, err := coca.InstructionSet()
	if err != nil {
		return err
	}
	b.ISA = isa
	if out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		b.Revision = strings.TrimSpace(string(out))
	}
	b.Machine = measureMachine(b.Threads, map[bool]int{true: 1, false: 5}[b.quick])
	if !strings.HasPrefix(isa, "avx512") { // narrow products are widened to float32 below it
		if m := b.Machine.Peak; m["avx2"] > 0 {
			m["f32"], m["bf16"] = m["avx2"], m["avx2"]
		}
	}
	log.Printf("limits: %.0f GFLOP/s f32, %.0f bf16, %.0f int8; reading %.1f, %.1f GB/s", b.Machine.Peak["f32"]/1e9,
		b.Machine.Peak["bf16"]/1e9, b.Machine.Peak["int8"]/1e9, b.Machine.ReadOne/1e9, b.Machine.ReadAll/1e9)
	for _, name := range models {
		if err := b.runModel(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := b.write(b.out); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) runModel(name string) (err error) {
	b.model = name
	if b.cfg, err = model.Named(name); err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp("", "coca-benchmarks-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.folder)
	if b.python != "" {
		if b.peers, err = startPeers(b.python, b.script, name, b.Threads, b.folder); err != nil {
			return err
		}
		defer func() {
			b.peers.close()
			b.peers = nil
		}()
		if err := b.peers.ask(map[string]any{"do": "versions"}, &b.Versions); err != nil {
			return err
		}
	}
	b.weights, b.subjects = newSource(b.cfg), map[string]*subject{}
	for _, p := range b.precisions {
		s, err := newSubject(b.cfg, b.weights, p, b.Threads)
		if err != nil {
			return err
		}
		b.subjects[p] = s
		defer s.Close()
	}
	for _, group := range []struct {
		name    string
		measure func() error
	}{{"tower", b.towerRows}, {"step", b.stepRows}, {"caption", b.captionRows}, {"growth", b.growth}, {"train", b.trainRows}, {"process", b.processRows}} {
		if !slices.Contains(b.wanted, group.name) {
			continue
		}
		log.Printf("%s: %s", name, group.name)
		if err := group.measure(); err != nil {
			return err
		}
		if err := b.write(b.out); err != nil {
			return err
		}
	}
	return nil
}

// add finishes a row and shows it.
func (b *bench) add(r Row, c op.Cost) {
	if forced := os.Getenv("COCA_ISA"); forced != "" {
		r.Name += ", " + forced + " forced"
	}
	r.Model, r.Load, r.Date = b.model, load(), time.Now().UTC().Format("2006-01-02 15:04")
	if c.Flops > 0 {
		r.Floor, r.Bound = floor(c, r.Precision, b.Machine)
		r.Flops, r.Bytes = float64(c.Flops), float64(c.Bytes)*map[string]float64{"f32": 1, "bf16": 0.5, "int8": 0.25}[r.Precision]
	}
	b.Rows = replace(b.Rows, r, func(x Row) bool { return x.Model == r.Model && x.Name == r.Name && x.Precision == r.Precision })
	data, _ := json.Marshal(r)
	log.Printf("%s", data)
}

// replace puts x in the place of the element that is, or at the end.
func replace[T any](list []T, x T, is func(T) bool) []T {
	if i := slices.IndexFunc(list, is); i >= 0 {
		list[i] = x
		return list
	}
	return append(list, x)
}

func cpuName() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	var name, family, number string
	for _, line := range strings.Split(string(data), "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			name = strings.TrimSpace(value)
		case "cpu family":
			family = strings.TrimSpace(value)
		case "model":
			number = strings.TrimSpace(value)
		}
	}
	if name == "" {
		return runtime.GOARCH
	}
	return fmt.Sprintf("%s (family %s, model %s)", name, family, number)
}

func load() (one float64) {
	data, _ := os.ReadFile("/proc/loadavg")
	fmt.Sscan(string(data), &one)
	return one
}
