"""Gradients of small formula-defined models in float64: ../golden/gradients/NAME.json and .safetensors.

    python gradients.py             # the small ones
    python gradients.py full        # coca_ViT-B-32: ../golden/full/coca_ViT-B-32.gradients.*; takes 8 GB

Two formula images and two texts; losses of weights 1 (contrastive) and 2 (caption). Of each parameter's gradient, strided
samples (kit.stride), its RMS, and how far the same run in float32 is from it at most and on average, in units of the RMS.
"""
import copy, gc, sys
import numpy as np
import torch
import open_clip
from open_clip.coca_model import CoCa
from open_clip.loss import CoCaLoss
import formula, kit
from small_configs import ACCEPTED, case_ids

NAMES = ("tiny_pool", "tiny_plain", "layer_scale", "quick_gelu", "pool_fused", "no_cls", "no_cls_eos", "pool_avg", "plain_avg", "head_width",
         "odd_sizes", "odd_image", "mlp_ratio", "no_causal_mask", "norms", "text_projection", "pad_id", "pool_cascade")
OUT = kit.GOLDEN / "gradients"
SAMPLES, FULL_SAMPLES = 40, 150
FULL = "coca_ViT-B-32"
FULL_TEXTS = ["a photo of a cat", "an orange and white cat on top of a turtle .", "two boats", "the old town at night , seen from a hill , with snow"]


def gradients(model, image, ids, weights):
    """The losses, and the gradients as they lie in the parameters."""
    out = model(image, ids)
    out["image_features"] = out["image_features"].reshape(len(ids), -1)      # the cascade and parallel poolers keep an axis of one
    contrastive, caption = weights
    parts = CoCaLoss(caption_loss_weight=caption, clip_loss_weight=contrastive)(**out)
    sum(parts).backward()
    return [p.item() if torch.is_tensor(p) else float(p) for p in parts]


def describe(model, low, samples, largest):
    """One row and the samples of each gradient in float64, in the row index and value of the largest; low are the same in float32."""
    tensors, rows = {}, {}
    for n, p in model.named_parameters():
        if p.grad is None:
            rows[n] = None
            continue
        flat = p.grad.reshape(-1)
        step, rms = kit.stride(flat.numel(), samples), float(flat.square().mean().sqrt())
        tensors[n] = flat[::step].numpy().astype(np.float32)
        off = (low.pop(n).double() - p.grad).abs() / (rms or 1.0)
        rows[n] = {"shape": list(p.shape), "stride": step, "rms": float(f"{rms:.9g}"), "float32_deviation_of_rms": float(f"{off.max():.3g}"),
                   "float32_rms_deviation_of_rms": float(f"{off.square().mean().sqrt():.3g}")}
        top = flat.abs().topk(min(largest, flat.numel())).indices.tolist()
        if top:
            rows[n]["largest"] = [[i, float(f"{flat[i].item():.9g}")] for i in top]
    return tensors, rows


def golden(name, weights=(1.0, 2.0), suffix=""):
    entry = ACCEPTED[name]
    cfg, ids = entry["config"], torch.tensor(case_ids(entry)[:2])
    model = formula.fill(CoCa(**copy.deepcopy({k: v for k, v in cfg.items() if k != "custom_text"})))
    image = formula.images(range(2), cfg["vision_cfg"]["image_size"])
    write(OUT / f"{name}{suffix}", f"../small/{name}/open_clip_config.json", model, image, ids, weights, SAMPLES, 0)


def full():
    model = formula.fill(open_clip.create_model(FULL)).train()
    ids = open_clip.get_tokenizer(FULL)(FULL_TEXTS)
    write(kit.GOLDEN / "full" / f"{FULL}.gradients", FULL, model, formula.images(range(len(FULL_TEXTS)), model.visual.image_size[0]), ids, (1.0, 2.0), FULL_SAMPLES, 8)


def write(path, name, model, image, ids, weights, samples, largest):
    gradients(model, image, ids, weights)
    low = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    for p in model.parameters():            # one at a time, so that never both copies of all are held
        p.grad, p.data = None, p.data.double()
        gc.collect(0)
    losses = gradients(model, image.double(), ids, weights)
    tensors, rows = describe(model, low, samples, largest)
    kit.write_json(path.with_name(path.name + ".json"), {
        "profile": kit.profile(), "versions": kit.versions(), "model": name, "weights": "formula",
        "images": list(range(len(ids))), "ids": ids.tolist(), "contrastive_weight": weights[0], "caption_weight": weights[1],
        "contrastive_loss": losses[0], "caption_loss": losses[1], "gradients": rows}, 2)
    kit.write_tensors(path.with_name(path.name + ".safetensors"), tensors)
    worst = max((r["float32_deviation_of_rms"], n) for n, r in rows.items() if r)
    print(f"{path.name:24} losses {losses}; the reference's own float32 is off by at most {worst}")


def main():
    torch.set_num_threads(1)
    if sys.argv[1:] == ["full"]:
        return full()
    for name in NAMES:
        golden(name)
    golden("tiny_pool", (0.0, 1.0), "_caption")
    golden("tiny_pool", (1.0, 0.0), "_contrastive")


if __name__ == "__main__":
    main()
