package jpeg

// lutBits is the number of bits that one table access resolves.
const lutBits = 10

// A huffTable decodes one Huffman code (ITU-T T.81 annex C and F.2.2.3).
type huffTable struct {
	count  [17]int   // codes of each length, 1 to 16
	values [256]byte // symbols in order of their codes

	derived bool
	// lut has for the next lutBits bits the symbol and, in the upper byte,
	// the length of its code; 0 if the code is longer.
	lut [1 << lutBits]uint16
	// direct has, where code and appended bits fit in lutBits together, the
	// coefficient value (upper 16 bits), the run of zeros before it (bits 8
	// to 11) and the total length (lower byte); else 0.
	direct  [1 << lutBits]uint32
	maxCode [18]int32 // largest code of each length, -1 if there is none
	offset  [18]int32 // index in values of a code of that length, less the code
}

// define sets the code that t decodes.
func (t *huffTable) define(count [17]int, values []byte) {
	t.count, t.derived = count, false
	clear(t.values[copy(t.values[:], values):])
}

// derive builds the lookup tables. It reports whether the counts form a code
// that libjpeg accepts: every code fits its length and none is all ones.
func (t *huffTable) derive() bool {
	if t.derived {
		return true
	}
	clear(t.lut[:])
	clear(t.direct[:])
	code, p := int32(0), int32(0)
	for l := 1; l <= 16; l++ {
		n := int32(t.count[l])
		if n == 0 {
			t.maxCode[l] = -1
			code <<= 1
			continue
		}
		t.offset[l] = p - code
		for range n {
			if l <= lutBits {
				t.fill(code, l, t.values[p])
			}
			code++
			p++
		}
		t.maxCode[l] = code - 1
		if code >= 1<<l {
			return false
		}
		code <<= 1
	}
	t.maxCode[17] = 1 << 20
	t.derived = true
	return true
}

// fill enters a code of length l into the lookup tables.
func (t *huffTable) fill(code int32, l int, symbol byte) {
	free := lutBits - l
	base := int(code) << free
	if base+1<<free > len(t.lut) {
		return // an overfull code, refused by derive
	}
	size := int(symbol & 15)
	for i := range 1 << free {
		t.lut[base+i] = uint16(l)<<8 | uint16(symbol)
		if size > 0 && l+size <= lutBits {
			v := extend(int32(i>>(free-size)), size)
			t.direct[base+i] = uint32(v)<<16 | uint32(symbol>>4)<<8 | uint32(l+size)
		}
	}
}

// long decodes a code of more than lutBits bits, given that acc holds bits
// (at least 17) valid bits. It returns the symbol and the length of the code.
// As in libjpeg, bits that are no code count as 17 bits and the symbol 0.
func (t *huffTable) long(acc uint64, bits int) (symbol byte, length int) {
	code := int32(acc>>uint(bits-17)) & (1<<17 - 1)
	for l := lutBits + 1; l <= 16; l++ {
		if c := code >> (17 - l); c <= t.maxCode[l] {
			return t.values[byte(c+t.offset[l])], l
		}
	}
	return 0, 17
}

// extend turns size appended bits into a signed value (T.81 figure F.12).
func extend(v int32, size int) int32 {
	if v < 1<<(size-1) {
		v += -1<<size + 1
	}
	return v
}

// standardTables returns the tables of T.81 annex K.3, which libjpeg-turbo
// assumes for a sequential file that defines none (motion JPEG frames).
func standardTables() (dc, ac [2]*huffTable) {
	table := func(counts [16]byte, values []byte) *huffTable {
		var count [17]int
		for i, n := range counts {
			count[i+1] = int(n)
		}
		t := new(huffTable)
		t.define(count, values)
		return t
	}
	dcValues := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	dc[0] = table([16]byte{0, 1, 5, 1, 1, 1, 1, 1, 1}, dcValues)
	dc[1] = table([16]byte{0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, dcValues)
	ac[0] = table([16]byte{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d}, []byte(standardACLuma))
	ac[1] = table([16]byte{0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77}, []byte(standardACChroma))
	return dc, ac
}

const (
	standardACLuma = "\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07" +
		"\x22\x71\x14\x32\x81\x91\xa1\x08\x23\x42\xb1\xc1\x15\x52\xd1\xf0" +
		"\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28" +
		"\x29\x2a\x34\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49" +
		"\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69" +
		"\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89" +
		"\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7" +
		"\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5" +
		"\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2" +
		"\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8" +
		"\xf9\xfa"
	standardACChroma = "\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71" +
		"\x13\x22\x32\x81\x08\x14\x42\x91\xa1\xb1\xc1\x09\x23\x33\x52\xf0" +
		"\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26" +
		"\x27\x28\x29\x2a\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48" +
		"\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68" +
		"\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87" +
		"\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5" +
		"\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3" +
		"\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda" +
		"\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8" +
		"\xf9\xfa"
)
