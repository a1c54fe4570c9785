"""Formula-defined weights: every tensor is a pure function of its name and of the flat index of each element.

A golden test at full size then needs no weight file: Go and Python make the same float32 values, bit for bit.

    h    = FNV-1a 64 of the name
    z    = SplitMix64's output for the state h + i
    unit = ((z >> 40) - 2^23) * 2^-23                     in [-1, 1), exact in float32
"""
import math
import numpy as np
import torch

MASK = (1 << 64) - 1


def fnv1a64(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def unit(name, n, block=1 << 21):
    """n float32 values in [-1, 1) that belong to a name."""
    h, out = np.uint64(fnv1a64(name)), np.empty(n, np.float32)
    for lo in range(0, n, block):
        hi = min(n, lo + block)
        with np.errstate(over="ignore"):
            z = np.arange(lo, hi, dtype=np.uint64) + h + np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        out[lo:hi] = ((z >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(np.float32) * np.float32(2.0 ** -23)
    return out


def exponent(fan_in):
    """The smallest k with 3 * 4^k >= fan_in: weights of scale 2^-k then have a variance of at most 1 / fan_in."""
    k = 0
    while 3 * 4 ** k < fan_in:
        k += 1
    return k


def rule(name, shape):
    """(offset, e): the tensor is offset + unit * 2^e."""
    parts = name.split(".")
    leaf, parent = parts[-1], parts[-2] if len(parts) > 1 else ""
    if parent.startswith("ln_"):
        return (1.0 if leaf == "weight" else 0.0), -3
    if leaf in ("bias", "in_proj_bias"):
        return 0.0, -4
    if leaf in ("positional_embedding", "cls_emb", "class_embedding", "query") or name.endswith("token_embedding.weight"):
        return 0.0, 0
    if leaf in ("proj", "text_projection"):               # used as x @ M: the fan-in is the number of rows
        return 0.0, (2 if name.startswith("text_decoder.") else 0) - exponent(shape[0])
    gain = 1 if leaf in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight") else 0
    return 0.0, gain - exponent(math.prod(shape[1:]))     # ls_N.gamma and logit_bias fall here, with k = 0


def weight(name, shape):
    if name == "logit_scale":
        return np.full(shape, 2.65625, np.float32)
    offset, e = rule(name, shape)
    v = unit(name, math.prod(shape)) * np.float32(2.0 ** e)
    return (np.float32(offset) + v).reshape(shape) if offset else v.reshape(shape)


def outliers(name, v):
    """Gives a tensor of the visual tower its outliers, in place, as trained vision transformers have them: the norms before
    each block's maps multiply eight fixed channels by 64, and two channels of the residual stream are large in every token."""
    if name.startswith("visual."):
        width = len(v)
        if name.endswith((".ln_1.weight", ".ln_2.weight")):
            for i in range(8):
                v[width * (2 * i + 1) // 16] *= 64
        elif name == "visual.ln_pre.bias":
            v[width // 3] += 128
            v[2 * width // 3] -= 128
    return v


def fill(model, variant=lambda name, v: v):
    """Gives a model its formula weights, or a variant of them, in float32, and puts it into evaluation mode."""
    with torch.no_grad():
        for name, p in model.state_dict().items():
            v = np.asarray(weight(name, tuple(p.shape)))
            p.copy_(torch.from_numpy(variant(name, v) if v.ndim else v))
    return model.eval()


def image(i, size):
    """Formula image i, already normalised, [1, 3, H, W]; size is an int or (H, W)."""
    h, w = (size, size) if isinstance(size, int) else size
    return torch.from_numpy(2 * unit(f"image.{i}", 3 * h * w).reshape(1, 3, h, w))


def images(indices, size):
    return torch.cat([image(i, size) for i in indices])
