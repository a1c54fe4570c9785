"""Goldens of training: 20 steps of a small formula-defined CoCa by the real open_clip_train.main (see train_run.py), in float32:
losses, rates and scales of every step, samples of the last weights, and checkpoints of a run for others to go on from.

    python train_steps.py
"""
import copy, logging, shutil, tempfile
import torch
from open_clip.coca_model import CoCa
import formula, kit, train_run
from small_configs import ACCEPTED

OUT = kit.GOLDEN / "train"
STEPS, PAIRS = 20, 3

# Each case: the name that decides on the defaults and the loss, flags, and what deviates from one batch a step in one epoch.
VIT, BASE = "coca_tiny_ViT", "coca_tiny"
WARM = ["--warmup", 5]
CASES = {
    "defaults": (VIT, WARM),
    "defaults without vit": (BASE, WARM),
    "large rate": (VIT, ["--lr", 3e-3, "--wd", 0.5, "--lr-scheduler", "const", "--warmup", 0]),
    "no decay": (VIT, ["--lr", 1e-3, "--wd", 0.0, "--warmup", 10]),
    "recipe": (VIT, ["--lr", 1e-5, "--wd", 0.1, "--warmup", 1000, "--coca-contrastive-loss-weight", 0, "--coca-caption-loss-weight", 1]),
    "caption only": (VIT, WARM + ["--lr", 1e-3, "--coca-contrastive-loss-weight", 0, "--coca-caption-loss-weight", 1]),
    "contrastive only": (VIT, WARM + ["--lr", 1e-3, "--coca-caption-loss-weight", 0]),
    "clip": (VIT, WARM + ["--lr", 1e-3, "--grad-clip-norm", 0.5]),
    "cooldown": (BASE, WARM + ["--lr-scheduler", "const-cooldown", "--epochs", 2, "--epochs-cooldown", 1, "--lr-cooldown-power", 2, "--lr-cooldown-end", 1e-5]),
    "two epochs": (VIT, WARM + ["--epochs", 2, "--lr", 1e-3]),
    "accumulation": (VIT, WARM + ["--accum-freq", 2]),
    "accumulation and clip": (VIT, WARM + ["--accum-freq", 3, "--lr", 1e-3, "--grad-clip-norm", 1.0, "--epochs", 2]),
}
NUMBERS = {"loss": "train/loss", "contrastive": "train/contrastive_loss", "caption": "train/caption_loss", "lr": "train/lr", "scale": "train/scale"}


def texts(batch):
    """Three rows of ids between start (48) and end (49), of different lengths, padded with 0."""
    rows = []
    for i in range(PAIRS):
        n = 2 + (3 * batch + 2 * i) % 6
        rows.append(([48] + [1 + (7 * batch + 11 * i + 5 * j) % 47 for j in range(n)] + [49] + [0] * 9)[:9])
    return rows


def value(flags, name, default):
    return flags[flags.index(name) + 1] if name in flags else default


def run(model_name, name, flags, folder):
    entry = ACCEPTED[model_name]
    cfg = entry["config"]
    model = formula.fill(CoCa(**copy.deepcopy({k: v for k, v in cfg.items() if k != "custom_text"})))
    accum, epochs = value(flags, "--accum-freq", 1), value(flags, "--epochs", 1)
    if "--epochs" not in flags:
        flags = flags + ["--epochs", 1]
    count = STEPS * accum // epochs
    pairs = [dict(images=[3 * (b % 4) + i for i in range(PAIRS)], ids=texts(b)) for b in range(count)]
    batches = [(formula.images(p["images"], cfg["vision_cfg"]["image_size"]), torch.tensor(p["ids"])) for p in pairs]
    rows = train_run.train(model, batches, folder, name.replace(" ", "_"), flags)
    assert len(rows) == STEPS, len(rows)
    weights = {}
    for n, p in model.named_parameters():
        stride = kit.stride(p.numel(), 8)
        weights[n] = dict(stride=stride, values=[float(x) for x in p.detach().reshape(-1)[::stride]])
    return dict(model=f"../small/{model_name}/open_clip_config.json", accum=accum, epochs=epochs, batches=pairs,
                steps=[{k: float(r.get(v, 0.0)) for k, v in NUMBERS.items()} for r in rows], weights=weights)


def main():
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (model, flags) in CASES.items():
            case = run("tiny_pool", name, ["--model", model] + flags, folder)
            cases.append(dict(name=name, model_name=model, flags=[str(f) for f in flags], **case))
            print(f"{name:24} {case['steps'][0]['loss']:.4f} … {case['steps'][-1]['loss']:.4f}")
        kit.write_json(OUT / "steps.json", {"profile": kit.profile(), "versions": kit.versions(), "cases": cases}, 0)

        # A run of two epochs with its checkpoint in the middle, which open_clip_train itself resumes from to check.
        flags = ["--model", VIT] + WARM + ["--epochs", 2, "--lr", 1e-3]
        whole = run("tiny_plain", "whole", flags, folder)
        middle = train_run.checkpoint(folder, "whole", 1)
        rest = run_resumed("tiny_plain", flags, folder, middle)
        assert [s["loss"] for s in rest] == [s["loss"] for s in whole["steps"][STEPS // 2:]]
        shutil.copy(middle, OUT / "epoch_1.pt")
        kit.write_json(OUT / "resume.json", {"profile": kit.profile(), "versions": kit.versions(), "checkpoint": "epoch_1.pt", "model_name": VIT,
                                             "flags": [str(f) for f in flags[2:]], **whole}, 0)


def run_resumed(model_name, flags, folder, path):
    cfg = ACCEPTED[model_name]["config"]
    model = CoCa(**copy.deepcopy({k: v for k, v in cfg.items() if k != "custom_text"}))
    pairs = [dict(images=[3 * (b % 4) + i for i in range(PAIRS)], ids=texts(b)) for b in range(STEPS // 2)]
    batches = [(formula.images(p["images"], cfg["vision_cfg"]["image_size"]), torch.tensor(p["ids"])) for p in pairs]
    rows = train_run.train(model, batches, folder, "rest", flags + ["--resume", path])
    return [{k: float(r.get(v, 0.0)) for k, v in NUMBERS.items()} for r in rows]


if __name__ == "__main__":
    main()
