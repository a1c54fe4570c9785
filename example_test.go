package coca_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/defaultmodel"
	"github.com/seed-e0874532/coca/generate"
)

func Example() {
	ctx := context.Background()
	m, err := coca.Open(defaultmodel.FS, defaultmodel.Name) // or coca.Load(ctx, "path/to/model-folder")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	img, err := coca.OpenImage(os.DirFS("testdata/scenes"), "cactus_above_light_bulb.jpg")
	if err != nil {
		log.Fatal(err)
	}
	caption, err := m.Caption(ctx, img)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(caption.Text)
	// Output: a cactus above a light bulb
}

func ExampleModel_Score() {
	ctx := context.Background()
	m, err := coca.Open(defaultmodel.FS, defaultmodel.Name)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	img, err := coca.OpenImage(os.DirFS("testdata/scenes"), "cactus_above_light_bulb.jpg")
	if err != nil {
		log.Fatal(err)
	}
	scores, err := m.Score(ctx, img, []string{"a cactus above a light bulb", "three cookies"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(scores[0].LogProb > scores[1].LogProb, scores[0].Similarity > scores[1].Similarity)
	// Output: true true
}

func ExampleModel_Captions() {
	ctx := context.Background()
	m, err := coca.Open(defaultmodel.FS, defaultmodel.Name)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	img, err := coca.OpenImage(os.DirFS("testdata/scenes"), "cactus_above_light_bulb.jpg")
	if err != nil {
		log.Fatal(err)
	}
	search := m.Search(generate.Main) // like OpenCLIP's main branch: six beams on log-probabilities
	search.NumCaptions = 3
	all, err := m.Captions(ctx, []*coca.Image{img}, coca.WithSearch(search))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(all[0]), "captions, best first:", all[0][0].Score >= all[0][1].Score)
	// Output: 3 captions, best first: true
}

func ExampleLoad() {
	_, err := coca.Load(context.Background(), "no/such/folder")
	fmt.Println(err != nil)
	// Output: true
}
