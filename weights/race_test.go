//go:build race

package weights

// raceEnabled tells that the race detector multiplies time and memory.
const raceEnabled = true
