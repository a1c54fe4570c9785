package jpeg

import "fmt"

// maxMCUBlocks is the limit of T.81 B.2.3 on blocks in an interleaved MCU.
const maxMCUBlocks = 10

// startScan checks the parameters of the scan whose header was just read and
// makes its tables ready.
func (d *decoder) startScan() error {
	blocks := 0
	for _, c := range d.scan {
		blocks += c.h * c.v
		if c.quant == nil {
			if c.quantID > 3 || d.quant[c.quantID] == nil {
				return d.src.errorf("SOS", fmt.Sprintf("quantisation table %d", c.quantID), "none")
			}
			c.quant = d.quant[c.quantID]
		}
		c.dcPred, c.dcContext = 0, 0
	}
	if len(d.scan) > 1 && blocks > maxMCUBlocks {
		return d.src.errorf("SOS", fmt.Sprintf("at most %d blocks in an MCU", maxMCUBlocks), "%d", blocks)
	}
	d.mcuBlocks = blocks
	if d.progressive {
		if err := d.checkProgression(); err != nil {
			return err
		}
		d.noteProgress()
	}
	if d.arith != nil {
		d.arith.reset()
	}
	for _, c := range d.scan {
		if d.arith != nil {
			break
		}
		if !d.progressive || d.ss == 0 && d.ah == 0 {
			if err := d.prepareTable("DC", &d.dcTables, c.dcTable); err != nil {
				return err
			}
		}
		if !d.progressive || d.ss > 0 {
			if err := d.prepareTable("AC", &d.acTables, c.acTable); err != nil {
				return err
			}
		}
	}
	d.bitState = bitState{}
	d.insufficient = false
	d.eobRun = 0
	d.restartsLeft = d.restartInterval
	return d.countWork()
}

// The blocks that all scans of a file visit may be this many for each block
// of the image, and workFloor more. A scan costs a few bytes in the file but a
// visit to every block here, so that without a bound a small file could keep
// the decoder busy for hours. Encoders make some ten scans.
const (
	workPerBlock = 32
	workFloor    = 1 << 25
)

// countWork adds the visits of the scan about to start.
func (d *decoder) countWork() error {
	all := int64(d.mcusY) * int64(d.rowCoefs/64)
	for _, c := range d.scan {
		d.work += int64(c.blocksX) * int64(c.blocksY)
	}
	if limit := workPerBlock*all + workFloor; d.work > limit {
		return &LimitError{"visits of blocks by scans", limit, d.work}
	}
	return nil
}

// checkProgression refuses impossible parameters of a progressive scan. Like
// libjpeg it lets an unusual order of scans pass.
func (d *decoder) checkProgression() error {
	ok := d.al <= 13 && (d.ah == 0 || d.al == d.ah-1)
	if d.ss == 0 {
		ok = ok && d.se == 0
	} else {
		ok = ok && d.ss <= d.se && d.se <= 63 && len(d.scan) == 1
	}
	if !ok {
		return d.src.errorf("SOS", "progressive scan parameters",
			"coefficients %d to %d, bits %d to %d, %d components", d.ss, d.se, d.ah, d.al, len(d.scan))
	}
	return nil
}

// prepareTable derives the lookup tables of a Huffman table.
func (d *decoder) prepareTable(class string, tables *[4]*huffTable, id int) error {
	if id > 3 || tables[id] == nil {
		return d.src.errorf("SOS", fmt.Sprintf("%s Huffman table %d", class, id), "none")
	}
	t := tables[id]
	if !t.derive() {
		return d.src.errorf("DHT", "a prefix code in "+class+" table "+fmt.Sprint(id), "more codes than fit")
	}
	if class == "DC" {
		total := 0
		for _, n := range t.count {
			total += n
		}
		for _, v := range t.values[:total] {
			if v > 15 {
				return d.src.errorf("DHT", "DC symbols up to 15", "%d", v)
			}
		}
	}
	return nil
}

// decodeOnePass decodes the only scan of a sequential file and hands its rows
// on as they become complete.
func (d *decoder) decodeOnePass(out *output) error {
	for my := range d.mcusY {
		for mx := range d.mcusX {
			if d.restartInterval > 0 {
				if d.restartsLeft == 0 {
					if err := d.restart(); err != nil {
						return err
					}
				}
				d.restartsLeft--
			}
			if err := d.decodeMCU(mx, my); err != nil {
				return err
			}
		}
		out.emit(my)
	}
	return nil
}

// decodeMCU decodes one MCU of a one-pass file into the planes. If the window
// ends within it, it starts again with a larger one.
func (d *decoder) decodeMCU(mx, my int) error {
	if d.insufficient {
		d.tryMCU(mx, my, skipBlock)
		return nil
	}
	if d.arith != nil {
		d.tryMCU(mx, my, (*decoder).arithBlock)
		return d.err
	}
	need := maxBlockBytes * d.mcuBlocks
	for {
		// libjpeg decodes without care where there are data enough, but not
		// between restart markers; as those set things right again, it is
		// enough to do likewise at the end of the file.
		if d.marker == 0 && len(d.src.buf)-d.src.pos < need+history {
			d.align()
		}
		saved := d.save()
		if d.marker != 0 || len(d.src.buf)-d.src.pos >= need && !(d.restartInterval > 0 && d.src.eof) {
			d.ahead = true
			if d.tryMCU(mx, my, (*decoder).decodeBlock) {
				d.insufficient = d.exhausted()
				return nil
			}
			d.restore(&saved)
			d.align()
			saved = d.save()
		}
		if d.tryMCU(mx, my, (*decoder).carefulBlock) {
			return nil
		}
		d.restore(&saved)
		d.src.dropFill()
		if err := d.src.grow(); err != nil {
			return err
		}
	}
}

// A position is what decoding an MCU changes.
type position struct {
	bits   bitState
	marker byte
	pos    int
	pred   [4]int32
}

func (d *decoder) save() (p position) {
	p.bits, p.marker, p.pos = d.bitState, d.marker, d.src.pos
	for i, c := range d.scan {
		p.pred[i] = c.dcPred
	}
	return p
}

func (d *decoder) restore(p *position) {
	d.bitState, d.marker, d.src.pos = p.bits, p.marker, p.pos
	for i, c := range d.scan {
		c.dcPred = p.pred[i]
	}
}

// skipBlock stands for decodeBlock where data are missing: a block of zeros.
func skipBlock(*decoder, *block, *component, *[64]uint16) (shape, bool) { return shape{}, true }

// tryMCU decodes the blocks of an MCU by decode and transforms them into the
// planes. It reports false if the window ends before that.
func (d *decoder) tryMCU(mx, my int, decode func(*decoder, *block, *component, *[64]uint16) (shape, bool)) bool {
	var blk block
	for _, c := range d.scan {
		for y := range c.v {
			by := my*c.v + y
			row := c.plane[by%(2*c.v)*8*c.planeStride:]
			for x := range c.h {
				blk = block{}
				s, ok := decode(d, &blk, c, c.quant)
				if !ok {
					return false
				}
				if bx := mx*c.h + x; bx < c.blocksX && by < c.blocksY {
					idct(row[bx*8:], c.planeStride, &blk, s)
				}
			}
		}
	}
	return true
}

// restart passes the next RST marker, by libjpeg's rules for streams in which
// it is missing or another stands in its place.
func (d *decoder) restart() (err error) {
	if d.arith != nil {
		d.arith.reset()
		d.src.frozen = true
		defer func() {
			d.src.frozen = false
			if err == errSuspended {
				err = d.arithEnd()
			}
		}()
	}
	d.bitState = bitState{}
	if d.marker == 0 {
		if err := d.nextMarker(); err != nil {
			return err
		}
	}
	if d.marker == markerRST0+d.nextRestart {
		d.marker = 0
	} else if err := d.resync(); err != nil {
		return err
	}
	d.nextRestart = (d.nextRestart + 1) & 7
	for _, c := range d.scan {
		c.dcPred, c.dcContext = 0, 0
	}
	d.eobRun = 0
	d.restartsLeft = d.restartInterval
	if d.marker == 0 {
		d.insufficient = false
	}
	return nil
}

// resync decides what to do about a marker that is not the restart marker
// that was due: go on as if it were, look for the next, or leave it for later
// and take this interval as lost.
func (d *decoder) resync() error {
	for {
		m := d.marker
		switch {
		case m < markerSOF0: // no valid marker: look on
		case m < markerRST0 || m > markerRST7:
			return nil // another segment: the scan has ended
		default:
			switch (m - markerRST0 - d.nextRestart) & 7 {
			case 1, 2:
				return nil // one of the next two: this interval is lost
			case 6, 7: // one of the last two: look on
			default:
				d.marker = 0
				return nil
			}
		}
		d.marker = 0
		if err := d.nextMarker(); err != nil {
			return err
		}
	}
}
