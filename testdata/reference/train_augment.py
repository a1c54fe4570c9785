"""Golden of package train/data's colours and --aug-cfg: torchvision's adjustments of Pillow pictures with given factors and in given order,
OpenCLIP's whole training transform with given draws, and what open_clip_train makes of the flag.

    python train_augment.py
"""
import argparse, hashlib, itertools, json, random, warnings
from importlib.metadata import version
from unittest import mock
import numpy as np
import torch
from PIL import Image
from torchvision.transforms import ColorJitter, RandomResizedCrop
from torchvision.transforms import functional as F
import open_clip
from open_clip import transform
from open_clip_train.params import ParseKwargs
from kit import GOLDEN, IMAGES, versions

ADJUST = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]


def sha(data):
    return hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()


def every(step):
    """All colours whose parts are multiples of step, less one: a picture of one row for each red."""
    v = (np.arange(step - 1, 256, step) if step > 1 else np.arange(256)).astype(np.uint8)
    r, g, b = np.meshgrid(v, v, v, indexing="ij")
    return Image.fromarray(np.stack([r, g, b], -1).reshape(len(v), -1, 3))


def adjustments():
    out = [dict(picture=1, what=3, factor=0.0, sha256=sha(F.adjust_hue(every(1), 0.0)))]
    picture = every(5)
    for what, factors in enumerate([[0, 0.1, 0.4, 0.99999, 1, 1.0001, 1.7, 4, 1000], [0, 0.3, 0.8, 1, 1.25, 3], [0, 0.2, 0.75, 1, 1.3, 5],
                                    [-0.5, -0.3, -0.1, -0.003, 0, 0.003, 0.05, 0.25, 0.4999, 0.5]]):
        for f in factors:
            f = float(np.float32(f))            # as ColorJitter draws them
            out.append(dict(picture=5, what=what, factor=f, sha256=sha(ADJUST[what](picture, f))))
    return out + [dict(picture=5, what=4, factor=0.0, sha256=sha(F.rgb_to_grayscale(picture, 3)))]


def orders():
    picture, factors, out = every(15), [float(np.float32(f)) for f in (1.2, 0.7, 1.5, -0.08)], []
    for order in itertools.permutations(range(4)):
        with mock.patch.object(ColorJitter, "get_params", lambda *a: (order, *factors)):
            out.append(dict(order=order, sha256=sha(ColorJitter(0.5, 0.5, 0.5, 0.5)(picture))))
    return dict(picture=15, factors=factors, orders=out)


def formula(mode, width=40, height=36):
    """A picture of a mode whose byte k is (31·k² + 7·k) mod 251, and its palette's (97·k + 13) mod 256."""
    size = width * height * len(mode)
    picture = Image.frombytes(mode, (width, height), bytes((31 * k * k + 7 * k) % 251 for k in range(size)))
    if mode == "P":
        picture.putpalette([(97 * k + 13) % 256 for k in range(768)])
    return picture


def whole(name, box, order, grey, size=48):
    """The training transform: of the crop's box (left, top, width, height), the order and factors, and whether it is made grey."""
    cfg = dict(color_jitter=(0.4, 0.4, 0.4, 0.1), color_jitter_prob=0.8, gray_scale_prob=0.2)
    factors = [float(np.float32(f)) for f in (0.8, 1.3, 0.6, 0.07)]
    t = transform.image_transform(size, True, interpolation="bilinear", aug_cfg=cfg)
    coins = iter([0.79, 0.1 if grey else 0.9])
    left, top, width, height = box
    with mock.patch.object(ColorJitter, "get_params", lambda *a: (order, *factors)), mock.patch.object(random, "random", lambda: next(coins)), \
            mock.patch.object(RandomResizedCrop, "get_params", lambda *a: (top, left, height, width)):
        pixels = t(formula(name) if len(name) <= 4 else Image.open(IMAGES / name))
    return dict(image=name, box=box, order=order, factors=factors, grey=grey, size=size if isinstance(size, tuple) else (size, size), sha256=sha(pixels.numpy()))


FLAGS = [[], ["scale=(1.0, 1.0)"], ["scale=(0.08,1)"], ["scale=[0.5, 0.9]"], ["scale=0.5,1.0"], ["scale= (0.5 , 1.0 , )"], ["scale=(5e-1, +1)"],
         ["scale=(0.5, 1.0)", "scale=(0.9, 1.0)"], ["ratio=(1.0, 1.0)"], ["ratio=None"], ["re_prob=0.4", "re_count=2"], ["use_timm=False"], ["use_timm=0"],
         ["color_jitter=(0.4, 0.4, 0.4, 0.1)"], ["color_jitter=(0.4, 0.4, 0.4, 0.1)", "color_jitter_prob=0.8"], ["color_jitter_prob=0"],
         ["color_jitter=(0, 2, (0.5, 1.5), [-0.25, 0.1])", "color_jitter_prob=1", "gray_scale_prob=0.2"], ["color_jitter=(0, 0, 0, 0)", "color_jitter_prob=1.0"],
         ["gray_scale_prob=0.2"], ["gray_scale_prob=1"], ["gray_scale_prob=None"], ["gray_scale_prob=0.0"], ["scale=(1_0e-1, 1)"],
         # what fails
         ["scale"], ["scale=(1.0, 1.0"], ["scale=a=b"], ["scale=None"], ["scale=0.5"], ["scales=(1, 1)"], ["color_jitter_prob=0.8"], ["scale=wide"],
         ["color_jitter=0.4", "color_jitter_prob=0.8"], ["color_jitter=(0.4, 0.4, 0.4)", "color_jitter_prob=0.8"], ["gray_scale_prob=1.5"],
         ["color_jitter=(0.4, 0.4, 0.4, 0.6)", "color_jitter_prob=0.8"], ["color_jitter=(-0.4, 0.4, 0.4, 0.1)", "color_jitter_prob=0.8"],
         ["color_jitter=(0.4, 0.4, 0.4, 0.1)", "color_jitter_prob=1.1"], ["color_jitter=((2, 1), 0.4, 0.4, 0.1)", "color_jitter_prob=0.5"], ["gray_scale_prob=often"],
         ["scale=(0.9 1.0)"], ["scale=(0.9, 01)"], ["scale=(0.9, x)"]]


def parsed(values):
    try:
        p = argparse.ArgumentParser(exit_on_error=False)
        p.add_argument("--aug-cfg", nargs="*", default={}, action=ParseKwargs)
        cfg = p.parse_args(["--aug-cfg", *values]).aug_cfg
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            t = transform.image_transform(32, True, aug_cfg=cfg)
        t(Image.new("RGB", (40, 30)))
    except Exception as e:
        return dict(values=values, error=f"{type(e).__name__}: {e}")
    out = dict(values=values, scale=list(t.transforms[0].scale), ratio=list(t.transforms[0].ratio))
    for step in t.transforms:
        if isinstance(step, transform.color_jitter):
            j = step.transf
            out["jitter"] = dict(p=step.p, ranges=[r and list(r) for r in (j.brightness, j.contrast, j.saturation, j.hue)])
        if isinstance(step, transform.gray_scale):
            out["grey"] = step.p
    return out


def main():
    cases = [whole("four_red_crosses_striped.jpg", (3, 5, 160, 150), (2, 0, 3, 1), False),
             whole("blue_star.png", (0, 0, 140, 160), (3, 2, 1, 0), True)]
    cases += [whole(mode, (1, 2, 30, 33), (1, 3, 0, 2), False) for mode in ("L", "LA", "P", "RGBA", "RGB")]
    cases.append(whole("RGB", (0, 0, 40, 36), (0, 1, 2, 3), True, (36, 40)))
    out = dict(profile=f"open_clip {open_clip.__version__}", versions=dict(versions(), torchvision=version("torchvision").split("+")[0]),
               adjustments=adjustments(), orders=orders(), transforms=cases, flags=[parsed(f) for f in FLAGS])
    lines = [f"{json.dumps(k)}: " + ("[\n" + ",\n".join(map(json.dumps, v)) + "]" if isinstance(v, list) else json.dumps(v)) for k, v in out.items()]
    (GOLDEN / "train" / "augment.json").write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
