package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/seed-e0874532/coca"
)

// sheet draws pictures of the held-out combinations with a model's captions.
// Their artwork is of the seen styles: the held-out one's licence asks for more than a sheet can give.
func sheet(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("sheet", flag.ContinueOnError)
	name := flags.String("model", "model", "model folder")
	data := flags.String("data", "data", "folder of the shards")
	out := flags.String("out", "sheet.png", "the picture")
	columns := flags.Int("columns", 6, "pictures side by side")
	rows := flags.Int("rows", 4, "and one below the other")
	if err := flags.Parse(args); err != nil {
		return err
	}
	m, err := coca.Load(ctx, *name)
	if err != nil {
		return err
	}
	defer m.Close()
	var images []*coca.Image
	var pictures []image.Image
	enough := errors.New("enough")
	err = eachRecord(filepath.Join(*data, "combos-00000.tar"), func(r record) error {
		if len(images) == *columns**rows {
			return enough
		}
		if r.truth.Kind == Single && len(images)%3 != 0 { // more of what is harder
			return nil
		}
		img, err := coca.DecodeImage(bytes.NewReader(r.jpeg))
		if err != nil {
			return err
		}
		picture, _, err := image.Decode(bytes.NewReader(r.jpeg))
		images, pictures = append(images, img), append(pictures, picture)
		return err
	})
	if err != nil && !errors.Is(err, enough) {
		return err
	}
	captions, err := m.Captions(ctx, images)
	if err != nil {
		return err
	}
	const side, width, height, lines = 144, 184, 200, 3
	page := image.NewRGBA(image.Rect(0, 0, *columns*width, (len(images)+*columns-1) / *columns * height))
	draw.Draw(page, page.Bounds(), image.White, image.Point{}, draw.Src)
	for i, picture := range pictures {
		x, y := i%*columns*width+(width-side)/2, i / *columns * height + 6
		draw.CatmullRom.Scale(page, image.Rect(x, y, x+side, y+side), picture, picture.Bounds(), draw.Src, nil)
		for k, line := range wrapped(captions[i][0].Text, width/7-1, lines) {
			d := font.Drawer{Dst: page, Src: image.NewUniform(color.Black), Face: basicfont.Face7x13}
			d.Dot = fixed.P(i%*columns*width+(width-7*len(line))/2, y+side+13*(k+1))
			d.DrawString(line)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, page); err != nil {
		return err
	}
	fmt.Printf("%d pictures in %s\n", len(images), *out)
	return replaceFile(*out, b.Bytes())
}

// wrapped breaks a text into lines of at most n letters, as many as there is room for.
func wrapped(text string, n, room int) (lines []string) {
	for _, word := range strings.Fields(text) {
		if k := len(lines) - 1; k >= 0 && len(lines[k])+1+len(word) <= n {
			lines[k] += " " + word
		} else if len(lines) < room {
			lines = append(lines, word)
		}
	}
	return lines
}
