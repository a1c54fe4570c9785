package hub

// Progress tells how far one file is.
type Progress struct {
	Repo, File string
	Done       int64 // bytes that are here, those of an earlier attempt included
	Total      int64 // bytes of the whole file
	Cached     bool  // nothing had to be fetched
	Finished   bool  // the file is whole, checked and in its place
}

// Observer is told of progress: once at the start of a file, after each piece
// of up to 128 KiB, and once at its end. Calls for one file come in order from
// one goroutine and hold up the download, so they should be quick; calls for
// files that are fetched at the same time overlap. A download that starts anew
// goes back to a smaller Done.
type Observer interface {
	Progress(Progress)
}

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(Progress)

// Progress calls f(p).
func (f ObserverFunc) Progress(p Progress) { f(p) }

func (c *Client) report(p Progress) {
	if c.cfg.Observer != nil {
		c.cfg.Observer.Progress(p)
	}
}
