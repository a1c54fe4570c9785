package train

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/weights"
)

// A start is where a run begins: the values of all tensors and, if a run goes on, its
// position and the optimizer's memory.
type start struct {
	values   nn.Source
	position *Position                   // nil at the begin
	restore  func(state, *Trainer) error // nil without memory

	files []*weights.File // to be closed when all is read
}

func (s *start) close() error {
	var err error
	for _, f := range s.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// findStart opens what a run starts from: the checkpoint to go on from, else the
// pretrained weights, else the base's own, else random values.
func (t *Trainer) findStart(pretrained string) (s *start, err error) {
	s = &start{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	resume := t.options.Resume
	if resume == "latest" {
		if resume, err = t.folder.latest(); err != nil {
			return s, err
		}
	}
	from := resume
	switch {
	case resume != "":
		if info, err := os.Stat(resume); err != nil {
			return s, err
		} else if info.IsDir() {
			err := s.openCheckpoint(resume)
			if err != nil {
				return s, err
			}
			break
		}
		if err := s.openTorch(resume); err != nil {
			return s, err
		}
	case pretrained != "" || t.base.Weights != "":
		if from = pretrained; from == "" {
			from = t.base.Weights
		}
		src, file, err := openWeights(from)
		if err != nil {
			return s, err
		}
		s.values, s.files = src, append(s.files, file)
	default:
		s.values = Init(t.base.Config, t.options.Seed)
		return s, nil
	}
	if s.values, err = fitted(t.base.Config, s.values); err != nil {
		return s, fmt.Errorf("%s: %w", from, err)
	}
	return s, nil
}

// openCheckpoint opens a checkpoint of ours. A model folder without a position is taken
// for its weights, as OpenCLIP takes a bare state dict.
func (s *start) openCheckpoint(dir string) error {
	src, file, err := openWeights(dir)
	if err != nil {
		return err
	}
	s.values, s.files = src, append(s.files, file)
	p, err := readPosition(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	f, err := weights.Open(filepath.Join(dir, optimizerName))
	if err != nil {
		return err
	}
	s.files, s.position = append(s.files, f), &p
	s.restore = func(o state, t *Trainer) error {
		if now := t.options; p.Batches > 0 && (p.Batch != now.Batch || max(p.Accum, 1) != now.Accum || p.Seed != now.Seed) {
			return &ConfigError{"resume", fmt.Sprintf("--batch-size %d --accum-freq %d --seed %d within an epoch, as %s has", p.Batch, max(p.Accum, 1), p.Seed, dir),
				fmt.Sprintf("--batch-size %d --accum-freq %d --seed %d", now.Batch, now.Accum, now.Seed)}
		}
		if p.Optimizer != t.options.Optimizer {
			return &ConfigError{"resume", "a checkpoint of --opt " + t.options.Optimizer, "one of " + p.Optimizer}
		}
		if err := o.restore(f); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		return nil
	}
	return nil
}

// openTorch opens a checkpoint of open_clip_train, or a bare state dict.
func (s *start) openTorch(path string) error {
	c, f, err := weights.OpenTorchCheckpoint(path)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	src := fileSource{tensors: map[string]weights.Tensor{}}
	for _, t := range c.StateDict {
		src.names, src.tensors[t.Name] = append(src.names, t.Name), t
	}
	s.values = src
	if c.Bare {
		return nil
	}
	s.position = &Position{Epoch: c.Epoch, Step: -1}
	if c.Optimizer == nil {
		return nil
	}
	s.restore = func(o state, t *Trainer) error {
		adamw, ok := o.(*AdamW)
		if !ok {
			return &ConfigError{"resume", "a checkpoint of --opt " + t.options.Optimizer, path + ", which is one of adamw"}
		}
		if err := adamw.SetTorch(c.Optimizer); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	return nil
}

// trained lists the tensors that the options let change. Computed positions never
// do, as in OpenCLIP.
func (o Options) trained(all []nn.Info, cfg model.Config) ([]nn.Info, error) {
	matched := make([]bool, len(o.TrainOnly))
	var list []nn.Info
	for _, t := range all {
		wanted := len(o.TrainOnly) == 0
		for i, pattern := range o.TrainOnly {
			ok, err := path.Match(pattern, t.Name)
			if err != nil {
				return nil, &ConfigError{"train-only", "a pattern of names, with * and ?", fmt.Sprintf("%q", pattern)}
			}
			if ok {
				wanted, matched[i] = true, true
			}
		}
		if o.LockImage && strings.HasPrefix(t.Name, "visual.") || o.LockText && strings.HasPrefix(t.Name, "text.") {
			wanted = false
		}
		if cfg.Vision.PosEmbedType == "sin_cos_2d" && t.Name == "visual.positional_embedding" {
			wanted = false
		}
		if wanted {
			list = append(list, t)
		}
	}
	if i := slices.Index(matched, false); i >= 0 {
		return nil, &ConfigError{"train-only", "a pattern that the name of some tensor matches, such as text_decoder.*", fmt.Sprintf("%q", o.TrainOnly[i])}
	}
	if len(list) == 0 {
		return nil, &ConfigError{"train-only", "some tensor to train", "none that is not locked"}
	}
	return list, nil
}

// frozen copies the tensors that are not trained.
func frozen(all []nn.Info, p *Parameters, src nn.Source) (nn.Source, error) {
	f := fittedSource{nn.List(all), map[string][]float32{}}
	for _, t := range all {
		if p.Lookup(t.Name) != nil {
			continue
		}
		values, err := src.Float32(t.Name)
		if err != nil {
			return nil, err
		}
		f.values[t.Name] = slices.Clone(values)
	}
	return f, nil
}

// build reads the start and makes the model, its step and the optimizer.
func (t *Trainer) build(pretrained string) (err error) {
	o, cfg := t.options, t.base.Config
	t.tensors = model.Tensors(cfg)
	list, err := o.trained(t.tensors, t.base.Config)
	if err != nil {
		return err
	}
	if t.parameters, err = NewParameters(list); err != nil {
		return err
	}
	from, err := t.findStart(pretrained)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	if err := t.parameters.Load(from.values); err != nil {
		return err
	}
	rest, err := frozen(t.tensors, t.parameters, from.values)
	if err != nil {
		return err
	}
	t.values = t.parameters.Source(rest)
	if t.model, err = model.New(cfg, t.values); err != nil {
		return err
	}
	if t.dropout, err = t.base.patchDropout(); err != nil {
		return err
	}
	if err := t.compile(); err != nil {
		return err
	}
	t.clipper = NewClipper(t.parameters, t.dev.Pool())
	if o.Optimizer == OptMuon {
		muon := o.Muon
		muon.Precision = o.Precision
		t.optimizer, err = NewMuon(t.parameters, muon, o.AdamW, t.dev.Pool())
	} else {
		t.optimizer, err = NewAdamW(t.parameters, o.AdamW, t.dev.Pool())
	}
	if err != nil {
		return err
	}
	if from.restore != nil {
		if err := from.restore(t.optimizer, t); err != nil {
			return err
		}
	}
	if p := from.position; p != nil {
		t.position.Epoch, t.position.Batches, t.position.Records, t.position.Step = p.Epoch, p.Batches, p.Records, p.Step
		if p.Step < 0 { // the file does not say
			t.position.Step = p.Epoch * t.perEpoch
		}
	}
	return nil
}
