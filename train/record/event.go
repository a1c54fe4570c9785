package record

import (
	"encoding/binary"
	"math"
)

// Scalar is a number with a name.
type Scalar struct {
	Name  string
	Value float64
}

// event is what is used here of TensorBoard's message Event, written by hand: of protocol
// buffers it needs but three kinds of fields.
type event struct {
	wallTime float64 // seconds since 1970
	step     int64
	version  string   // of the file: the first event's
	scalars  []Scalar // a Summary
	start    bool     // a SessionLog: from this step on, what other files say does not count
}

// The numbers of fields.
const (
	eventWallTime, eventStep, eventVersion, eventSummary, eventSession = 1, 2, 3, 5, 7
	summaryValue                                                       = 1
	valueTag, valueSimple                                              = 1, 2
	sessionStatus, sessionStart                                        = 1, 1
)

// Wire types.
const (
	wireVarint, wireFixed64, wireBytes, wireFixed32 = 0, 1, 2, 5
)

func appendKey(dst []byte, field, wire int) []byte {
	return binary.AppendUvarint(dst, uint64(field<<3|wire))
}

func appendBytes[T string | []byte](dst []byte, field int, data T) []byte {
	dst = binary.AppendUvarint(appendKey(dst, field, wireBytes), uint64(len(data)))
	return append(dst, data...)
}

// append writes the message.
func (e event) append(dst []byte) []byte {
	dst = appendKey(dst, eventWallTime, wireFixed64)
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.wallTime))
	if e.step != 0 {
		dst = binary.AppendUvarint(appendKey(dst, eventStep, wireVarint), uint64(e.step))
	}
	switch {
	case e.version != "":
		return appendBytes(dst, eventVersion, e.version)
	case e.start:
		return appendBytes(dst, eventSession, binary.AppendUvarint(appendKey(nil, sessionStatus, wireVarint), sessionStart))
	}
	var summary, value []byte
	for _, s := range e.scalars {
		value = appendBytes(value[:0], valueTag, s.Name)
		value = appendKey(value, valueSimple, wireFixed32)
		value = binary.LittleEndian.AppendUint32(value, math.Float32bits(float32(s.Value)))
		summary = appendBytes(summary, summaryValue, value)
	}
	return appendBytes(dst, eventSummary, summary)
}

// A field of a message: number holds what is not bytes.
type field struct {
	id     int
	number uint64
	bytes  []byte
}

// nextField cuts the first field off a message; ok is false if it is none.
func nextField(message []byte) (f field, rest []byte, ok bool) {
	key, n := binary.Uvarint(message)
	if n <= 0 || key>>3 == 0 || key>>3 > 1<<29 {
		return f, nil, false
	}
	f.id, message = int(key>>3), message[n:]
	switch key & 7 {
	case wireVarint:
		if f.number, n = binary.Uvarint(message); n <= 0 {
			return f, nil, false
		}
	case wireFixed64:
		if n = 8; len(message) < n {
			return f, nil, false
		}
		f.number = binary.LittleEndian.Uint64(message)
	case wireFixed32:
		if n = 4; len(message) < n {
			return f, nil, false
		}
		f.number = uint64(binary.LittleEndian.Uint32(message))
	case wireBytes:
		size, k := binary.Uvarint(message)
		if k <= 0 || size > uint64(len(message)-k) {
			return f, nil, false
		}
		n = k + int(size)
		f.bytes = message[k:n]
	default:
		return f, nil, false
	}
	return f, message[n:], true
}

// parseEvent reads what it knows of an event. Fields that it does not know are left out.
func parseEvent(message []byte) (e event, ok bool) {
	for len(message) > 0 {
		var f field
		if f, message, ok = nextField(message); !ok {
			return e, false
		}
		switch f.id {
		case eventWallTime:
			e.wallTime = math.Float64frombits(f.number)
		case eventStep:
			e.step = int64(f.number)
		case eventVersion:
			e.version = string(f.bytes)
		case eventSession:
			s, _, ok := nextField(f.bytes)
			e.start = ok && s.id == sessionStatus && s.number == sessionStart
		case eventSummary:
			if e.scalars, ok = parseSummary(f.bytes); !ok {
				return e, false
			}
		}
	}
	return e, true
}

func parseSummary(message []byte) (list []Scalar, ok bool) {
	for len(message) > 0 {
		var value, f field
		if value, message, ok = nextField(message); !ok {
			return nil, false
		}
		if value.id != summaryValue {
			continue
		}
		var s Scalar
		for rest := value.bytes; len(rest) > 0; {
			if f, rest, ok = nextField(rest); !ok {
				return nil, false
			}
			switch f.id {
			case valueTag:
				s.Name = string(f.bytes)
			case valueSimple:
				s.Value = float64(math.Float32frombits(uint32(f.number)))
			}
		}
		list = append(list, s)
	}
	return list, true
}
