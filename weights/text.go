package weights

import (
	"fmt"
	"math/big"
	"strconv"
)

// intsString writes a shape as it is usually written: [2 3].
func intsString(v []int) string {
	if len(v) > 2*maxRank {
		return intsString(v[:maxRank]) + fmt.Sprintf(" … (%d in all)", len(v))
	}
	return fmt.Sprint(v)
}

func offsetsString(e headerEntry) string { return fmt.Sprintf("[%d %d]", e.begin, e.end) }

func plural(n int, unit string) string { return plural64(uint64(max(n, 0)), unit) }

func plural64(n uint64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.FormatUint(n, 10) + " " + unit + "s"
}

// intText writes an integer of a pickle, and nothing for other values.
func intText(v Value) string {
	switch n := v.(type) {
	case int64:
		return strconv.FormatInt(n, 10)
	case *big.Int:
		if n.BitLen() <= 128 {
			return n.String()
		}
		return fmt.Sprintf("of %d bits", n.BitLen())
	}
	return ""
}
