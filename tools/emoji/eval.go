package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-e0874532/coca"
	searches "github.com/seed-e0874532/coca/generate" // generate is a command here
)

// Report is what a model knows of one held-out set.
type Report struct {
	Set      string `json:"set"`
	Scenes   int    `json:"scenes"`
	Recall   Share  `json:"object_recall"`
	Singles  Share  `json:"object_recall_singles"`
	Pairs    Share  `json:"object_recall_pairs"`
	Facts    Share  `json:"all_objects_and_numbers"` // every object with its number, and nothing else
	Exact    Share  `json:"exact_match"`             // word for word this scene's caption, one of several that the generator may give
	Count    Share  `json:"count"`                   // of scenes with several of one kind: the number and the noun
	Number   Share  `json:"number"`                  // the number alone
	Order    Share  `json:"order"`                   // of scenes with two objects, both named: in reading order
	Relation Share  `json:"relation"`                // the relation that the caption states holds
	Top1     Share  `json:"zero_shot_top1"`
	Top5     Share  `json:"zero_shot_top5"`
	ToText   Share  `json:"image_to_text_r1"` // the scene's own caption first, of up to 1,000 different ones
	ToImage  Share  `json:"text_to_image_r1"`
}

// A Share counts hits.
type Share struct {
	Hits, Of int
}

func (s *Share) add(hit bool) {
	s.Of++
	if hit {
		s.Hits++
	}
}

func (s Share) percent() float64 { return 100 * float64(s.Hits) / float64(max(1, s.Of)) }

// MarshalJSON gives the share itself with its counts.
func (s Share) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"percent":%.2f,"hits":%d,"of":%d}`, s.percent(), s.Hits, s.Of), nil
}

func evaluate(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("eval", flag.ContinueOnError)
	name := flags.String("model", "model", "model folder")
	data := flags.String("data", "data", "folder of the shards")
	only := flags.String("sets", "combos,style", "held-out sets")
	precision := flags.String("precision", "fp32", "fp32, bf16 or int8")
	threads := flags.Int("threads", 0, "threads (0: all)")
	limit := flags.Int("limit", 0, "scenes of each set (0: all)")
	greedy := flags.Bool("greedy", false, "take the likeliest token each time, and short captions too, in place of OpenCLIP's search")
	out := flags.String("out", "", "folder that gets evaluation.json and evaluation.md")
	if err := flags.Parse(args); err != nil {
		return err
	}
	p, err := coca.ParsePrecision(*precision)
	if err != nil {
		return err
	}
	m, err := coca.Load(ctx, *name, coca.WithPrecision(p), coca.WithThreads(*threads))
	if err != nil {
		return err
	}
	defer m.Close()
	search := m.Search(searches.OpenCLIP33)
	if *greedy {
		search.Type, search.TopK, search.MinSeqLen = searches.TopK, 1, 0
	}
	var reports []Report
	for _, set := range strings.Split(*only, ",") {
		r, err := measure(ctx, m, search, *data, set, *limit)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	table := markdown(reports)
	fmt.Print(table)
	if *out == "" {
		return nil
	}
	text, err := json.MarshalIndent(reports, "", " ")
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(*out, "evaluation.json"), append(text, '\n')); err != nil {
		return err
	}
	return replaceFile(filepath.Join(*out, "evaluation.md"), []byte(table))
}

func measure(ctx context.Context, m *coca.Model, search searches.Options, data, set string, limit int) (Report, error) {
	report := Report{Set: set}
	names, err := filepath.Glob(filepath.Join(data, set+"-*.tar"))
	if err != nil || len(names) == 0 {
		return report, fmt.Errorf("shards: want %s-*.tar in %s, found none (%v)", set, data, err)
	}
	var records []record
	for _, n := range names {
		if err := eachRecord(n, func(r record) error { records = append(records, r); return ctx.Err() }); err != nil {
			return report, err
		}
	}
	if limit > 0 && len(records) > limit {
		records = records[:limit]
	}
	report.Scenes = len(records)
	var images []*coca.Image
	for _, r := range records {
		img, err := coca.DecodeImage(bytes.NewReader(r.jpeg))
		if err != nil {
			return report, err
		}
		images = append(images, img)
	}
	const together = 16
	for i := 0; i < len(images); i += together {
		captions, err := m.Captions(ctx, images[i:min(i+together, len(images))], coca.WithSearch(search))
		if err != nil {
			return report, err
		}
		for k, c := range captions {
			report.caption(records[i+k].truth, c[0].Text)
		}
		fmt.Fprintf(os.Stderr, "\r%s: %d of %d", set, min(i+together, len(images)), len(images))
	}
	fmt.Fprintln(os.Stderr)
	return report, report.embed(ctx, m, records, images)
}

// caption compares a caption with the truth.
func (r *Report) caption(t Truth, caption string) {
	f := FactsOf(caption)
	distinct := slices.Compact(slices.Clone(t.Objects))
	both, facts := len(distinct) == 2, len(f.Mentions) == len(distinct)
	for _, o := range distinct {
		named := f.numberOf(o) > 0
		r.Recall.add(named)
		number := 0
		for _, other := range t.Objects {
			if other == o {
				number++
			}
		}
		facts = facts && f.numberOf(o) == number
		switch t.Kind {
		case Single:
			r.Singles.add(named)
		case Beside, Above:
			r.Pairs.add(named)
			both = both && named
		}
	}
	r.Facts.add(facts)
	r.Exact.add(slices.Equal(wordsOf(caption), wordsOf(t.Caption)))
	switch t.Kind {
	case Count:
		number := 0
		for _, m := range f.Mentions {
			number = max(number, m.Number)
		}
		r.Count.add(f.numberOf(t.Objects[0]) == len(t.Objects))
		r.Number.add(number == len(t.Objects))
	case Beside, Above:
		if both {
			at := func(o int) int { return slices.IndexFunc(f.Mentions, func(m Mention) bool { return m.Concept == o }) }
			ordered := at(t.Objects[0]) < at(t.Objects[1])
			r.Order.add(ordered)
			if f.Relation != "" {
				r.Relation.add(ordered && (f.Relation == "above") == (t.Kind == Above))
			}
		}
	}
}

// embed measures the embeddings: concepts by their names, and retrieval.
func (r *Report) embed(ctx context.Context, m *coca.Model, records []record, images []*coca.Image) error {
	var prompts []string
	for _, c := range Concepts {
		prompts = append(prompts, c.Article())
	}
	names, err := m.EncodeTexts(ctx, prompts)
	if err != nil {
		return err
	}
	features, err := m.EncodeImages(ctx, images)
	if err != nil {
		return err
	}
	var texts []string
	var own [][]float32
	for i, rec := range records {
		if rec.truth.Kind == Single {
			rank := rankOf(features[i], names, rec.truth.Objects[0])
			r.Top1.add(rank == 0)
			r.Top5.add(rank < 5)
		}
		if len(texts) < 1000 && !slices.Contains(texts, rec.truth.Caption) {
			texts, own = append(texts, rec.truth.Caption), append(own, features[i])
		}
	}
	vectors, err := m.EncodeTexts(ctx, texts)
	if err != nil {
		return err
	}
	for i := range texts {
		r.ToText.add(rankOf(own[i], vectors, i) == 0)
		r.ToImage.add(rankOf(vectors[i], own, i) == 0)
	}
	return nil
}

// rankOf is how many vectors are nearer to x than the one with that index.
func rankOf(x []float32, list [][]float32, index int) (rank int) {
	limit := dot(x, list[index])
	for i, y := range list {
		if i != index && cmp.Compare(dot(x, y), limit) >= 0 {
			rank++
		}
	}
	return rank
}

func dot(x, y []float32) (sum float64) {
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}

func markdown(reports []Report) string {
	var b strings.Builder
	b.WriteString("| measure |")
	for _, r := range reports {
		fmt.Fprintf(&b, " %s (%d scenes) |", r.Set, r.Scenes)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(reports)) + "\n")
	rows := []struct {
		name  string
		share func(Report) Share
	}{
		{"object recall", func(r Report) Share { return r.Recall }},
		{"object recall, one object", func(r Report) Share { return r.Singles }},
		{"object recall, two objects", func(r Report) Share { return r.Pairs }},
		{"all objects with their numbers, nothing else", func(r Report) Share { return r.Facts }},
		{"caption word for word the generator's", func(r Report) Share { return r.Exact }},
		{"count and noun", func(r Report) Share { return r.Count }},
		{"count", func(r Report) Share { return r.Number }},
		{"order of two objects, both named", func(r Report) Share { return r.Order }},
		{"stated relation holds", func(r Report) Share { return r.Relation }},
		{fmt.Sprintf("zero-shot among %d concepts, top 1", len(Concepts)), func(r Report) Share { return r.Top1 }},
		{"zero-shot, top 5", func(r Report) Share { return r.Top5 }},
		{"image to text, R@1", func(r Report) Share { return r.ToText }},
		{"text to image, R@1", func(r Report) Share { return r.ToImage }},
	}
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |", row.name)
		for _, r := range reports {
			s := row.share(r)
			fmt.Fprintf(&b, " %.1f %% (%d of %d) |", s.percent(), s.Hits, s.Of)
		}
		b.WriteString("\n")
	}
	return b.String()
}
