package main

import (
	"bytes"
	"fmt"
	"image"
	"io"
	"regexp"
	"strings"

	"github.com/srwiley/oksvg"
	"github.com/srwiley/rasterx"
)

// rasterise draws an SVG picture on a square of side pixels. It makes good for two habits of
// oksvg: widths of strokes stay as they are when a picture is scaled, and of
// several arcs under one letter all get the first one's radii.
func rasterise(r io.Reader, side int) (image.Image, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	text = pathData.ReplaceAllFunc(text, func(attribute []byte) []byte {
		path := string(attribute[len(` d="`) : len(attribute)-1])
		spelled, e := spelledOut(path)
		if e != nil && err == nil {
			err = e
		}
		return []byte(` d="` + spelled + `"`)
	})
	if err != nil {
		return nil, err
	}
	icon, err := oksvg.ReadIconStream(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if icon.ViewBox.W <= 0 || icon.ViewBox.H <= 0 {
		return nil, fmt.Errorf("svg: want a view box with an area, found %v by %v", icon.ViewBox.W, icon.ViewBox.H)
	}
	icon.SetTarget(0, 0, float64(side), float64(side))
	for i := range icon.SVGPaths {
		icon.SVGPaths[i].LineWidth *= float64(side) / icon.ViewBox.W
	}
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	icon.Draw(rasterx.NewDasher(side, side, rasterx.NewScannerGV(side, side, img, img.Bounds())), 1)
	return img, nil
}

var (
	pathData = regexp.MustCompile(` d="[^"]*"`)
	number   = regexp.MustCompile(`^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?`)
)

// operands is how many numbers a segment of a path takes (SVG 1.1, section 8.3).
var operands = map[byte]int{'m': 2, 'l': 2, 'h': 1, 'v': 1, 'c': 6, 's': 4, 'q': 4, 't': 2, 'a': 7, 'z': 0}

// spelledOut writes path data with a letter before each segment and a space before each number.
func spelledOut(path string) (string, error) {
	var out strings.Builder
	rest := strings.TrimLeft(path, " ,\t\r\n")
	for rest != "" {
		letter := rest[0]
		n, ok := operands[letter|0x20]
		if !ok {
			return "", fmt.Errorf("svg: path: want a command, found %.20q", rest)
		}
		rest = strings.TrimLeft(rest[1:], " ,\t\r\n")
		for {
			out.WriteByte(letter)
			for k := range n {
				length := 1 // an arc's two flags may stand without a space behind them
				if letter|0x20 != 'a' || k != 3 && k != 4 {
					length = len(number.FindString(rest))
				}
				if length == 0 || length > len(rest) {
					return "", fmt.Errorf("svg: path: want number %d of %c, found %.20q", k+1, letter, rest)
				}
				out.WriteString(" " + rest[:length])
				rest = strings.TrimLeft(rest[length:], " ,\t\r\n")
			}
			if n == 0 || number.FindString(rest) == "" {
				break
			}
			switch letter { // more points after a move are lines
			case 'm':
				letter = 'l'
			case 'M':
				letter = 'L'
			}
		}
	}
	return out.String(), nil
}
