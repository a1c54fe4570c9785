package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/seed-e0874532/coca/internal/atomicfile"
)

// npyFile writes a float32 array in NumPy's format, version 1.0, C order,
// little-endian, under a temporary name until it is whole.
type npyFile struct {
	*atomicfile.File
	path string
	w    *bufio.Writer
	left int // values still to come
}

// createNPY begins an array of the given shape.
func createNPY(path string, shape ...int) (*npyFile, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	n := &npyFile{File: f, path: path, w: bufio.NewWriterSize(f, 1<<16), left: 1}
	var dims []string
	for _, d := range shape {
		n.left *= d
		dims = append(dims, fmt.Sprint(d))
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }", strings.Join(dims, ", "))
	// Magic, version and length are ten bytes; all of it fills whole lines of 64.
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	if len(header) > math.MaxUint16 {
		n.Abandon()
		return nil, fmt.Errorf("%s: want a shape of fewer axes", path)
	}
	n.w.WriteString("\x93NUMPY\x01\x00")
	n.w.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	n.w.WriteString(header) // an error stays in the writer and comes back at the end
	return n, nil
}

// write appends values.
func (n *npyFile) write(values []float32) error {
	var buf [4]byte
	for _, v := range values {
		binary.LittleEndian.PutUint32(buf[:], math.Float32bits(v))
		n.w.Write(buf[:])
	}
	n.left -= len(values)
	return nil
}

// Commit finishes the file and gives it its name.
func (n *npyFile) Commit() error {
	if n.left != 0 {
		return fmt.Errorf("%s: %d values are missing", n.path, n.left)
	}
	if err := n.w.Flush(); err != nil {
		return err
	}
	return n.File.Commit()
}

// writeNPY writes a whole array.
func writeNPY(path string, values []float32, shape ...int) error {
	n, err := createNPY(path, shape...)
	if err != nil {
		return err
	}
	defer n.Abandon()
	if err := n.write(values); err != nil {
		return err
	}
	return n.Commit()
}
