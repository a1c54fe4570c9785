//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package hub

import "os"

func tryLock(*os.File) (bool, error) { return false, errNoLocks }

func unlockFile(*os.File) {}
