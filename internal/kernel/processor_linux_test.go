package kernel

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLeaveProcessors(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Skip(err)
	}
	for range 20 {
		here := processor()
		if here < 0 {
			t.Skip("the system does not tell the processor")
		}
		// Between the calls the scheduler may move the thread, so that where it is is
		// not compared with here: it need only have been elsewhere when it was moved.
		asked := 0
		leaveProcessors(func(cpu int) bool { asked++; return int32(cpu) == here })
		if asked != before.Count() {
			t.Fatalf("asked for %d processors, want %d", asked, before.Count())
		}
		if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
			t.Fatalf("may run on %v afterwards (%v), want %v", after, err, before)
		}
	}
	if before.Count() < 2 {
		return
	}
	// Where only one is free, that one is where it goes.
	moved := 0
	for range 50 {
		want := processor() ^ 1
		if !before.IsSet(int(want)) {
			return
		}
		leaveProcessors(func(cpu int) bool { return int32(cpu) != want })
		if processor() == want {
			moved++
		}
	}
	if moved < 25 {
		t.Errorf("was on the only free processor %d times of 50", moved)
	}
}
