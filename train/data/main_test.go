package data

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a loader leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
