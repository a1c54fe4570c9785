//go:build !linux

package kernel

func processor() int32 { return -1 }

func leaveProcessors(func(cpu int) bool) {}
