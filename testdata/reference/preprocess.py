"""Golden files of package preprocess: what Pillow and OpenCLIP's inference transform make of drawn pictures.

Writes ../golden/preprocess/files.zip (the image files), cases.json (CRC-32 and first samples of the decoded picture, of the 8-bit
picture that enters to-tensor, and of the float32 tensor, little-endian, [3, H, W]), formula.json (the same without files: pictures from
a formula, in every mode and over many sizes) and bad.zip with bad.json (damaged and hostile files).

    python preprocess.py
"""
import io
import json
import os
import random
import warnings
import zipfile
import zlib

import numpy as np
import open_clip
import PIL
import torch
import torchvision
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from preprocess_bad import bad_files
from preprocess_files import all_files

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "preprocess")
VERSIONS = {"open_clip": open_clip.__version__, "torch": torch.__version__.split("+")[0],
            "torchvision": torchvision.__version__.split("+")[0], "Pillow": PIL.__version__}


def samples(im):
    """The samples of a picture as Pillow holds them, interleaved; 1-bit ones as 0 and 255."""
    a = np.asarray(im)
    if im.mode == "1":
        a = a.astype(np.uint8) * 255
    return a.tobytes()


def config(i, rng):
    """A preprocess_cfg; the modes alternate, sizes and colours are drawn."""
    size = rng.choice((8, 16, 24, 31, 32, 48))
    cfg = {"size": size, "resize_mode": ("shortest", "longest", "squash")[i % 3], "interpolation": "bilinear" if i % 5 == 4 else "bicubic"}
    if i % 7 == 3:
        cfg["size"] = [size, rng.choice((9, 20, 33, 40))]
    if cfg["resize_mode"] == "longest":
        cfg["fill_color"] = rng.choice((0, 0, 1, 77, 255, 300))
    if i % 4 == 1:
        cfg["mean"], cfg["std"] = [0.5, 0.4, 0.3], [0.25, 0.5, 0.125]
    return cfg


def outcome(im, cfg):
    """CRC and first samples of the transform's two last stages, or the error."""
    full = PreprocessCfg(**{k: tuple(v) if isinstance(v, list) else v for k, v in cfg.items()})
    transform = image_transform_v2(full, is_train=False)
    try:
        for t in transform.transforms[:-2]:
            im = t(im)
        rgb = np.asarray(im)
        for t in transform.transforms[-2:]:
            im = t(im)
    except (ValueError, OverflowError, MemoryError) as e:
        return {"error": f"{type(e).__name__}: {e}"}
    tensor = im.numpy().astype("<f4")
    return {"rgb": f"{zlib.crc32(rgb.tobytes()):08x}", "rgb_first": rgb.ravel()[:6].tolist(),
            "tensor": f"{zlib.crc32(tensor.tobytes()):08x}", "tensor_first": [float(v) for v in tensor.ravel()[:4]]}


def decoded(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        im = Image.open(io.BytesIO(data))
        fmt = im.format
        im.load()
    out = {"format": fmt, "mode": im.mode, "size": list(im.size)}
    raw = samples(im)
    out["pixels"], out["first"] = f"{zlib.crc32(raw):08x}", list(raw[:8])
    if im.mode == "P":
        palette = bytes(im.getpalette("RGB") or []).ljust(768, b"\0")
        out["palette"] = f"{zlib.crc32(palette):08x}"
    return out


def file_cases():
    rng, pick, cases, files = np.random.default_rng(20261124), random.Random(20261124), [], {}
    for i, (name, data) in enumerate(all_files(rng)):
        assert name not in files, name
        files[name] = data
        try:
            case = {"file": name, **decoded(data), "configs": []}
        except Exception as e:  # an oddity that Pillow refuses, and so must we
            print(name, repr(e))
            cases.append({"file": name, "error": f"{type(e).__name__}: {e}".split(" <")[0]})
            continue
        for j in range(2):
            cfg = config(2 * i + j, pick)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                case["configs"].append({"cfg": cfg, **outcome(Image.open(io.BytesIO(data)), cfg)})
        cases.append(case)
    return cases, files


def formula(mode, w, h):
    """(37 x + 91 y + 53 c + x y) mod 256; 16-bit greys (997 x + 1201 y) mod 400; bilevel: bit 7; I: (997 x + 1201 y) mod 70000 - 100."""
    y, x, c = np.mgrid[0:h, 0:w, 0:{"RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4}.get(mode, 1)]
    a = (37 * x + 91 * y + 53 * c + x * y) % 256
    if mode.startswith("I;16"):
        wide = ((997 * x + 1201 * y) % 400)[..., 0]
        return Image.frombytes(mode, (w, h), wide.astype("<u2" if mode == "I;16" else ">u2").tobytes())
    if mode == "I":
        return Image.fromarray(((997 * x + 1201 * y) % 70000 - 100)[..., 0].astype(np.int32))
    if mode == "1":
        return Image.fromarray(a[..., 0] > 127)
    im = Image.frombytes(mode, (w, h), a.astype(np.uint8).tobytes())
    if mode == "P":
        im.putpalette([(i * k) % 256 for i in range(256) for k in (3, 5, 7)])
    return im


def formula_cases():
    pick, cases = random.Random(7), []
    modes = ("RGB", "L", "RGBA", "LA", "P", "1", "CMYK", "I;16", "I;16B", "I")
    fixed = [(1, 500), (500, 1), (2000, 1), (1, 2000), (640, 480), (480, 641), (300, 700), (300, 671), (224, 224), (224, 225), (1000, 449), (449, 1000), (90, 100)]
    for i in range(260):
        mode = modes[i % len(modes)]
        w, h = fixed[i // 10] if i // 10 < len(fixed) else (pick.randint(1, 700), pick.randint(1, 700))
        cfg = config(i, pick)
        if i % 3 == 0 and i % 7 != 3:
            cfg["size"] = 224
        cases.append({"mode": mode, "size": [w, h], "cfg": cfg, **outcome(formula(mode, w, h), cfg)})
    return cases


def bad_cases():
    cases, files = [], {}
    for name, data in bad_files():
        files[name] = data
        try:
            cases.append({"file": name, **decoded(data)})
        except Exception as e:  # whatever Pillow throws is a refusal
            cases.append({"file": name, "error": f"{type(e).__name__}: {e}".split(" <")[0][:160]})
    return cases, files


def write_zip(name, files):
    with zipfile.ZipFile(os.path.join(OUT, name), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for k, v in files.items():
            z.writestr(zipfile.ZipInfo(k, (2026, 1, 1, 0, 0, 0)), v, zipfile.ZIP_DEFLATED, 9)


def write_json(name, cases):
    with open(os.path.join(OUT, name), "w") as f:
        f.write('{"versions": ' + json.dumps(VERSIONS) + ', "cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.makedirs(OUT, exist_ok=True)
    cases, files = file_cases()
    write_zip("files.zip", files)
    write_json("cases.json", cases)
    write_json("formula.json", formula_cases())
    bad, bad_data = bad_cases()
    write_zip("bad.zip", bad_data)
    write_json("bad.json", bad)
    print(len(cases), "files,", len(bad), "bad files")
