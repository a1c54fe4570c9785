package weights

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// recordAlignment is what torch aligns the data of its records to, so that a mapped file can be
// used in place.
const recordAlignment = 64

// archiveWriter writes a zip archive of stored members as torch.save does: one folder, the
// data of each member aligned. Members stream; their checksums are filled in afterwards.
type archiveWriter struct {
	f       *os.File
	folder  string
	off     int64
	records []zipRecord

	// classic is the first number that the classic records cannot say, and from which
	// on zip64 is written. Tests lower it.
	classic uint64
}

type zipRecord struct {
	name string
	off  int64
	size uint64
	crc  uint32
}

func newArchiveWriter(f *os.File, path string) *archiveWriter {
	base := filepath.Base(path)
	return &archiveWriter{f: f, folder: strings.TrimSuffix(base, filepath.Ext(base)) + "/", classic: math.MaxUint32}
}

const (
	zipVersion, zip64Version = 20, 45
	zipUTF8                  = 1 << 11
	zipDate                  = 1<<5 | 1 // 1 January 1980, the first there is
	crcOffset                = 14       // in a local header
	maxUint16, maxUint32     = math.MaxUint16, math.MaxUint32
)

// version is what a reader must know for a record.
func (a *archiveWriter) version(big bool) uint16 {
	if big {
		return zip64Version
	}
	return zipVersion
}

// add writes a member of size bytes, which write delivers.
func (a *archiveWriter) add(name string, size int64, write func(io.Writer) error) error {
	r := zipRecord{name: a.folder + name, off: a.off, size: uint64(size)}
	big := r.size >= a.classic
	var extra []byte
	shown := uint32(r.size)
	if big {
		shown = maxUint32
		extra = le(extra, 2, 1, 2, 16, 8, r.size, 8, r.size)
	}
	// An extra field of torch's own fills up to the alignment.
	start := r.off + 30 + int64(len(r.name)+len(extra)) + 4
	pad := int((recordAlignment - start%recordAlignment) % recordAlignment)
	extra = le(extra, 2, 'F'|'B'<<8, 2, uint64(pad))
	extra = append(extra, strings.Repeat("Z", pad)...)
	h := le(nil, 4, 0x04034b50, 2, uint64(a.version(big)), 2, zipUTF8, 2, 0, 2, 0, 2, zipDate,
		4, 0, 4, uint64(shown), 4, uint64(shown), 2, uint64(len(r.name)), 2, uint64(len(extra)))
	h = append(append(h, r.name...), extra...)
	if _, err := a.f.Write(h); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	sum := crc32.NewIEEE()
	if err := write(io.MultiWriter(a.f, sum)); err != nil {
		return err
	}
	r.crc = sum.Sum32()
	if _, err := a.f.WriteAt(le(nil, 4, uint64(r.crc)), r.off+crcOffset); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	a.off += int64(len(h)) + size
	a.records = append(a.records, r)
	return nil
}

// text adds a small member.
func (a *archiveWriter) text(name, content string) error {
	return a.add(name, int64(len(content)), func(w io.Writer) error {
		if _, err := io.WriteString(w, content); err != nil {
			return fmt.Errorf("weights: %w", err)
		}
		return nil
	})
}

// finish writes the directory.
func (a *archiveWriter) finish() error {
	var b []byte
	for _, r := range a.records {
		var extra []byte
		size, off := uint32(r.size), uint32(r.off)
		if r.size >= a.classic {
			size = maxUint32
			extra = le(extra, 8, r.size, 8, r.size)
		}
		if uint64(r.off) >= a.classic {
			off = maxUint32
			extra = le(extra, 8, uint64(r.off))
		}
		v := uint64(a.version(len(extra) > 0))
		if len(extra) > 0 {
			extra = append(le(nil, 2, 1, 2, uint64(len(extra))), extra...)
		}
		b = le(b, 4, 0x02014b50, 2, v, 2, v, 2, zipUTF8, 2, 0, 2, 0, 2, zipDate, 4, uint64(r.crc), 4, uint64(size), 4, uint64(size),
			2, uint64(len(r.name)), 2, uint64(len(extra)), 2, 0, 2, 0, 2, 0, 4, 0, 4, uint64(off))
		b = append(append(b, r.name...), extra...)
	}
	n, size, off := uint64(len(a.records)), uint64(len(b)), uint64(a.off)
	if n >= maxUint16 || size >= a.classic || off >= a.classic {
		end := off + size
		b = le(b, 4, 0x06064b50, 8, 44, 2, zip64Version, 2, zip64Version, 4, 0, 4, 0, 8, n, 8, n, 8, size, 8, off)
		b = le(b, 4, 0x07064b50, 4, 0, 8, end, 4, 1)
		n, size, off = maxUint16, maxUint32, maxUint32
	}
	b = le(b, 4, 0x06054b50, 2, 0, 2, 0, 2, n, 2, n, 4, size, 4, off, 2, 0)
	if _, err := a.f.Write(b); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	return nil
}

// le appends pairs of a width in bytes and a number, little-endian.
func le(b []byte, pairs ...uint64) []byte {
	for i := 0; i < len(pairs); i += 2 {
		n := len(b) + int(pairs[i])
		b = binary.LittleEndian.AppendUint64(b, pairs[i+1])[:n]
	}
	return b
}
