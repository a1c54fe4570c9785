package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Pulled is a model in the cache.
type Pulled struct {
	Dir     string // the snapshot's folder: the weights, the config and the tokenizer files that there are
	Weights string // path of the weights file; its ending tells the format
	Config  string // path of open_clip_config.json, or of the family's config.json; "" if there is none
	Arch    string // built-in architecture that the name implies, "" if Config must tell
	Repo    string
	Commit  string
	Stale   bool // the hub could not be asked; this is what the cache held
}

const maxSmallFile = 64 << 20 // bytes of a config or tokenizer file

// weightFiles are the names that are looked for, in this order: the two of
// OpenCLIP's hub loader, then the rest of what its local-dir loader takes.
var weightFiles = []string{
	"open_clip_model.safetensors", binWeights,
	"open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.pth",
	"model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth",
}

// tokenizerFiles are fetched where a repository has them.
var tokenizerFiles = []string{
	"tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json",
}

// WeightFiles returns the names under which weights are looked for, in order.
func WeightFiles() []string { return slices.Clone(weightFiles) }

// Pull brings a model into the cache: its config, its weights (the first of
// [WeightFiles] that exists, else any .safetensors, .bin, .pth or .pt file of
// the repository's top folder, in this order) and its tokenizer files. Names are
//
//	hf-hub:ORG/REPO[@REVISION]   any repository
//	ORG/REPO[@REVISION]          the same
//	ARCH:TAG[@REVISION]          one of [Tags]; "-" and "_" and case do not matter
//	mobileclip2_coca_…           a repository of that family, of apple; see [Names]
//
// All files come from one commit, also if the branch moves meanwhile. refs learns
// of the commit when all of them are in place. Errors are those of
// [Client.File], and [ErrNoWeights].
func (c *Client) Pull(ctx context.Context, name string) (Pulled, error) {
	s, err := parseName(name)
	if err != nil {
		return Pulled{}, err
	}
	p := &pull{c: c, source: s}
	if commitHash.MatchString(s.revision) {
		p.commit = s.revision
	}
	out, err := p.run(ctx)
	if err != nil {
		return Pulled{}, err
	}
	if !p.stale && !c.cfg.Offline {
		if err := c.setRef(fileID{repo: s.repo, revision: s.revision}, p.commit); err != nil {
			return Pulled{}, err
		}
	}
	return out, nil
}

// PullTag is Pull for a built-in architecture and a tag of its weights, as in
// --model ARCH --pretrained TAG.
func (c *Client) PullTag(ctx context.Context, arch, tag string) (Pulled, error) {
	return c.Pull(ctx, arch+":"+tag)
}

// pull is one run of Pull.
type pull struct {
	c *Client
	source
	commit string // "" until the first answer
	stale  bool
	cause  error // why the hub could not be asked
}

func (p *pull) run(ctx context.Context) (Pulled, error) {
	out := Pulled{Repo: p.repo, Arch: p.arch}
	var err error
	configs := []string{"open_clip_config.json"}
	if p.family {
		configs = append(configs, "config.json")
	}
	if out.Config, err = p.first(ctx, configs, maxSmallFile); err != nil {
		return out, err
	}
	candidates := weightFiles
	if p.family { // the name that Apple's README uses, after OpenCLIP's own two
		candidates = slices.Insert(slices.Clone(weightFiles), 2, "mobileclip2_coca.pt")
	}
	if out.Weights, err = p.first(ctx, candidates, p.c.cfg.MaxFileSize); err != nil {
		return out, err
	}
	if out.Weights == "" {
		if out.Weights, err = p.otherWeights(ctx); err != nil {
			return out, err
		}
	}
	for _, f := range tokenizerFiles {
		if _, err := p.first(ctx, []string{f}, maxSmallFile); err != nil {
			return out, err
		}
	}
	out.Commit, out.Stale = p.commit, p.stale
	out.Dir = filepath.Join(p.c.cfg.CacheDir, repoFolder(p.repo), "snapshots", p.commit)
	return out, nil
}

// first fetches the first of some files that exists and returns its path, or ""
// if none does.
func (p *pull) first(ctx context.Context, files []string, limit int64) (string, error) {
	for _, f := range files {
		id := fileID{p.repo, p.revision, f}
		if p.commit != "" {
			id.revision = p.commit
		}
		var got located
		var err error
		if p.stale { // the hub did not answer before; do not wait for it again
			got, err = p.c.cached(id, nil)
		} else {
			got, err = p.c.file(ctx, id, limit, false)
		}
		if p.commit == "" {
			p.commit = got.commit
		}
		if got.stale {
			p.stale, p.cause = true, cmp.Or(p.cause, err)
		}
		switch {
		case err == nil:
			return got.path, nil
		case got.stale: // go on with what the cache knows of this commit
		case errors.Is(err, ErrEntryNotFound):
		case errors.Is(err, ErrNotCached) && (p.stale || p.c.cfg.Offline):
		default:
			return "", err
		}
	}
	return "", nil
}

var (
	shard         = regexp.MustCompile(`-\d{5}-of-\d{5}\.`)
	trainingState = regexp.MustCompile(`^(optimizer|scheduler|training_args|rng_state|scaler)`)
)

// otherWeights looks through the list of files for weights of any name. Without
// the hub it looks through the snapshot.
func (p *pull) otherWeights(ctx context.Context) (string, error) {
	id := fileID{repo: p.repo, revision: cmp.Or(p.commit, p.revision)}
	files, err := p.list(ctx, id)
	if err != nil {
		return "", err
	}
	if f := pickWeights(files); f != "" {
		return p.first(ctx, []string{f}, p.c.cfg.MaxFileSize)
	}
	switch {
	case p.cause != nil:
		return "", p.cause
	case p.c.cfg.Offline:
		return "", id.error(ErrNotCached, "want weights in "+p.c.cfg.CacheDir+", found none; HF_HUB_OFFLINE forbids to fetch them", nil)
	}
	return "", id.error(ErrNoWeights, fmt.Sprintf("want %s or another .safetensors, .bin, .pth or .pt file in one piece, found %d files: %s",
		weightFiles[0], len(files), printable(shorten(strings.Join(files, ", "), 200))), nil)
}

func (p *pull) list(ctx context.Context, id fileID) (files []string, err error) {
	if !p.stale && !p.c.cfg.Offline {
		files, p.commit, err = p.c.list(ctx, id)
		return files, err
	}
	k, err := p.c.openCache(p.repo, false)
	if err != nil || k == nil {
		return nil, err
	}
	defer k.close()
	return k.names(p.commit)
}

// pickWeights returns the weights of a list of files, safetensors first, or "".
func pickWeights(files []string) string {
	files = slices.Sorted(slices.Values(files))
	for _, ext := range []string{".safetensors", ".bin", ".pth", ".pt"} {
		for _, f := range files {
			if strings.HasSuffix(f, ext) && !strings.Contains(f, "/") && checkPath("file", f) == nil &&
				!shard.MatchString(f) && !trainingState.MatchString(f) {
				return f
			}
		}
	}
	return ""
}
