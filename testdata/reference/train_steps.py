"""Goldens of whole training steps: losses of 20 steps of a small formula-defined CoCa, and samples of its last weights, with
open_clip's loss, PyTorch's AdamW in open_clip_train's groups, its schedules, clipping and clamp, in float32.

    python train_steps.py
"""
import copy, math
import torch
from open_clip.coca_model import CoCa
from open_clip.loss import CoCaLoss
from open_clip_train import scheduler
import formula, kit
from small_configs import ACCEPTED, case_ids

STEPS = 20
DEFAULT = dict(lr=5e-4, beta1=0.9, beta2=0.98, eps=1e-6, wd=0.2, warmup=5, kind="cosine", clip=None, contrastive=1.0, caption=2.0)
CASES = {"defaults": {}, "large rate": dict(lr=3e-3, wd=0.5, kind="const", warmup=0), "clip": dict(clip=0.5, lr=1e-3), "caption only": dict(contrastive=0.0, caption=1.0, lr=1e-3),
         "other betas": dict(beta2=0.999, eps=1e-8, kind="const-cooldown"), "no decay": dict(wd=0.0, lr=1e-3, warmup=10)}


def run(model_name, case):
    c = dict(DEFAULT, **CASES[case])
    entry = ACCEPTED[model_name]
    cfg, ids = entry["config"], case_ids(entry)[:2]
    model = formula.fill(CoCa(**copy.deepcopy({k: v for k, v in cfg.items() if k != "custom_text"}))).train()
    image = formula.images(range(2), cfg["vision_cfg"]["image_size"])
    named = list(model.named_parameters())
    exclude = lambda n, p: p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n or "logit_scale" in n
    optimizer = torch.optim.AdamW([{"params": [p for n, p in named if exclude(n, p)], "weight_decay": 0.},
                                   {"params": [p for n, p in named if not exclude(n, p)], "weight_decay": c["wd"]}],
                                  lr=c["lr"], betas=(c["beta1"], c["beta2"]), eps=c["eps"])
    if c["kind"] == "cosine":
        adjust = scheduler.cosine_lr(optimizer, c["lr"], c["warmup"], STEPS)
    elif c["kind"] == "const":
        adjust = scheduler.const_lr(optimizer, c["lr"], c["warmup"], STEPS)
    else:
        adjust = scheduler.const_lr_cooldown(optimizer, c["lr"], c["warmup"], STEPS, 10)
    loss = CoCaLoss(caption_loss_weight=c["caption"], clip_loss_weight=c["contrastive"])
    losses = []
    for step in range(STEPS):
        adjust(step)
        optimizer.zero_grad()
        parts = loss(**model(image, torch.tensor(ids)))
        sum(parts).backward()
        if c["clip"] is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), c["clip"], norm_type=2.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        losses.append([float(p) for p in parts])
    weights = {}
    for n, p in named:
        stride = kit.stride(p.numel(), 8)
        weights[n] = dict(stride=stride, values=[float(x) for x in p.detach().reshape(-1)[::stride]])
    return dict(c, name=case, model=f"../small/{model_name}/open_clip_config.json", images=[0, 1], ids=ids, losses=losses, weights=weights)


torch.set_num_threads(1)
kit.write_json(kit.GOLDEN / "train" / "steps.json", {"profile": kit.profile(), "versions": kit.versions(), "cases": [run("tiny_pool", c) for c in CASES]}, 0)
