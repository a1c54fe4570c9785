"""Strided samples of every tap of the full-size models with formula weights: ../golden/full/MODEL.{json,safetensors}.

    python full_goldens.py [coca_ViT-B-32] [coca_ViT-L-14]

The values are the reference's in float64 on the float32 weights. Sample k of a tap is element k * stride of the flattened
tensor. Mean, RMS and largest magnitude are of the whole tensor; float32_deviation is the largest difference of the
reference's own float32 run. Needs 3 GB for B-32 and 7 GB for L-14.
"""
import gc, sys, time
import numpy as np
import torch
import open_clip
import formula, kit

TEXTS = ["a photo of a cat", "an orange and white cat on top of a turtle ."]


def features(model, dtype):
    """Image features of formula images 0 and 1, text features of both texts."""
    size = model.visual.image_size[0]
    with torch.no_grad():
        im = [model.encode_image(formula.image(i, size).to(dtype))[0].double().numpy() for i in range(2)]
        tx = [model.encode_text(row[None])[0].double().numpy() for row in features.ids]
    return im + tx


def main(name):
    began = time.time()
    model = formula.fill(open_clip.create_model(name))
    print(name, f"made in {time.time() - began:.0f} s", flush=True)
    ids = features.ids = open_clip.get_tokenizer(name)(TEXTS)
    image = formula.image(0, model.visual.image_size[0])
    low = {}
    kit.run(model, image, ids[:1], keep=lambda n, t: low.__setitem__(n, t.detach().clone()))
    lowf = features(model, torch.float32)
    print(f"float32 run at {time.time() - began:.0f} s", flush=True)
    for p in [*model.parameters(), *model.buffers()]:     # one at a time, so that never both copies of all are held
        p.data = p.data.double()
        gc.collect(0)
    taps, tensors = {}, {}
    def keep(n, t):
        t = t.detach()
        a, s = t.reshape(-1).numpy(), kit.stride(t.numel())
        off = (low.pop(n).double() - t).abs()
        dev, mean_dev = float(off.max()), float(off.square().mean().sqrt())
        tensors[n] = a[::s].astype(np.float32)
        stats = kit.statistics(a)
        taps[n] = {"shape": list(t.shape), "stride": s, "count": len(tensors[n]), **stats,
                   "float32_deviation": float(f"{dev:.3g}"), "float32_deviation_of_rms": float(f"{dev / stats['rms']:.3g}"),
                   "float32_rms_deviation_of_rms": float(f"{mean_dev / stats['rms']:.3g}")}
    kit.run(model, image.double(), ids[:1], keep=keep)
    highf = features(model, torch.float64)
    names = ["image_features.0", "image_features.1", "text_features.0", "text_features.1"]
    for n, a in zip(names, highf):
        tensors["features." + n] = a.astype(np.float32)
    kit.write_json(kit.GOLDEN / "full" / f"{name}.json", {
        "profile": kit.profile(), "versions": kit.versions(), "model": name, "weights": "formula", "tensors": f"{name}.safetensors",
        "image": "formula:0", "text": TEXTS[0], "ids_in": ids[0].tolist(), "taps": taps,
        "features": {"images": ["formula:0", "formula:1"], "texts": TEXTS, "ids_in": ids.tolist(),
                     "tensors": ["features." + n for n in names],
                     "float32_deviation": [float(f"{np.abs(a - b).max():.3g}") for a, b in zip(lowf, highf)]}}, 2)
    kit.write_tensors(kit.GOLDEN / "full" / f"{name}.safetensors", tensors)
    worst = sorted(((t["float32_deviation_of_rms"], n) for n, t in taps.items()), reverse=True)[:4]
    print(len(taps), "taps; worst float32 deviations of the RMS:", worst, f"{time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    for n in sys.argv[1:] or ["coca_ViT-B-32", "coca_ViT-L-14"]:
        main(n)
