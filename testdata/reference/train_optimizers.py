"""Goldens of package train's optimizers and schedules: torch.optim.AdamW in OpenCLIP's two groups, torch.optim.Muon, and
open_clip_train.scheduler, on random tensors.

    python train_optimizers.py
"""
import json, math
import torch
from open_clip_train import scheduler
from kit import GOLDEN, versions

OUT = GOLDEN / "train"
STEPS = 5

# Names as CoCa has them: with and without decay, by rank and by name, and one that never has a gradient.
SHAPES = {"logit_scale": [], "text.positional_embedding": [5, 6], "text.cls_emb": [6], "text.text_projection": [6, 4],
          "text.ln_final.weight": [6], "text.transformer.resblocks.0.attn.in_proj_weight": [18, 6],
          "text.transformer.resblocks.0.attn.in_proj_bias": [18], "visual.conv1.weight": [4, 3, 2, 2],
          "odd.ln.matrix": [3, 5], "odd.bn.matrix": [2, 2]}
WITHOUT = "text.text_projection"


def numbers(t):
    return [float(x) for x in t.detach().flatten().double()]


def adamw(name, lr, betas, eps, wd, clip):
    g = torch.Generator().manual_seed(len(name))
    params = {n: torch.nn.Parameter(torch.randn(s, generator=g) if s else torch.tensor(4.59)) for n, s in SHAPES.items()}
    exclude = lambda n, p: p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n or "logit_scale" in n
    groups = [[n for n, p in params.items() if exclude(n, p)], [n for n, p in params.items() if not exclude(n, p)]]
    optimizer = torch.optim.AdamW([{"params": [params[n] for n in groups[0]], "weight_decay": 0.},
                                   {"params": [params[n] for n in groups[1]], "weight_decay": wd}], lr=lr, betas=betas, eps=eps)
    case = dict(name=name, lr=lr, beta1=betas[0], beta2=betas[1], eps=eps, wd=wd, clip=clip, groups=groups, without=WITHOUT,
                start={n: numbers(p) for n, p in params.items()}, steps=[])
    for step in range(STEPS):
        gradients = {}
        for n, p in params.items():
            if n != WITHOUT:
                p.grad = torch.randn(p.shape, generator=g) * 10.0 ** (step - 3)
                if n == "logit_scale":          # towards the clamp
                    p.grad = -p.grad.abs()
                gradients[n] = numbers(p.grad)
        norm = float(torch.nn.utils.clip_grad_norm_(params.values(), clip, norm_type=2.0)) if clip else None
        optimizer.step()
        with torch.no_grad():
            params["logit_scale"].clamp_(0, math.log(100))
        case["steps"].append(dict(gradients=gradients, norm=norm, params={n: numbers(p) for n, p in params.items()}))
    order = groups[0] + groups[1]
    state = optimizer.state_dict()["state"]
    case["state"] = {order[i]: dict(step=float(s["step"]), exp_avg=numbers(s["exp_avg"]), exp_avg_sq=numbers(s["exp_avg_sq"]))
                     for i, s in state.items()}
    return case


def muon(shape, wd, full):
    """Three steps. With full, the casts of torch's orthogonalisation to bfloat16 are left out."""
    g = torch.Generator().manual_seed(sum(shape))
    p = torch.nn.Parameter(torch.randn(shape, generator=g).double() if full else torch.randn(shape, generator=g))
    case = dict(shape=shape, lr=3e-3, wd=wd, momentum=0.95, bfloat16=not full, start=numbers(p), steps=[])
    optimizer = torch.optim.Muon([p], lr=3e-3, weight_decay=wd, momentum=0.95, nesterov=True, ns_steps=5)
    cast = torch.Tensor.bfloat16
    if full:
        torch.Tensor.bfloat16 = lambda t: t.clone()
    for _ in range(3):
        gradient = torch.randn(shape, generator=g)
        p.grad = gradient.to(p.dtype)
        optimizer.step()
        case["steps"].append(dict(gradient=numbers(gradient), params=numbers(p)))
    torch.Tensor.bfloat16 = cast
    case["buffer"] = numbers(optimizer.state[p]["momentum_buffer"])
    return case


def schedules():
    class Optimizer:
        param_groups = [{}]
    cases = []
    for kind, lr, warmup, total, extra in [
            ("cosine", 5e-4, 10, 100, {}), ("cosine", 1e-5, 0, 7, {}), ("cosine", 1.0, 50, 20, {}), ("const", 5e-4, 10, 40, {}),
            ("const", 2e-3, 0, 5, {}), ("const-cooldown", 5e-4, 5, 60, dict(cooldown=20, power=1.0, end=0.0)),
            ("const-cooldown", 1e-3, 5, 30, dict(cooldown=30, power=2.0, end=1e-5)), ("const-cooldown", 3e-4, 12, 25, dict(cooldown=7, power=0.5, end=1e-6))]:
        o = Optimizer()
        if kind == "cosine":
            f = scheduler.cosine_lr(o, lr, warmup, total)
        elif kind == "const":
            f = scheduler.const_lr(o, lr, warmup, total)
        else:
            f = scheduler.const_lr_cooldown(o, lr, warmup, total, extra["cooldown"], extra["power"], extra["end"])
        cases.append(dict(kind=kind, lr=lr, warmup=warmup, total=total, **extra, rates=[f(s) for s in range(total)]))
    return cases


def write(name, **content):
    OUT.mkdir(exist_ok=True)
    (OUT / name).write_text(json.dumps(dict(versions=versions(), **content)) + "\n")


torch.set_num_threads(1)
write("adamw.json", cases=[adamw("vit", 5e-4, (0.9, 0.98), 1e-6, 0.2, None), adamw("other", 5e-4, (0.9, 0.999), 1e-8, 0.2, None),
                           adamw("clip", 1e-2, (0.9, 0.98), 1e-6, 0.1, 1.0), adamw("no decay", 1e-3, (0.5, 0.9), 1e-3, 0.0, 1e6)])
write("muon.json", cases=[muon(s, wd, full) for s in ([6, 6], [12, 5], [7, 20]) for wd, full in ((0.0, True), (0.1, True), (0.0, False))])
write("schedules.json", cases=schedules())
