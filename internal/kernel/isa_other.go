//go:build !amd64 && !arm64

package kernel

func availableLevels() []level { return []level{levelGeneric} }
