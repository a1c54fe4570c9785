"""Goldens of the trained small models, from picture file and text to every tap, score and embedding.

    python model_goldens.py [shapes] [plain]

../golden/small/NAME is a golden directory with image files and texts; ../golden/captions/NAME.scores.json has teacher-forced
log-probabilities, similarities and embeddings. Taps are the reference's in float64 on its float32 pixels and weights.
"""
import os, sys
import numpy as np
import torch
import torch.nn.functional as F
import draw, kit, search
from captions import Captioner, arguments, real, scored, searched

PICTURES = ["two_red_circles.png", "pink_heart_above_yellow_cross.png", "green_ring_above_orange_heart.jpg"]
OTHERS = ["two red circles on a beige background", "a photo of a cat", "A LARGE  blue Star!", "four green stars and nothing else"]


def ids_of(c, text):
    return c.tokenizer(text, max_length=c.context, padding="max_length", truncation=True).input_ids


def directory(c):
    tensors, cases, scale, deviation = {}, [], {}, {}
    captions = {name: draw.example_scene(name)["core"] for name, *_ in draw.EXAMPLES}
    for i, name in enumerate(PICTURES):
        ids, image = ids_of(c, captions[name]), c.image(name)
        row = torch.tensor([ids])
        low = kit.run(c.model, image, row, True)
        high = kit.run(c.model.double(), image.double(), row, True)
        c.model.float()
        for tap, v in high.items():
            tensors[f"{i}.{tap}"] = v.numpy().astype(np.float32)
            deviation[tap] = max(deviation.get(tap, 0), float((low[tap] - v).abs().max()))
            scale[tap] = max(scale.get(tap, 0), kit.statistics(v)["rms"])
        setting = {"seq_len": min(30, c.context + 1)}
        found, score, margin = searched(c, name, setting)
        got = real(c, [name], setting)[0]
        assert got == found and margin > 1e-3, (name, got, found, margin)
        cases.append({"image": f"../../../images/{name}", "text": captions[name], "ids_in": ids, "taps": {t: f"{i}.{t}" for t in high},
                      "generation": arguments(c, setting), "ids": got, "caption": c.tokenizer.decode(got, skip_special_tokens=True).strip(),
                      "score": score, "logprob": scored(c, name, got, c.eos, False, None, False), "margin": float(f"{margin:.4g}")})
    folder = kit.GOLDEN / "small" / c.name
    kit.write_json(folder / "golden.json", {
        "profile": kit.profile(), "versions": kit.versions(), "about": f"the trained model {c.name}: picture files and texts",
        "model": f"../../../models/{c.name}", "tolerance": {t: float(f"{max(1e-4 * scale[t], 4 * deviation[t]):.3g}") for t in scale},
        "rms": {t: float(f"{v:.6g}") for t, v in scale.items()},
        "float32_deviation": {t: float(f"{v:.3g}") for t, v in deviation.items()}, "cases": cases}, 2)
    kit.write_tensors(folder / "golden.safetensors", tensors)
    print(c.name, len(tensors), "tensors; worst float32 deviation of the RMS", max(deviation[t] / scale[t] for t in scale))


def number(v):
    return float(f"{float(v):.9g}")


def scores(c):
    entries, texts = [], {}
    names = [e[0] for e in draw.EXAMPLES]
    with torch.no_grad():
        for k, name in enumerate(names):
            image = c.image(name)
            latent, tokens = c.model._encode_image(image)
            for text in (draw.example_scene(name)["core"], "there is " + draw.example_scene(names[k - 1])["core"], OTHERS[k % len(OTHERS)]):
                ids = ids_of(c, text)
                out = c.model(image, torch.tensor([ids]))
                end = ids.index(c.eos) + 1
                logp = search.log_probability(out["logits"][0, :end - 1].numpy(), ids[:end])
                entries.append({"image": c.path(name), "text": text, "ids": ids, "token_logprobs": [number(v) for v in logp],
                                "logprob": number(sum(logp)), "similarity": number((out["image_features"] * out["text_features"]).sum())})
                texts[text] = None
        embeddings = [{"image": c.path(n), "embedding": [number(v) for v in c.model.encode_image(c.image(n))[0]]} for n in names[:5] + names[-3:]]
        embeddings += [{"text": t, "embedding": [number(v) for v in c.model.encode_text(torch.tensor([ids_of(c, t)]))[0]]} for t in list(texts)[:6]]
        plain = [{"image": c.path(n), "embedding": [number(v) for v in c.model.encode_image(c.image(n), normalize=False)[0]]} for n in names[:2]]
    kit.write_json(kit.GOLDEN / "captions" / f"{c.name}.scores.json", {
        "profile": kit.profile(), "versions": kit.versions(), **c.where, "sot": c.sot, "eos": c.eos, "pad": c.model.pad_id,
        "scores": entries, "embeddings": embeddings, "embeddings_not_normalised": plain}, 2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for n in sys.argv[1:] or ["shapes", "plain"]:
        c = Captioner(n)
        directory(c)
        scores(c)
