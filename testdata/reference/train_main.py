"""A checkpoint of OpenCLIP's development head (run it in the environment that generate.md describes): a small CoCa after two
epochs of two steps, with the losses of the two epochs after it, by the head's own task, optimizer, schedule and save_checkpoint.

    main/bin/python train_main.py
"""
import copy, math
import torch
from open_clip.coca_model import CoCa
from open_clip.task import CoCaTask, save_checkpoint
from open_clip_train.optim import OptimizerCfg, create_optimizer
from open_clip_train.scheduler import cosine_lr
import formula, kit

CONFIG = {"embed_dim": 12, "custom_text": True,
          "vision_cfg": dict(image_size=12, patch_size=6, width=16, head_width=8, layers=1, output_tokens=True),
          "text_cfg": dict(context_length=9, vocab_size=50, width=16, heads=2, layers=1, embed_cls=True, output_tokens=True),
          "multimodal_cfg": dict(context_length=9, vocab_size=50, width=16, heads=2, layers=1)}
LR, WARMUP, WD, PER_EPOCH, EPOCHS, SAVED = 1e-3, 2, 0.5, 2, 4, 2
IMAGES, IDS = [0, 1, 2], [[48, 7, 3, 19, 49, 0, 0, 0, 0], [48, 5, 8, 11, 2, 30, 8, 17, 49], [48, 21, 49, 0, 0, 0, 0, 0, 0]]


def main():
    torch.set_num_threads(1)
    model = formula.fill(CoCa(**copy.deepcopy({k: v for k, v in CONFIG.items() if k != "custom_text"}))).train()
    task = CoCaTask(model, caption_loss_weight=2.0, clip_loss_weight=1.0, verbose=False)
    optimizer = create_optimizer(model, OptimizerCfg(lr=LR, weight_decay=WD, beta1=0.9, beta2=0.98, eps=1e-6))
    adjust = cosine_lr(optimizer, LR, WARMUP, PER_EPOCH * EPOCHS)
    batch = {"image": formula.images(IMAGES, 12), "text": torch.tensor(IDS)}
    steps = []
    for step in range(PER_EPOCH * EPOCHS):
        if step == PER_EPOCH * SAVED:
            path = kit.GOLDEN / "train" / "main_epoch_2.pt"
            torch.save(save_checkpoint(task, optimizer, epoch=SAVED, name="head", global_step=step, samples_seen=step * len(IDS)), path)
        adjust(step)
        optimizer.zero_grad()
        losses, report = task.training_forward(batch)
        losses["loss"].backward()
        steps.append(dict(loss=losses["loss"].item(), contrastive=losses["contrastive_loss"].item(), caption=losses["caption_loss"].item(),
                          lr=optimizer.param_groups[0]["lr"], scale=report["logit_scale"].item()))
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
    weights = {}
    for n, p in model.named_parameters():
        stride = kit.stride(p.numel(), 8)
        weights[n] = dict(stride=stride, values=[float(x) for x in p.detach().reshape(-1)[::stride]])
    groups = [dict(name=g["group_name"], weight_decay=g["weight_decay"], params=len(g["params"])) for g in optimizer.param_groups]
    kit.write_json(kit.GOLDEN / "train" / "main_config.json", CONFIG, 2)
    flags = ["--lr", LR, "--warmup", WARMUP, "--wd", WD, "--epochs", EPOCHS]
    kit.write_json(kit.GOLDEN / "train" / "main_resume.json",
                   {"profile": f"open_clip 4.2.0.dev0 (89fb801), torch {torch.__version__.split('+')[0]}", "versions": {"torch": torch.__version__.split("+")[0]}, "checkpoint": path.name, "groups": groups, "name": "head", "model_name": "coca_tiny_ViT",
                    "model": "main_config.json", "flags": [str(f) for f in flags], "accum": 1, "epochs": EPOCHS,
                    "batches": [dict(images=IMAGES, ids=IDS)] * PER_EPOCH, "steps": steps, "weights": weights}, 1)


main()
