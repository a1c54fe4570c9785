package kernel

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// processor is the number of the processor that runs the caller, or -1.
func processor() int32 {
	var cpu uint32
	if _, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); e != 0 {
		return -1
	}
	return int32(cpu)
}

// leaveProcessors moves the calling thread to a processor that is not among the taken
// ones, if it may run on any such, and does not tie it there: its set of
// processors is the same afterwards.
func leaveProcessors(taken func(cpu int) bool) {
	runtime.LockOSThread() // all calls must speak of one thread
	defer runtime.UnlockOSThread()
	var all, free unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil {
		return
	}
	for cpu := range 8 * int(unsafe.Sizeof(all)) {
		if all.IsSet(cpu) && !taken(cpu) {
			free.Set(cpu)
		}
	}
	if free.Count() > 0 && unix.SchedSetaffinity(0, &free) == nil {
		_ = unix.SchedSetaffinity(0, &all)
	}
}
