package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// temporary marks a failure that a repeated request may cure.
type temporary struct {
	err      error
	after    time.Duration // what Retry-After asked for, 0 if nothing
	progress bool          // bytes arrived before it failed, so the count of retries starts anew
}

func (t *temporary) Error() string { return t.err.Error() }
func (t *temporary) Unwrap() error { return t.err }

// retry calls op until it succeeds, fails for good, or has failed Retries+1
// times in a row without progress. The waits are 1, 2, 4, 8, 8, … seconds, or
// longer where the server says so in Retry-After.
func (c *Client) retry(ctx context.Context, op func(context.Context) error) error {
	for failures := 0; ; {
		err := op(ctx)
		var t *temporary
		if err == nil || !errors.As(err, &t) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if t.progress {
			failures = 0
		}
		failures++
		if failures > c.cfg.Retries {
			return t.err
		}
		wait := min(time.Second<<min(failures-1, 10), maxBackoff)
		if t.after > wait {
			wait = min(t.after, maxRetryAfter)
		}
		if err := c.cfg.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// retryAfter reads the header of that name: seconds, or a date.
func (c *Client) retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(n, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(c.now()), 0), maxRetryAfter)
	}
	return 0
}

var errIdle = errors.New("no answer for too long")

// watchdog cancels a request when nothing has arrived for a while. A deadline
// for the whole request would end long downloads over slow lines.
type watchdog struct {
	timer *time.Timer
	wait  time.Duration
	fired atomic.Bool
	stop  context.CancelFunc
}

func newWatchdog(parent context.Context, wait time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watchdog{wait: wait}
	w.timer = time.AfterFunc(wait, func() {
		w.fired.Store(true)
		cancel(errIdle)
	})
	w.stop = func() {
		w.timer.Stop()
		cancel(nil)
	}
	return ctx, w
}

// expect starts the wait for the next sign of life.
func (w *watchdog) expect(within time.Duration) {
	w.wait = within
	w.timer.Reset(within)
}

// rest stops the wait, so that a slow disk or observer does not count.
func (w *watchdog) rest() { w.timer.Stop() }

// watched reads a body under a watchdog.
type watched struct {
	r    io.Reader
	dog  *watchdog
	wait time.Duration
}

func (w *watched) Read(b []byte) (int, error) {
	w.dog.expect(w.wait)
	defer w.dog.rest()
	return w.r.Read(b)
}

// explain replaces the cancellation that the watchdog caused by its reason.
func (w *watchdog) explain(err error) error {
	if err != nil && w.fired.Load() {
		return &temporary{err: fmt.Errorf("%w: %v", errIdle, w.wait)}
	}
	return err
}
