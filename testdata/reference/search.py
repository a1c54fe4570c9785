"""The decoding modes once more, written from their description, with the margin of every decision.

Each function takes step(rows) -> float32 logits [len(rows), V] of the last position, and returns ids, score and margin:
the smallest difference between two numbers whose order decided anything. An implementation whose logits are off by much
less than the margin must find the same ids. The callers assert that the real `generate` finds them.
"""
import numpy as np


class NotDeterministic(Exception):
    """A sampling step that leaves more than one token."""


def processed(logits, rows, eos, min_len, penalty):
    """Minimum length, then repetition penalty, in float32 as the library's processors do it."""
    logits = logits.copy()
    if len(rows[0]) < min_len:
        logits[:, eos] = -np.inf
    if penalty != 1.0:
        for x, row in zip(logits, rows):
            seen = np.unique(row)
            v = x[seen]
            x[seen] = np.where(v < 0, v * np.float32(penalty), v / np.float32(penalty))
    return logits


class Hypotheses:
    """A store of the best `size` ended sequences: (score, ids), with the gaps of all comparisons."""

    def __init__(self, size, gaps):
        self.size, self.gaps, self.items, self.worst = size, gaps, [], 1e9

    def add(self, ids, total, length):
        score = float(total) / length
        if len(self.items) >= self.size:
            self.gaps.append(abs(score - self.worst))
            if score <= self.worst:
                return
        self.items.append((score, ids))
        if len(self.items) > self.size:
            order = sorted(range(len(self.items)), key=lambda i: (self.items[i][0], i))
            del self.items[order[0]]
            self.worst = min(s for s, _ in self.items)
        else:
            self.worst = min(self.worst, score)

    def ended(self, best_sum, length):
        if len(self.items) < self.size:
            return False
        possible = float(best_sum) / length
        if possible != self.worst:                  # equal only where both are the same candidate
            self.gaps.append(abs(self.worst - possible))
        return self.worst >= possible


def beam_search(step, sot, eos, seq_len=30, min_seq_len=5, num_beams=6, num_beam_groups=3, repetition_penalty=1.0):
    """Profile 3.3: raw logits are summed; the groups are identical, so that one of them is searched."""
    size = num_beams // num_beam_groups
    beams, score, gaps = [[sot]] * size, np.array([0.0] + [-1e9] * (size - 1), np.float32), []
    store, done = Hypotheses(size, gaps), False
    while not done and len(beams[0]) < seq_len:
        logits = processed(step(beams), beams, eos, min_seq_len, repetition_penalty)
        vocab = logits.shape[1]
        flat = (score[:, None] + logits).astype(np.float32).ravel()
        best = np.argsort(-flat, kind="stable")[:2 * size + 1]
        value, length, rows, sums = flat[best], len(beams[0]) + 1, [], []
        eos_ranks = [r for r in range(2 * size) if best[r] % vocab == eos]
        if eos_ranks:                               # whether an end counts depends on the border of the first `size` ranks
            gaps.append(float(value[size - 1] - value[size]))
        for r in range(2 * size):
            b, v = divmod(int(best[r]), vocab)
            if v != eos:
                rows.append(beams[b] + [v])
                sums.append(value[r])
            elif r < size:
                store.add(beams[b], value[r], length)
            if len(rows) == size:
                gaps.append(float(value[r] - value[r + 1]))
                break
        beams, score = rows, np.array(sums, np.float32)
        done = store.ended(value[0], length)
    if not done:
        for ids, total in zip(beams, score):
            store.add(ids, total, len(ids))
    win = max(range(len(store.items)), key=lambda i: (store.items[i][0], i))
    top, ids = store.items[win]
    gaps += [top - s for s, other in store.items if other != ids]
    return ids + [eos] * (len(ids) < seq_len), top, min(gaps)


def sample(step, start, eos, generation_type, seq_len=30, min_seq_len=5, max_seq_len=77, temperature=1.0, top_k=1, top_p=0.1,
           repetition_penalty=1.0, fixed_output_length=False, pad=0):
    """Profile 3.3's top_k and top_p where they leave one token at each step. Returns ids, None, margin."""
    out, gaps = list(start), [np.inf]
    while True:
        x = out[-max_seq_len:]
        if out[-1] in (eos, pad):
            if not fixed_output_length:
                break
            out.append(pad)
        elif len(x) + 1 == seq_len:
            out.append(eos)
        else:
            v = processed(step([x]), [x], eos, min_seq_len, repetition_penalty)[0]
            first, second = np.argsort(-v, kind="stable")[:2]
            gap = float(v[first] - v[second])
            if generation_type == "top_k":
                if top_k != 1 or gap == 0:
                    raise NotDeterministic
            else:
                e = np.exp(v.astype(np.float64) - float(v[first]))
                p = 1 / e.sum()
                if p <= top_p:
                    raise NotDeterministic
                gap = min(gap, float(p - top_p))
            gaps.append(gap)
            out.append(int(first))
        if len(out) >= seq_len:
            break
    return out, None, min(gaps)


def main_beam_search(step, start, eos, seq_len=30, min_seq_len=5, num_beams=6, repetition_penalty=1.0, pad=0):
    """Profile main: the library's vectorised beam search on log-probabilities; groups are ignored."""
    n, prompt, gaps = num_beams, len(start), [np.inf]
    beams, running, pool = [list(start)] * n, np.array([0.0] + [-1e9] * (n - 1), np.float32), []
    while True:
        logits = step(beams)
        top = logits.max(1, keepdims=True)
        logp = (logits - top) - np.log(np.exp(logits - top).sum(1, keepdims=True, dtype=np.float32))
        logp = processed(logp.astype(np.float32), beams, eos, min_seq_len, repetition_penalty)
        vocab = logp.shape[1]
        flat = (running[:, None] + logp).astype(np.float32).ravel()
        best = np.argsort(-flat, kind="stable")[:2 * n + 1]
        value, length = flat[best], len(beams[0]) + 1
        gaps.append(float(value[2 * n - 1] - value[2 * n]))          # which candidates are looked at
        hit = [int(best[r]) % vocab == eos or length >= seq_len for r in range(2 * n)]
        rows = [beams[int(best[r]) // vocab] + [int(best[r]) % vocab] for r in range(2 * n)]
        if any(hit):
            gaps.append(float(value[n - 1] - value[n]))              # only the first n ranks may enter the pool
        entering = [(float(np.float32(value[r]) / np.float32(length - prompt)), rows[r]) for r in range(n) if hit[r]]
        merged = sorted(pool + entering, key=lambda h: -h[0])
        if len(merged) > n:
            gaps.append(merged[n - 1][0] - merged[n][0])
        pool = merged[:n]
        alive = [r for r in range(2 * n) if not hit[r]]
        if len(alive) > n:
            gaps.append(float(value[alive[n - 1]] - value[alive[n]]))
        if not alive or length >= seq_len:
            break
        keep = alive[:n]
        beams, running = [rows[r] for r in keep], np.array([value[r] for r in keep], np.float32)
        if len(pool) == n:
            reach = float(running[0] / np.float32(length - prompt))
            gaps.append(abs(pool[-1][0] - reach))
            if pool[-1][0] >= reach:
                break
    gaps += [pool[0][0] - s for s, ids in pool[1:] if ids != pool[0][1]]
    return pool[0][1], pool[0][0], min(gaps)


def log_probability(logits, ids):
    """Sum of the log-softmax, in float64, of unprocessed logits [len(ids) - 1, V] at the ids after the first."""
    x = logits.astype(np.float64)
    x = x - x.max(1, keepdims=True)
    x -= np.log(np.exp(x).sum(1, keepdims=True))
    return [float(x[t, ids[t + 1]]) for t in range(len(ids) - 1)]
