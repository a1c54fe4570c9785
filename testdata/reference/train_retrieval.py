"""Golden of package train's retrieval metrics: open_clip_train's get_clip_metrics on features that are small whole numbers, so that every
score is exact.

    python train_retrieval.py

Above 16 scores the framework's default sort leaves equal scores in no particular order. Cases with ties of that size are
marked "stable": there its argsort is called with stable=True, and "unstable" tells what it gave without.
"""
import json
import torch
import open_clip
from open_clip_train import train
from kit import GOLDEN, versions

argsort = torch.argsort
SCALE = 64.0            # a power of two: scaled scores are exact, too


def metrics(images, texts):
    return {k: float(v) for k, v in train.get_clip_metrics(images, texts, torch.tensor(SCALE)).items()}


def case(name, images, texts):
    unstable = metrics(images, texts)
    torch.argsort = lambda *a, **k: argsort(*a, stable=True, **k)
    stable = metrics(images, texts)
    torch.argsort = argsort
    numbers = lambda t: [None if x != x else int(x) for x in t.flatten().tolist()]
    c = dict(name=name, n=len(images), dim=images.shape[1], images=numbers(images), texts=numbers(texts), metrics=stable)
    if stable != unstable:
        assert len(images) > 16
        c.update(stable=True, unstable=unstable)
    return c


def draw(seed, n, dim, bound):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(-bound, bound + 1, (n, dim), generator=g).float(), torch.randint(-bound, bound + 1, (n, dim), generator=g).float()


def main():
    cases = [case("one", *draw(1, 1, 3, 5)), case("two", *draw(2, 2, 3, 5)), case("seven", *draw(3, 7, 4, 9)),
             case("ties of few", *draw(4, 16, 2, 1)), case("ties of many", *draw(5, 60, 3, 1)), case("no ties", *draw(8, 150, 8, 200))]
    assert not cases[-1].get("stable")
    images, noise = draw(7, 101, 6, 60)
    cases.append(case("pairs", images, images + (noise / 2).round()))
    cases.append(case("all equal", torch.ones(12, 2), torch.ones(12, 2)))
    images, texts = draw(9, 12, 3, 9)
    images[3] = float("nan")
    cases.append(case("not numbers", images, texts))
    out = dict(profile=f"open_clip {open_clip.__version__}", versions=versions(), scale=SCALE, cases=cases)
    (GOLDEN / "train" / "retrieval.json").write_text(json.dumps(out) + "\n")
    for c in cases:
        print(c["name"], c.get("stable", False), c["metrics"])


if __name__ == "__main__":
    main()
