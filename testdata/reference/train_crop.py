"""Goldens of the training transform: the boxes that torchvision's RandomResizedCrop takes for given uniform numbers, and
the pixels that OpenCLIP's training transform makes of given boxes.

    python train_crop.py
"""
import hashlib, json, random
from importlib.metadata import version
import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import functional as F
from open_clip.transform import image_transform
from kit import GOLDEN, IMAGES, versions

SIZE = 64


class Uniform:
    """What torch.empty(1) is for the sampler: it takes its numbers from a list."""
    def __init__(self, numbers):
        self.numbers = numbers

    def uniform_(self, a, b):
        return torch.tensor(float(a) + self.numbers.pop(0) * (float(b) - float(a)), dtype=torch.float64)


def box(w, h, scale, ratio, numbers):
    left, empty, randint, placed = list(numbers), torch.empty, torch.randint, []
    torch.empty = lambda *_: Uniform(left)
    torch.randint = lambda *a, **k: placed.append(1) or randint(*a, **k)
    try:
        i, j, bh, bw = T.RandomResizedCrop.get_params(Image.new("L", (w, h)), list(scale), list(ratio))
    finally:
        torch.empty, torch.randint = empty, randint
    return dict(width=w, height=h, scale=scale, ratio=ratio, uniforms=numbers, draws=(len(numbers) - len(left)) // 2, placed=bool(placed),
                left=j, top=i, box_width=bw, box_height=bh)


random.seed(7)
boxes = []
for w, h in [(640, 480), (100, 100), (7, 200), (300, 9), (1, 1), (333, 251), (64, 2)]:
    for scale, ratio in [((0.9, 1.0), (3 / 4, 4 / 3)), ((0.08, 1.0), (3 / 4, 4 / 3)), ((1.0, 1.0), (3 / 4, 4 / 3)), ((0.3, 0.5), (1.5, 3.0))]:
        for _ in range(3):
            boxes.append(box(w, h, scale, ratio, [round(random.random(), 6) for _ in range(20)]))

train = image_transform(SIZE, is_train=True, mean=None, std=None)
crop, rest = train.transforms[0], train.transforms[1:]
pixels = []
for name in ["black_star_left_of_purple_heart.png", "four_red_crosses_striped.jpg", "orange_heart_left_of_triangle.webp"]:
    image = Image.open(IMAGES / name)
    w, h = image.size
    for left, top, bw, bh in [(0, 0, w, h), (1, 2, w - 3, h - 2), (w // 3, 0, w // 2, h), (5, h // 2, 11, 7)]:
        x = F.resized_crop(image, top, left, bh, bw, crop.size, crop.interpolation, antialias=crop.antialias)
        for t in rest:
            x = t(x)
        assert x.shape == (3, SIZE, SIZE) and x.dtype == torch.float32
        digest = hashlib.sha256(np.ascontiguousarray(x.numpy()).astype("<f4").tobytes()).hexdigest()
        pixels.append(dict(image=name, left=left, top=top, box_width=bw, box_height=bh, sha256=digest))

out = dict(versions=dict(versions(), torchvision=version("torchvision").split("+")[0]), size=SIZE,
           default_scale=crop.scale, default_ratio=crop.ratio, transform=[str(t) for t in train.transforms],
           boxes=boxes, pixels=pixels)
(GOLDEN / "train" / "crop.json").write_text(json.dumps(out) + "\n")
