package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/train"
)

// parseTrain reads flags of coca train.
func parseTrain(t *testing.T, args ...string) (*trainFlags, error) {
	t.Helper()
	f, c := &trainFlags{}, &cobra.Command{Use: "train"}
	f.add(c)
	if err := c.ParseFlags(args); err != nil {
		return nil, err
	}
	return f, f.resolve(c)
}

// flagCases give a value to each flag that sets an option, and say where it goes.
var flagCases = []struct {
	args string
	got  func(f *trainFlags) any
	want any
}{
	{"--model vit_x", func(f *trainFlags) any { return f.model }, "vit_x"},
	{"--model x", func(f *trainFlags) any { return []float64{f.LR, f.AdamW.Beta1, f.AdamW.Beta2, f.AdamW.Eps} }, []float64{5e-4, 0.9, 0.999, 1e-8}},
	{"--model a/My-ViT/b", func(f *trainFlags) any { return []float64{f.LR, f.AdamW.Beta1, f.AdamW.Beta2, f.AdamW.Eps} }, []float64{5e-4, 0.9, 0.98, 1e-6}},
	{"--pretrained p", func(f *trainFlags) any { return f.pretrained }, "p"},
	{"--resume latest", func(f *trainFlags) any { return f.Resume }, "latest"},
	{"--name n --logs l", func(f *trainFlags) any { return f.Dir }, filepath.Join("l", "n")},
	{"--train-data d.csv", func(f *trainFlags) any { return f.Data.Path }, "d.csv"},
	{"--val-data v.csv", func(f *trainFlags) any { return f.Val.Path }, "v.csv"},
	{"--dataset-type webdataset", func(f *trainFlags) any { return f.Data.Kind + f.Val.Kind }, "webdatasetwebdataset"},
	{"--train-num-samples 7", func(f *trainFlags) any { return f.Data.Samples }, 7},
	{"--val-num-samples 8", func(f *trainFlags) any { return f.Val.Samples }, 8},
	{"--val-frequency 3", func(f *trainFlags) any { return f.ValFrequency }, 3},
	{"--val-captions 2", func(f *trainFlags) any { return f.ValCaptions }, 2},
	{"--csv-separator ,", func(f *trainFlags) any { return f.Data.CSV.Separator + f.Val.CSV.Separator }, ",,"},
	{`--csv-separator ; --csv-separator \t --csv-img-key x`, func(f *trainFlags) any { return f.Data.CSV.Separator + f.Data.CSV.ImageKey }, "\tx"},
	{"--csv-img-key i", func(f *trainFlags) any { return f.Data.CSV.ImageKey + f.Val.CSV.ImageKey }, "ii"},
	{"--csv-caption-key c", func(f *trainFlags) any { return f.Data.CSV.CaptionKey + f.Val.CSV.CaptionKey }, "cc"},
	{"--workers 3", func(f *trainFlags) any { return f.Data.Workers + f.Val.Workers }, 6},
	{"--force-image-size 32 --force-image-size 48", func(f *trainFlags) any { return []int(f.imageSize) }, []int{32, 48}},
	{"--force-patch-dropout 0.5", func(f *trainFlags) any { return f.patchDropout }, 0.5},
	{"--grad-checkpointing", func(f *trainFlags) any { return f.Checkpointing }, true},
	{"--force-context-length 9", func(f *trainFlags) any { return f.contextLength }, 9},
	{"--image-mean 0.1 --image-mean 0.2 --image-mean 0.3", func(f *trainFlags) any { return []float64(f.imageMean) }, []float64{0.1, 0.2, 0.3}},
	{"--aug-cfg scale=(0.5,1.0) --aug-cfg gray_scale_prob=0.25", func(f *trainFlags) any { return []float64{f.Data.Augment.Crop.Scale[0], f.Data.Augment.Grey} }, []float64{0.5, 0.25}},
	{"--image-std 0.5", func(f *trainFlags) any { return []float64(f.imageStd) }, []float64{0.5}},
	{"--image-interpolation bilinear", func(f *trainFlags) any { return f.interpolation }, "bilinear"},
	{"--image-resize-mode squash", func(f *trainFlags) any { return f.resizeMode }, "squash"},
	{"--batch-size 5", func(f *trainFlags) any { return f.Batch }, 5},
	{"--accum-freq 3", func(f *trainFlags) any { return f.Accum }, 3},
	{"--epochs 6", func(f *trainFlags) any { return f.Epochs }, 6},
	{"--opt muon", func(f *trainFlags) any { return f.Optimizer }, "muon"},
	{"--lr 1e-5", func(f *trainFlags) any { return f.LR }, 1e-5},
	{"--beta1 0.8", func(f *trainFlags) any { return f.AdamW.Beta1 }, 0.8},
	{"--beta2 0.7", func(f *trainFlags) any { return f.AdamW.Beta2 }, 0.7},
	{"--eps 1e-3", func(f *trainFlags) any { return f.AdamW.Eps }, 1e-3},
	{"--wd 0.1", func(f *trainFlags) any { return f.AdamW.WeightDecay }, 0.1},
	{"--opt muon --lr 1e-3 --muon-lr 4e-3", func(f *trainFlags) any { return f.Muon.Ratio }, 4.0},
	{"--muon-momentum 0.5", func(f *trainFlags) any { return f.Muon.Momentum }, 0.5},
	{"--muon-wd 0.3", func(f *trainFlags) any { return f.Muon.WeightDecay }, 0.3},
	{"--warmup 12", func(f *trainFlags) any { return f.Warmup }, 12},
	{"--lr-scheduler const", func(f *trainFlags) any { return f.Scheduler }, train.Const},
	{"--skip-scheduler", func(f *trainFlags) any { return f.SkipScheduler }, true},
	{"--epochs-cooldown 2", func(f *trainFlags) any { return f.EpochsCooldown }, 2},
	{"--lr-cooldown-end 1e-6", func(f *trainFlags) any { return f.CooldownEnd }, 1e-6},
	{"--lr-cooldown-power 2", func(f *trainFlags) any { return f.CooldownPower }, 2.0},
	{"--grad-clip-norm 1.5", func(f *trainFlags) any { return f.ClipNorm }, 1.5},
	{"--coca-caption-loss-weight 3", func(f *trainFlags) any { return f.Losses.Caption }, 3.0},
	{"--coca-contrastive-loss-weight 0", func(f *trainFlags) any { return f.Losses.Contrastive }, 0.0},
	{"--caption-z-loss 0.05", func(f *trainFlags) any { return f.Losses.Z }, 0.05},
	{"--lock-image", func(f *trainFlags) any { return f.LockImage }, true},
	{"--lock-text", func(f *trainFlags) any { return f.LockText }, true},
	{"--train-only a,b --train-only c", func(f *trainFlags) any { return f.TrainOnly }, []string{"a,b", "c"}},
	{"--precision bf16", func(f *trainFlags) any { return f.Precision }, exec.BF16},
	{"--precision amp_bf16", func(f *trainFlags) any { return f.Precision }, exec.BF16},
	{"--seed 4", func(f *trainFlags) any { return f.Seed }, uint64(4)},
	{"--threads 1", func(f *trainFlags) any { return f.Threads }, 1},
	{"--report-to tensorboard", func(f *trainFlags) any { return f.TensorBoard }, true},
	{"--log-every-n-steps 9", func(f *trainFlags) any { return f.LogEvery }, 9},
	{"--save-frequency 2", func(f *trainFlags) any { return f.SaveFrequency }, 2},
	{"--save-most-recent", func(f *trainFlags) any { return f.SaveMostRecent }, true},
	{"--delete-previous-checkpoint", func(f *trainFlags) any { return f.DeletePrevious }, true},
	{"--export-pt", func(f *trainFlags) any { return f.ExportTorch }, true},
	{"--save-interval 3m", func(f *trainFlags) any { return f.SaveInterval }, 3 * time.Minute},
	{"--save-every-n-steps 11", func(f *trainFlags) any { return f.SaveSteps }, 11},
}

// TestTrainFlags holds each flag to the option it sets, and that none is left out here.
func TestTrainFlags(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range flagCases {
		args := strings.Fields(c.args)
		for _, a := range args {
			if name, ok := strings.CutPrefix(a, "--"); ok {
				seen[name] = true
			}
		}
		if args[0] != "--model" {
			args = append(args, "--model", "m")
		}
		f, err := parseTrain(t, args...)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if got := c.got(f); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.args, got, c.want)
		}
		if none, err := parseTrain(t, "--model", "m"); err != nil || args[0] != "--model" && reflect.DeepEqual(c.got(none), c.want) {
			t.Errorf("%s: the default is the same (%v)", c.args, err)
		}
	}
	c := &cobra.Command{}
	new(trainFlags).add(c)
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !seen[f.Name] {
			t.Errorf("--%s has no case", f.Name)
		}
		if f.Usage == "" {
			t.Errorf("--%s does not say what it is", f.Name)
		}
	})
}

// TestTrainDefaults holds the defaults to those of open_clip_train 3.3.
func TestTrainDefaults(t *testing.T) {
	f, err := parseTrain(t, "--model", "coca_ViT-B-32")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(f.Data.Kind, f.Data.CSV.ImageKey, f.Data.CSV.CaptionKey, f.Data.CSV.Separator == "\t", f.Batch, f.Epochs, f.LR, f.AdamW, f.Warmup, f.Scheduler,
		f.CooldownEnd, f.CooldownPower, f.ClipNorm, f.SaveFrequency, f.ValFrequency, f.LogEvery, f.Seed, f.Losses, f.logs, f.Optimizer)
	const want = "auto filepath title true 64 32 0.0005 {0.9 0.98 1e-06 0.2} 10000 cosine 0 1 0 1 1 100 0 {1 2 0} ./logs/ adamw\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.Contains(f.name, "model_coca_ViT-B-32-lr_0.0005-b_64") {
		t.Errorf("name of the run: %s", f.name)
	}
}

// TestTrainRefuses runs the command with what it must refuse: status 2, one line
// that names the flag or the file, and nothing written.
func TestTrainRefuses(t *testing.T) {
	model, csv := trainingSet(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ args, message string }{
		{"--model ", "--model"},
		{"--model nowhere", "nowhere"},
		{"--model " + file("bad.json", "{"), "bad.json"},
		{"--model " + file("none.json", "{}"), "embed_dim"},
		{"--train-data nowhere.csv", "nowhere.csv"},
		{"--train-data " + file("empty.csv", ""), "empty.csv"},
		{"--train-data " + file("head.csv", "filepath\ttitle\n"), "head.csv: want at least one batch"},
		{"--train-data " + file("other.csv", "path\ttext\na\tb\n"), "filepath"},
		{"--train-data data.xyz", "--dataset-type"},
		{"--dataset-type parquet", "--dataset-type"},
		{"--dataset-type webdataset", "--train-num-samples"},
		{"--train-data nowhere.tar --train-num-samples 9", "nowhere.tar"},
		{"--train-num-samples -1", "--train-num-samples"},
		{"--val-data nowhere.csv", "nowhere.csv"},
		{"--val-num-samples -1", "--val-num-samples"},
		{"--val-frequency -1", "--val-frequency"},
		{"--val-captions -1", "--val-captions"},
		{"--csv-separator ab", "csv-separator"},
		{"--csv-img-key x", "csv-img-key"},
		{"--csv-caption-key x", "csv-caption-key"},
		{"--workers -1", "--workers"},
		{"--force-image-size 0", "image_size"},
		{"--force-image-size 99999999", "image_size"},
		{"--force-image-size x", "force-image-size"},
		{"--force-image-size 8 --force-image-size 8 --force-image-size 8", "force-image-size"},
		{"--force-patch-dropout 1", "--force-patch-dropout"},
		{"--force-patch-dropout -1", "--force-patch-dropout"},
		{"--force-patch-dropout NaN", "--force-patch-dropout"},
		{"--force-context-length -4", "context_length"},
		{"--aug-cfg scale", "--aug-cfg"},
		{"--aug-cfg scale=(0,2)", "--aug-cfg"},
		{"--aug-cfg crop=1", "--aug-cfg"},
		{"--aug-cfg use_timm=True", "--aug-cfg"},
		{"--image-mean 1 --image-mean 1", "--image-mean"},
		{"--image-std 0", "std"},
		{"--image-interpolation cubic", "interpolation"},
		{"--image-resize-mode crop", "resize_mode"},
		{"--batch-size 0", "--batch-size"},
		{"--batch-size 17", "at least one batch of 17 rows"},
		{"--accum-freq 0", "--accum-freq"},
		{"--accum-freq 9", "--accum-freq"},
		{"--epochs 0", "--epochs"},
		{"--opt sgd", "--opt"},
		{"--lr -1", "--lr"},
		{"--lr NaN", "--lr"},
		{"--lr +Inf", "--lr"},
		{"--beta1 1", "--beta1"},
		{"--beta2 1", "--beta2"},
		{"--eps -1", "--eps"},
		{"--wd -1", "--wd"},
		{"--opt muon --muon-lr -1", "--muon-lr"},
		{"--opt muon --lr 0 --muon-lr 1", "--lr"},
		{"--opt muon --muon-momentum 1", "--muon-momentum"},
		{"--opt muon --muon-wd -1", "--muon-wd"},
		{"--muon-lr 1", "--muon-lr"},
		{"--warmup -1", "--warmup"},
		{"--lr-scheduler step", "--lr-scheduler"},
		{"--lr-scheduler const-cooldown", "--epochs-cooldown"},
		{"--epochs-cooldown -1", "--epochs-cooldown"},
		{"--lr-cooldown-end -1", "--lr-cooldown-end"},
		{"--lr-cooldown-power -1", "--lr-cooldown-power"},
		{"--grad-clip-norm -1", "--grad-clip-norm"},
		{"--coca-caption-loss-weight -1", "--coca-caption-loss-weight"},
		{"--coca-contrastive-loss-weight NaN", "--coca-contrastive-loss-weight"},
		{"--caption-z-loss -0.1", "--caption-z-loss"},
		{"--train-only nothing", "--train-only"},
		{"--train-only [", "--train-only"},
		{"--train-only visual.* --lock-image", "--train-only"},
		{"--precision amp", "--precision"},
		{"--precision fp16", "--precision"},
		{"--precision int4", "--precision"},
		{"--threads -1", "--threads"},
		{"--report-to wandb", "report-to"},
		{"--report-to paper", "report-to"},
		{"--log-every-n-steps 0", "--log-every-n-steps"},
		{"--save-frequency -1", "--save-frequency"},
		{"--save-interval -1s", "--save-interval"},
		{"--save-every-n-steps -1", "--save-every-n-steps"},
		{"--name a/b", "--name"},
		{"--name ..", "--name"},
		{"--resume nowhere", "nowhere"},
		{"--resume " + file("not.pt", "hello"), "not.pt"},
		{"--pretrained nowhere", "nowhere"},
		{"--pretrained " + testdata + "models/plain", "weights do not fit"},
		{"--unheard-of 1", "unheard-of"},
	} {
		args := strings.Split(c.args, " ")
		given := func(name, value string) {
			if !strings.Contains(c.args, name+" ") {
				args = append(args, name, value)
			}
		}
		given("--model", model)
		given("--train-data", csv)
		given("--logs", filepath.Join(dir, "logs"))
		given("--name", "run")
		given("--batch-size", "2")
		r := run(t, nil, append([]string{"train"}, args...)...)
		if r.status != statusUsage || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, c.message) {
			t.Errorf("%s: status %d, want 2 and a line with %q:\n%s", c.args, r.status, c.message, r.err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "logs")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

// TestTrainHelp holds the help to the contract: it shows an example.
func TestTrainHelp(t *testing.T) {
	r := run(t, nil, "train", "--help")
	if r.status != 0 || !strings.Contains(r.out, "coca train --model") || !strings.Contains(r.out, "--save-every-n-steps") {
		t.Errorf("%+v", r)
	}
}
