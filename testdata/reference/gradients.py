"""Gradients of small formula-defined models in float64: ../golden/gradients/NAME.json and .safetensors.

    python gradients.py

Two formula images and two texts; losses of weights 1 (contrastive) and 2 (caption). Of each parameter's gradient, strided
samples (kit.stride), its RMS, and how far the same run in float32 is from it, in units of the RMS.
"""
import copy
import numpy as np
import torch
from open_clip.coca_model import CoCa
from open_clip.loss import CoCaLoss
import formula, kit
from small_configs import ACCEPTED, case_ids

NAMES = ("tiny_pool", "tiny_plain", "layer_scale", "quick_gelu", "pool_fused", "no_cls", "no_cls_eos", "pool_avg", "plain_avg", "head_width",
         "odd_sizes", "odd_image", "mlp_ratio", "no_causal_mask", "norms", "text_projection", "pad_id", "pool_cascade")
OUT = kit.GOLDEN / "gradients"
SAMPLES = 40


def gradients(cfg, ids, weights, double):
    model = formula.fill(CoCa(**copy.deepcopy({k: v for k, v in cfg.items() if k != "custom_text"})))
    image = formula.images(range(2), cfg["vision_cfg"]["image_size"])
    if double:
        model, image = model.double(), image.double()
    out = model(image, torch.tensor(ids))
    out["image_features"] = out["image_features"].reshape(2, -1)      # the cascade and parallel poolers keep an axis of one
    contrastive, caption = weights
    loss = CoCaLoss(caption_loss_weight=caption, clip_loss_weight=contrastive)
    parts = loss(**out)
    sum(parts).backward()
    return [p.item() if torch.is_tensor(p) else float(p) for p in parts], {n: None if p.grad is None else p.grad.double() for n, p in model.named_parameters()}


def golden(name, weights=(1.0, 2.0), suffix=""):
    entry = ACCEPTED[name]
    cfg, ids = entry["config"], case_ids(entry)[:2]
    losses, exact = gradients(cfg, ids, weights, True)
    _, low = gradients(cfg, ids, weights, False)
    tensors, rows = {}, {}
    for n, g in exact.items():
        if g is None:
            rows[n] = None
            continue
        flat = g.reshape(-1)
        step, rms = kit.stride(flat.numel(), SAMPLES), float(flat.square().mean().sqrt())
        tensors[n] = flat[::step].numpy().astype(np.float32)
        deviation = float((low[n] - g).abs().max()) / rms if rms else 0.0
        rows[n] = {"shape": list(g.shape), "stride": step, "rms": float(f"{rms:.9g}"), "float32_deviation_of_rms": float(f"{deviation:.3g}")}
    kit.write_json(OUT / f"{name}{suffix}.json", {
        "profile": kit.profile(), "versions": kit.versions(), "model": f"../small/{name}/open_clip_config.json", "weights": "formula",
        "images": [0, 1], "ids": ids, "contrastive_weight": weights[0], "caption_weight": weights[1],
        "contrastive_loss": losses[0], "caption_loss": losses[1], "gradients": rows}, 2)
    kit.write_tensors(OUT / f"{name}{suffix}.safetensors", tensors)
    print(f"{name}{suffix:12} losses {losses}")


def main():
    torch.set_num_threads(1)
    for name in NAMES:
        golden(name)
    golden("tiny_pool", (0.0, 1.0), "_caption")
    golden("tiny_pool", (1.0, 0.0), "_contrastive")


if __name__ == "__main__":
    main()
