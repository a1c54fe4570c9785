package record

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// maxEvent bounds an event that is read, in bytes.
const maxEvent = 16 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum of TFRecord files: CRC-32C, rotated and shifted, for data
// that holds checksums itself would otherwise be weak spots of it.
func masked(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// appendRecord appends data as a record: length and its checksum, data and its checksum.
func appendRecord(dst, data []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(data)))
	dst = binary.LittleEndian.AppendUint32(dst, masked(dst[start:]))
	dst = append(dst, data...)
	return binary.LittleEndian.AppendUint32(dst, masked(data))
}

// readRecord reads the next record and tells its length in the file. At the end of the file
// the error is io.EOF; of a record that is torn or does not hold its checksums,
// io.ErrUnexpectedEOF.
func readRecord(r io.Reader) (data []byte, size int64, err error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxEvent || masked(head[:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, 0, io.ErrUnexpectedEOF
	}
	body := make([]byte, n+4)
	if _, err := io.ReadFull(r, body); err == io.EOF {
		return nil, 0, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, 0, err
	}
	if data = body[:n]; masked(data) != binary.LittleEndian.Uint32(body[n:]) {
		return nil, 0, io.ErrUnexpectedEOF
	}
	return data, int64(n) + 16, nil
}
