"""Trains the two small models with the reference: open_clip's CoCa class, its CoCaLoss, and AdamW.

    python train_small.py shapes --work DIR [--steps N] [--threads T]

The folder DIR keeps a checkpoint every two minutes, from which an interrupted run goes on; the finished model, its
tokenizer, its card and its loss log are written into ../models/NAME. All pictures come from draw.py by seed.
"""
import argparse, json, math, os, time
from pathlib import Path
import numpy as np
import torch
from safetensors.torch import save_file
from open_clip.coca_model import CoCa
from open_clip.loss import CoCaLoss
from open_clip.pos_embed import get_2d_sincos_pos_embed
import draw, small_tokenizer

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def config(name):
    text = dict(embed_cls=True, output_tokens=True, hf_tokenizer_name="tokenizer.json")
    if name == "shapes":
        return dict(embed_dim=96, custom_text=True,
                    vision_cfg=dict(image_size=64, patch_size=8, width=112, head_width=28, layers=3, attentional_pool=True,
                                    attn_pooler_queries=33, attn_pooler_heads=4, output_tokens=True),
                    text_cfg=dict(context_length=32, vocab_size=600, width=96, heads=4, layers=1, **text),
                    multimodal_cfg=dict(context_length=32, vocab_size=600, width=96, heads=4, layers=2, attn_pooler_heads=4))
    return dict(embed_dim=64, custom_text=True, quick_gelu=True,
                vision_cfg=dict(image_size=48, patch_size=8, width=96, head_width=24, layers=3, mlp_ratio=3.0,
                                ls_init_value=0.5, output_tokens=True),
                text_cfg=dict(context_length=20, vocab_size=470, width=96, heads=6, layers=1, ls_init_value=0.5, **text),
                multimodal_cfg=dict(context_length=20, vocab_size=470, width=96, heads=6, layers=1, ls_init_value=0.5))


# stages: (until this step, length of the cosine schedule). shapes was trained on after a first end, plain brought to an earlier end.
RECIPE = {"shapes": dict(batch=48, lr=2.5e-3, warmup=100, stages=[(1800, 1800), (4800, 4800)], seed=1, storage="BF16", calibrated=True),
          "plain": dict(batch=64, lr=2e-3, warmup=100, stages=[(885, 1300), (1000, 1000)], seed=2, storage="F16")}


def build(name, vocab):
    cfg = {k: v for k, v in config(name).items() if k != "custom_text"}
    cfg["text_cfg"]["vocab_size"] = vocab
    model = CoCa(**cfg)
    with torch.no_grad():                 # open_clip 3.3.0 leaves this one as uninitialised memory
        torch.nn.init.normal_(model.text_decoder.text_projection, std=cfg["multimodal_cfg"]["width"] ** -0.5)
        if model.visual.attn_pool is not None:
            start_locally(model.visual)
    return model


def start_locally(visual):
    """A start from which a pooler learns in minutes: positions begin as sines and cosines, and every query but the first
    begins by looking at two neighbouring patches, whose values pass through nearly unchanged."""
    pool, width, grid = visual.attn_pool, visual.conv1.out_channels, visual.grid_size[0]
    table = torch.from_numpy(get_2d_sincos_pos_embed(width, grid, cls_token=True)).float()
    visual.positional_embedding.copy_(0.7 * table)
    d = pool.query.shape[1]
    turn = torch.linalg.qr(torch.randn(width, d))[0].T                   # [d, width], orthonormal rows
    pairs = table[1:].reshape(grid, grid // 2, 2, width).mean(2).reshape(-1, width)
    pool.query[1:].copy_(pairs @ turn.T)
    pool.attn.q_proj_weight.copy_(1.5 * torch.eye(d))
    pool.attn.k_proj_weight.copy_(1.5 * turn)
    pool.attn.v_proj_weight.copy_(turn)
    pool.attn.out_proj.weight.copy_(torch.eye(d))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("name", choices=sorted(RECIPE))
    p.add_argument("--work", required=True, type=Path)
    p.add_argument("--steps", type=int, help="stop at this step instead of the recipe's last")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--minutes", type=float, default=0, help="stop at the next checkpoint after this long")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    recipe = RECIPE[a.name]
    steps = min(a.steps or recipe["stages"][-1][0], recipe["stages"][-1][0])
    from transformers import PreTrainedTokenizerFast
    tokdir = a.work / "tokenizer"
    if not (tokdir / "tokenizer.json").exists():
        print("tokenizer", small_tokenizer.train(tokdir, config(a.name)["text_cfg"]["vocab_size"]), flush=True)
    tok = PreTrainedTokenizerFast.from_pretrained(tokdir)
    context, size = config(a.name)["text_cfg"]["context_length"], config(a.name)["vision_cfg"]["image_size"]
    torch.manual_seed(recipe["seed"])
    model = build(a.name, len(tok))
    named = list(model.named_parameters())
    decay = [q for n, q in named if q.ndim >= 2 and "embedding" not in n and "query" not in n]
    rest = [q for n, q in named if not (q.ndim >= 2 and "embedding" not in n and "query" not in n)]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
                            lr=recipe["lr"], betas=(0.9, 0.98), eps=1e-6)
    loss_fn, mean, std = CoCaLoss(2.0, 1.0), np.array(MEAN, np.float32), np.array(STD, np.float32)
    start, log, ck = 0, [], a.work / "checkpoint.pt"
    print(a.name, sum(q.numel() for q in model.parameters()), "parameters", len(tok), "ids", steps, "steps", flush=True)
    if ck.exists():
        state = torch.load(ck, weights_only=False)
        model.load_state_dict(state["model"]); opt.load_state_dict(state["opt"])
        start, log = state["step"], state["log"]
    began = saved = time.time()
    sums = []
    for step in range(start, steps):
        length = next(n for until, n in recipe["stages"] if step < until)
        lr = recipe["lr"] * min((step + 1) / recipe["warmup"], 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / length)))
        for g in opt.param_groups:
            g["lr"] = lr
        pics, words = zip(*(draw.training_picture(step * recipe["batch"] + i, size, mean, std) for i in range(recipe["batch"])))
        ids = tok(list(words), return_tensors="pt", max_length=context, padding="max_length", truncation=True).input_ids
        con, cap = loss_fn(**model(torch.from_numpy(np.stack(pics)), ids))
        opt.zero_grad(set_to_none=True)
        (con + cap).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        sums.append([con.item(), cap.item()])
        if (step + 1) % 50 == 0:
            log.append([step + 1, *(round(float(v), 4) for v in np.mean(sums, 0))])
            print(*log[-1], f"lr {lr:.2e} {time.time() - began:.0f} s", flush=True)
            sums = []
        if time.time() - saved > 120 or step + 1 == steps:
            saved = time.time()
            torch.save({"model": model.state_dict(), "opt": opt.state_dict(), "step": step + 1, "log": log}, str(ck) + ".part")
            os.replace(str(ck) + ".part", ck)
            if a.minutes and time.time() - began > a.minutes * 60:
                return


if __name__ == "__main__":
    main()
