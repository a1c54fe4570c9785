package preprocess

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// PBM, PGM and PPM, plain and raw, read as Pillow's PpmImagePlugin does.

func acceptsPNM(head []byte) bool {
	return len(head) >= 2 && head[0] == 'P' && bytes.IndexByte([]byte("0123456fy"), head[1]) >= 0
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

type pnmReader struct {
	data []byte
	at   int
}

// number reads one number of the header and the white space behind it.
// A comment ends with its line and does not end the number.
func (p *pnmReader) number(thing string) (int, error) {
	var token []byte
	for len(token) <= 10 && p.at < len(p.data) {
		c := p.data[p.at]
		p.at++
		if isSpace(c) {
			if len(token) > 0 {
				break
			}
			continue
		}
		if c == '#' {
			for p.at < len(p.data) {
				p.at++
				if c := p.data[p.at-1]; c == '\n' || c == '\r' {
					break
				}
			}
			continue
		}
		token = append(token, c)
	}
	n, err := strconv.Atoi(string(token))
	if err != nil || len(token) > 10 {
		return 0, formatErr("PNM", thing, "a number of at most ten digits", fmt.Sprintf("%q", token))
	}
	return n, nil
}

func decodePNM(data []byte, limits Limits) (*Image, error) {
	kind := data[1]
	if kind < '1' || kind > '6' || len(data) > 2 && !isSpace(data[2]) {
		head := data[:min(len(data), 6)]
		if kind == 'f' || kind == 'y' || kind == '0' {
			return nil, &UnsupportedError{"PNM", "kind", fmt.Sprintf("%q", head), "P1 to P6"}
		}
		return nil, formatErr("PNM", "kind", "P1 to P6 and white space", fmt.Sprintf("%q", head))
	}
	p := &pnmReader{data: data, at: min(3, len(data))}
	w, err := p.number("width")
	if err != nil {
		return nil, err
	}
	h, err := p.number("height")
	if err != nil {
		return nil, err
	}
	if err := limits.checkSize("PNM", w, h); err != nil {
		return nil, err
	}
	mode := [...]Mode{Mode1, ModeL, ModeRGB}[(kind-'1')%3]
	top := 1
	if mode != Mode1 {
		if top, err = p.number("maximum value"); err != nil {
			return nil, err
		}
		if top < 1 || top > 65535 {
			return nil, formatErr("PNM", "maximum value", "1 to 65535", top)
		}
		if top > 255 && mode == ModeL {
			mode = ModeI
		}
	}
	samples := w * h
	if mode == ModeRGB {
		samples *= 3
	}
	if kind <= '3' {
		return p.plain(mode, w, h, samples, top)
	}
	return p.raw(mode, w, h, samples, top)
}

// pnmScale maps a sample of 0…top to the range of the mode.
func pnmScale(v, top int, mode Mode) int {
	full := 255.0
	if mode == ModeI {
		full = 65535
	}
	return int(math.Min(full, math.RoundToEven(float64(float64(v)/float64(top))*full)))
}

func pnmPut(m *Image, i, v int) {
	if m.Mode == ModeI {
		binary.LittleEndian.PutUint32(m.Pix[4*i:], uint32(v))
	} else {
		m.Pix[i] = byte(v)
	}
}

func (p *pnmReader) raw(mode Mode, w, h, samples, top int) (*Image, error) {
	rest := p.data[p.at:]
	need, wide := samples, top > 255
	if mode == Mode1 {
		need = (w + 7) / 8 * h
	} else if wide {
		need *= 2
	}
	if len(rest) < need {
		return nil, truncated("PNM", "pixels", need, len(rest))
	}
	m := newImage(mode, w, h)
	switch {
	case mode == Mode1: // a set bit is black
		for i := range m.Pix {
			y, x := i/w, i%w
			m.Pix[i] = 255 * (1 &^ (rest[y*((w+7)/8)+x/8] >> (7 - x%8)))
		}
	case top == 255:
		copy(m.Pix, rest)
	case wide:
		for i := range samples {
			pnmPut(m, i, pnmScale(int(binary.BigEndian.Uint16(rest[2*i:])), top, mode))
		}
	default:
		for i := range samples {
			m.Pix[i] = byte(pnmScale(int(rest[i]), top, mode))
		}
	}
	return m, nil
}

// plain reads samples written as text. Comments vanish without a trace: they
// do not even separate numbers.
func (p *pnmReader) plain(mode Mode, w, h, samples, top int) (*Image, error) {
	// A sample takes at least one byte, so nothing is allocated in vain.
	if len(p.data)-p.at < samples {
		return nil, truncated("PNM", "pixels", samples, len(p.data)-p.at)
	}
	m := newImage(mode, w, h)
	var token []byte
	i := 0
	for i < samples {
		c, ok := p.plainByte()
		switch {
		case mode == Mode1 && !ok:
			return nil, truncated("PNM", "pixels", samples, i)
		case mode == Mode1 && isSpace(c):
		case mode == Mode1:
			if c != '0' && c != '1' {
				return nil, formatErr("PNM", fmt.Sprintf("sample %d", i), "0 or 1", fmt.Sprintf("%q", c))
			}
			m.Pix[i] = 255 * ('1' - c)
			i++
		case ok && !isSpace(c):
			if token = append(token, c); len(token) > 10 {
				return nil, formatErr("PNM", fmt.Sprintf("sample %d", i), "at most ten digits", fmt.Sprintf("%q", token))
			}
		case len(token) > 0:
			v, err := strconv.Atoi(string(token))
			if err != nil || v < 0 || v > top {
				return nil, formatErr("PNM", fmt.Sprintf("sample %d", i), fmt.Sprintf("0 to %d", top), fmt.Sprintf("%q", token))
			}
			pnmPut(m, i, pnmScale(v, top, mode))
			token = token[:0]
			i++
		case !ok:
			return nil, truncated("PNM", "pixels", samples, i)
		}
	}
	return m, nil
}

// plainByte returns the next byte outside of comments.
func (p *pnmReader) plainByte() (c byte, ok bool) {
	for comment := false; p.at < len(p.data); {
		c = p.data[p.at]
		p.at++
		switch {
		case comment:
			comment = c != '\n' && c != '\r'
		case c == '#':
			comment = true
		default:
			return c, true
		}
	}
	return 0, false
}
