"""Reads with torch.load, weights_only=True, what Go's WriteTorch wrote, and compares it with the golden files that Go had read.

    COCA_TORCH_OUT=DIR go test ./weights -run TestWriteTorchForPython     # COCA_FULL=1: with a file of more than 4 GB
    python train_torch.py DIR
"""
import sys
from pathlib import Path
import torch
import kit


def equal(a, b, at):
    """b is what Go wrote of a. Parameters and sizes come back as what they hold."""
    if isinstance(a, torch.Tensor):
        a = a.detach()
        assert isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape, at
        raw = lambda t: t.contiguous().reshape(-1).view(torch.uint8)
        assert torch.equal(raw(a), raw(b)), at
        return 1
    if isinstance(a, dict):
        assert type(a) is type(b) and list(a) == list(b), at
        return sum(equal(a[k], b[k], f"{at}.{k}") for k in a)
    if isinstance(a, (list, tuple)):
        assert (type(b) is type(a) or isinstance(a, torch.Size)) and len(a) == len(b), at
        return sum(equal(x, y, f"{at}[{i}]") for i, (x, y) in enumerate(zip(a, b)))
    assert type(a) is type(b) and repr(a) == repr(b), (at, a, b)
    return 0


def main(folder):
    names = sorted(p.name for p in Path(folder).iterdir())
    for name in names:
        path = Path(folder) / name
        if name == "large.pt":
            got = torch.load(path, weights_only=True, mmap=True)
            assert got["large"].shape == (1100 << 20,) and got["after"].tolist() == [1, 2], got
            blocks = got["large"].view(torch.uint8)[::1 << 20]
            assert torch.equal(blocks, (torch.arange(len(blocks)) % 256).to(torch.uint8)), blocks
            print(name, path.stat().st_size, "bytes, mapped")
            continue
        want = torch.load(kit.GOLDEN / name.replace("-", "/", 1), map_location="cpu", weights_only=False)
        print(name, equal(want, torch.load(path, weights_only=True), ""), "tensors equal")
        equal(want, torch.load(path, weights_only=True, mmap=True), "")
    assert len(names) > 5, names


if __name__ == "__main__":
    main(sys.argv[1])
