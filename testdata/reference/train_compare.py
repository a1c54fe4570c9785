"""Compares two logs of training, line by line, from a step on: exits with 1 if a loss is off by more than 1e-4 of the
whole loss (a part of it, which may be near 0, is weighed against the whole, too).

    python train_compare.py WHAT WANT.jsonl GOT.jsonl FIRST STEPS
"""
import json, sys

KEYS = {"loss": 1e-4, "contrastive_loss": 1e-4, "caption_loss": 1e-4, "lr": 1e-9, "logit_scale": 1e-5}


def read(path, first, steps):
    rows = {r["step"]: r for r in map(json.loads, open(path))}
    return [rows[s] for s in range(first, steps)]


what, first, steps = sys.argv[1], int(sys.argv[4]), int(sys.argv[5])
want, got = read(sys.argv[2], first, steps), read(sys.argv[3], first, steps)


def off(k, w, g):
    whole = abs(w["loss"] if k.endswith("loss") else w[k])
    return abs(g[k] - w[k]) / whole if whole else abs(g[k] - w[k])


worst = {k: max(off(k, w, g) for w, g in zip(want, got)) for k in KEYS}
good = all(worst[k] <= KEYS[k] for k in KEYS)
print(f"{'equal' if good else 'UNEQUAL':8}{what}: steps {first} to {steps - 1}, loss {want[0]['loss']:.4f} to {want[-1]['loss']:.4f}; off by at most "
      + ", ".join(f"{k} {v:.1e}" for k, v in worst.items()))
sys.exit(not good)
