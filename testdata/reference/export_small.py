"""Writes a trained small model into ../models/NAME and measures it on pictures it never saw.

    python export_small.py shapes --work DIR [--pictures 400]

The folder can be loaded by open_clip itself as local-dir:PATH; the measurement does that. Writes config, weights (bfloat16
or float16), tokenizer, training.json (loss log and measurement) and the model's card, README.md.
"""
import argparse, json, shutil
from pathlib import Path
import numpy as np
import torch
import open_clip
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast
import draw, kit, train_small

TYPES = {"BF16": torch.bfloat16, "F16": torch.float16}


def calibrate(name, weights, tokenizer, pictures=600):
    """Adds one vector u to every column of the decoder's output matrix, in place, and returns the spread that remains.

    All logits of a row h then move by h.u, so that probabilities stay as they are. OpenCLIP 3.3.0 sums raw logits in its beam
    search, where that number matters: u is fitted so that the logits become log-probabilities as nearly as one vector can."""
    model = train_small.build(name, len(tokenizer))
    model.load_state_dict(weights)
    model.eval()
    size, context = model.visual.image_size[0], model.text.context_length
    mean, std = np.array(train_small.MEAN, np.float32), np.array(train_small.STD, np.float32)
    rows, totals = [], []
    with torch.no_grad():
        for start in range(0, pictures, 50):
            pics, words = zip(*(draw.training_picture(start + i, size, mean, std) for i in range(50)))
            ids = tokenizer(list(words), return_tensors="pt", max_length=context, padding="max_length", truncation=True).input_ids
            found = {}
            handle = model.text_decoder.ln_final.register_forward_hook(lambda _, __, out: found.__setitem__("h", out))
            out = model(torch.from_numpy(np.stack(pics)), ids)
            handle.remove()
            real = out["labels"] != 0
            rows.append(found["h"][real].double())
            totals.append(out["logits"][real].double().logsumexp(-1))
    h, total = torch.cat(rows), torch.cat(totals)
    u = torch.linalg.lstsq(h, -total[:, None]).solution
    weights["text_decoder.text_projection"] += u.float()
    left = total + (h @ u)[:, 0]
    return {"logsumexp_before": [round(total.mean().item(), 4), round(total.std().item(), 4)],
            "logsumexp_after": [round(left.mean().item(), 4), round(left.std().item(), 4)],
            "meaning": "mean and standard deviation over training captions; 0 and 0 would be log-probabilities"}


def export(name, work):
    folder, recipe = kit.MODELS / name, train_small.RECIPE[name]
    folder.mkdir(parents=True, exist_ok=True)
    for f in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(work / "tokenizer" / f, folder / f)
    state = torch.load(work / "checkpoint.pt", weights_only=False)
    note = None
    if recipe.get("calibrated"):
        note = calibrate(name, state["model"], PreTrainedTokenizerFast.from_pretrained(work / "tokenizer"))
    weights = {k: v.to(TYPES[recipe["storage"]]).contiguous() for k, v in state["model"].items()}
    save_file(weights, str(folder / "open_clip_model.safetensors"), metadata={"format": "pt"})
    (folder / "open_clip_model.safetensors").chmod(0o644)
    cfg = train_small.config(name)
    cfg["text_cfg"]["vocab_size"] = cfg["multimodal_cfg"]["vocab_size"] = state["model"]["text.token_embedding.weight"].shape[0]
    kit.write_json(folder / "open_clip_config.json", {"model_cfg": cfg, "preprocess_cfg": {
        "mean": train_small.MEAN, "std": train_small.STD, "interpolation": "bicubic", "resize_mode": "shortest"}}, 3)
    return folder, state, sum(v.numel() for v in weights.values()), note


def attributes(text):
    words = text.replace(",", "").split()
    shapes = [s for w in words for s in draw.SHAPES if w in (s, draw.plural(s))]
    ground = text.split(" background")[0].rsplit(" on a", 1)[1] if " background" in text and " on a" in text else ""
    first, _, _ = text.partition(" on a ")
    return {"shapes": shapes, "colours": [w for w in first.split() if w in draw.COLOURS],
            "count": [w for w in words if w in draw.NUMBERS.values()],
            "place": [p for p in ("left of", "above", "in a row", "top left", "top right", "bottom left", "bottom right") if p in text],
            "size": [w for w in words if w in ("small", "large")], "background": ground + text.rpartition("background")[2]}


def strip_opening(text):
    for opening in ("a picture of ", "there is ", "there are "):
        text = text.removeprefix(opening)
    return text


def measure(folder, pictures):
    """Shares of held-out pictures whose caption equals the drawn scene's, but for its opening, by default beam search and greedily."""
    where = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(where)
    tok = open_clip.get_tokenizer(where).tokenizer
    model.eval()
    scenes = [draw.scene(f"held out {i}") for i in range(pictures)]
    rng = np.random.default_rng(5)
    sizes = [tuple(int(v) for v in rng.integers(200, 401, 2)) for _ in scenes]
    batch = torch.stack([preprocess(draw.render(s, w, h, 2)) for s, (w, h) in zip(scenes, sizes)])
    result, context = {"pictures": pictures}, model.text.context_length
    for mode, kw in {"beam_search": {}, "greedy": {"generation_type": "top_k"}}.items():
        out = torch.cat([torch.nn.functional.pad(o, (0, 40 - o.shape[1])) for o in (model.generate(
            b, sot_token_id=tok.bos_token_id, eos_token_id=tok.eos_token_id, seq_len=min(30, context + 1), **kw) for b in batch.split(50))])
        texts = [tok.decode(o, skip_special_tokens=True).strip() for o in out]
        ended = sum(tok.eos_token_id in o.tolist() for o in out)
        plain = [strip_opening(t).replace(" ,", ",") for t in texts]
        right = {k: round(float(np.mean([attributes(p)[k] == attributes(s["core"])[k] for p, s in zip(plain, scenes)])), 4)
                 for k in attributes("")}
        kinds = {k: round(float(np.mean([p == s["core"] for p, s in zip(plain, scenes) if s["kind"] == k])), 4) for k in ("one", "pair", "same", "row")}
        result[mode] = {"exact": round(float(np.mean([p == s["core"] for p, s in zip(plain, scenes)])), 4), "exact_by_kind": kinds, "attributes": right,
                        "ended_by_themselves": round(ended / pictures, 4), "distinct_captions": len(set(texts)),
                        "examples": [[s["core"], t] for s, t in list(zip(scenes, texts))[:6]]}
    return result


CARD = """# {name}

A CoCa of {n:,} parameters, trained with open_clip's own model class and loss on nothing but pictures drawn by
`testdata/reference/draw.py`: {steps} steps of {batch} pictures on one processor core.

It knows eight shapes ({shapes}), eight colours ({colours}), the numbers two to four, three sizes, a few
positions, and plain, striped, checkered and fading backgrounds. It has never seen a photograph: of anything but such drawings it says
something about coloured shapes, and it is wrong. It cannot read, name people, places or things, or count beyond four.
It is a test object{default}, not a captioner for real pictures.{limit}

On {pictures} drawn pictures that it was not trained on, {beam:.1%} of the captions (default beam search) equal the description of the scene word for
word, but for the opening ("a picture of", "there is"), which is random in training; with greedy decoding {greedy:.1%}. training.json has the
details and the loss log. Stored as {storage}. Special tokens: `<pad>` 0, `<start_of_text>` 1, `<end_of_text>` 2.

Made by `testdata/reference/train_small.py` and `export_small.py` of this repository; same licence as the repository.
"""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("name", choices=sorted(train_small.RECIPE))
    p.add_argument("--work", required=True, type=Path)
    p.add_argument("--pictures", type=int, default=400)
    a = p.parse_args()
    torch.set_num_threads(1)
    folder, state, n, note = export(a.name, a.work)
    result = measure(folder, a.pictures)
    recipe = train_small.RECIPE[a.name]
    kit.write_json(folder / "training.json", {
        "versions": kit.versions(), "recipe": {**recipe, "betas": [0.9, 0.98], "weight_decay": 0.05, "loss": "CoCaLoss(caption 2, contrastive 1)"},
        "steps": state["step"], "parameters": n, "held_out": result,
        **({"calibration": note} if note else {}),
        "log_columns": ["step", "contrastive loss", "caption loss (weighted by 2)"], "log": [[int(a), round(float(b), 4), round(float(c), 4)] for a, b, c in state["log"]]}, 3)
    (folder / "README.md").write_text(CARD.format(
        name=a.name, n=n, steps=state["step"], batch=recipe["batch"], shapes=", ".join(draw.SHAPES), colours=", ".join(draw.COLOURS),
        pictures=a.pictures, beam=result["beam_search"]["exact"], greedy=result["greedy"]["exact"], storage=recipe["storage"],
        limit=" Its context of 20 ids cuts longer captions off, in training too." if a.name == "plain" else "",
        default=" and the model embedded in the command" if a.name == "shapes" else ""))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
