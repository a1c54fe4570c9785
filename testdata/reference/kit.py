"""What the golden scripts share: versions, taps, statistics, strided samples, writing."""
import json
from importlib.metadata import version
from pathlib import Path
import numpy as np
import torch
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent
GOLDEN, MODELS, IMAGES = ROOT.parent / "golden", ROOT.parent / "models", ROOT.parent / "images"
PACKAGES = ("open_clip_torch", "transformers", "torch", "numpy", "Pillow", "safetensors", "tokenizers")


def versions():
    return {p: version(p).split("+")[0] for p in PACKAGES}


def profile():
    v = versions()
    return f"open_clip {v['open_clip_torch']}, transformers {v['transformers']}, torch {v['torch']}"


# ------------------------------------------------------------------------------------------------------------- taps

class Taps:
    """Forward hooks that keep what a CoCa showed on the way, by the tap names of the command line contract.

    keep(name, tensor) decides what becomes of each one; the default stores a float64 copy. attention=True also records
    the weights of each attention, [1, heads, queries, keys], by running the attention again with its own arguments."""

    def __init__(self, model, attention=False, keep=None):
        self.values, self.handles, self.attention = {}, [], attention
        self.keep = keep or (lambda name, t: self.values.__setitem__(name, t.detach().double().clone()))
        visual, text, decoder = model.visual, model.text, model.text_decoder
        self._watch("visual.patches", visual.conv1, lambda t: t.flatten(2).transpose(1, 2))     # [1, G*G, W]
        self._watch("visual.ln_pre", visual.ln_pre)
        self._stack("visual.block", visual.transformer.resblocks)
        if visual.attn_pool is not None:
            self._watch("visual.pool", visual.attn_pool)
            self._weights("visual.pool", visual.attn_pool.attn)
        self._watch("visual.ln_post", visual.ln_post)
        self._watch("text.embedding", text.transformer, first=True)
        self._stack("text.block", text.transformer.resblocks)
        self._watch("text.ln_final", text.ln_final)
        self._stack("decoder.block", decoder.resblocks)
        self._stack("decoder.cross", decoder.cross_attn)
        self._watch("decoder.ln_final", decoder.ln_final)

    def _watch(self, name, module, view=lambda t: t, first=False):
        if first:
            self.handles.append(module.register_forward_pre_hook(lambda _, args: self.keep(name, view(args[0]))))
        else:
            self.handles.append(module.register_forward_hook(lambda _, __, out: self.keep(name, view(out))))

    def _stack(self, name, blocks):
        for i, block in enumerate(blocks):
            self._watch(f"{name}.{i}", block)
            self._weights(f"{name}.{i}", block.attn)

    def _weights(self, name, attn):
        if not self.attention:
            return
        def hook(module, args, kwargs):
            kwargs = {**kwargs, "need_weights": True, "average_attn_weights": False}
            self.keep(name + ".attention", torch.nn.MultiheadAttention.forward(module, *args, **kwargs)[1])
        self.handles.append(attn.register_forward_pre_hook(hook, with_kwargs=True))

    def close(self):
        for h in self.handles:
            h.remove()


def run(model, image, ids, attention=False, keep=None):
    """All taps of one image and one row of ids, teacher-forced as in training: logits has one row less than ids."""
    taps = Taps(model, attention, keep)
    try:
        with torch.no_grad():
            latent, tokens = model._encode_image(image)
            features, rows = model._encode_text(ids)
            taps.keep("image_features", latent)
            taps.keep("image_tokens", tokens)
            taps.keep("text_features", features)
            taps.keep("text_tokens", rows)
            taps.keep("logits", model.text_decoder(tokens, rows[:, :-1]))
    finally:
        taps.close()
    return taps.values


# ------------------------------------------------------------------------------------------------- numbers and files

def _is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))


def stride(n, samples=4096):
    """The stride that leaves at least `samples` of n elements: the largest prime that is no divisor of n, or 1."""
    s = n // samples
    while s > 1 and not (_is_prime(s) and n % s):
        s -= 1
    return max(s, 1)


def statistics(a):
    a = np.asarray(a, np.float64)
    return {"mean": float(a.mean()), "rms": float(np.sqrt((a * a).mean())), "max_abs": float(np.abs(a).max())}


def write_json(path, value, indent_keys=2):
    """JSON with one line for each entry of the first levels, so that a diff stays readable."""
    def dump(v, depth):
        pad = "  " * (depth + 1)
        if depth < indent_keys and isinstance(v, dict) and v:
            return "{\n" + ",\n".join(f"{pad}{json.dumps(k)}: {dump(x, depth + 1)}" for k, x in v.items()) + "\n" + "  " * depth + "}"
        if depth < indent_keys and isinstance(v, list) and v and isinstance(v[0], (dict, list)):
            return "[\n" + ",\n".join(pad + dump(x, depth + 1) for x in v) + "\n" + "  " * depth + "]"
        return json.dumps(v, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump(value, 0) + "\n", encoding="utf-8")


def write_tensors(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, str(path), metadata={"profile": profile()})
    path.chmod(0o644)
