//go:build !amd64 && !arm64

package kernel

func availableLevels() []level { return []level{levelGeneric} }

func levelOps() map[level]*ops { return map[level]*ops{levelGeneric: &genericOps} }
