"""Captions of the reference's `generate`: ../golden/captions/NAME.json, and NAME.main.json for the development head.

    python captions.py shapes plain tiny_pool ... coca_ViT-B-32 coca_ViT-L-14        (without names: the small ones)

A triple (model, image, setting) is kept if the margin of its decisions (search.py) is at least 1e-3; the ids are those of
the real `generate`, and search.py must find the same. Run by open_clip's development head, the script writes NAME.main.json.
"""
import copy, json, sys, time
import numpy as np
import torch
import open_clip
from open_clip.coca_model import CoCa
from PIL import Image
import formula, kit, search
from caption_settings import plan

MARGIN = 1e-3
MAIN = open_clip.__version__ != "3.3.0"


class Captioner:
    """A model with its images; `step` answers from memory what it was asked before."""

    def __init__(self, name):
        self.name, self.tokenizer, self.memory, self.encoded = name, None, {}, {}
        if name.startswith("coca_"):
            self.model, self.where = formula.fill(open_clip.create_model(name)), {"model": name, "weights": "formula"}
            self.sot, self.eos, self.context = 49406, 49407, 76
        elif (kit.MODELS / name).exists():
            where = f"local-dir:{kit.MODELS / name}"
            self.model, _, self.preprocess = open_clip.create_model_and_transforms(where)
            self.tokenizer = open_clip.get_tokenizer(where).tokenizer
            self.sot, self.eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
            self.where, self.context = {"model": f"../../models/{name}"}, self.model.text.context_length
        else:
            cfg = json.loads((kit.GOLDEN / "small" / name / "open_clip_config.json").read_text())["model_cfg"]
            self.model = formula.fill(CoCa(**{k: v for k, v in cfg.items() if k != "custom_text"}))
            self.where = {"model": f"../small/{name}/open_clip_config.json", "weights": "formula"}
            self.sot, self.eos, self.context = 48, 49, self.model.text.context_length
        self.model.eval()

    def image(self, ref):
        if ref.startswith("formula:"):
            return formula.image(int(ref[8:]), self.model.visual.image_size[0])
        return self.preprocess(Image.open(kit.IMAGES / ref))[None]

    def path(self, ref):
        """How a golden file beside the others in ../golden/captions names an image."""
        return ref if ref.startswith("formula:") else f"../../images/{ref}"

    def encode(self, ref):
        if ref not in self.encoded:
            with torch.no_grad():
                self.encoded[ref] = self.model._encode_image(self.image(ref))
        return self.encoded[ref]

    def logits(self, ref, rows):
        """Logits of all positions for rows of equal length, [rows, length, V]."""
        latent, tokens = self.encode(ref)
        n, extra = len(rows), {} if MAIN else {"output_labels": False}
        with torch.no_grad():
            return self.model(None, torch.tensor(rows), latent.expand(n, -1), tokens.expand(n, -1, -1), **extra)["logits"].numpy()

    def step(self, ref):
        memory = self.memory.setdefault(ref, {})
        def last(rows):
            new = list(dict.fromkeys(tuple(r) for r in rows if tuple(r) not in memory))
            if new:
                memory.update(zip(new, self.logits(ref, [list(r) for r in new])[:, -1].copy()))
            return np.stack([memory[tuple(r)] for r in rows])
        return last

    def prompt(self, setting):
        text = setting.get("prompt")
        if text is None:
            return setting.get("prompt_ids")
        return self.tokenizer(text).input_ids[:-1]


def arguments(c, setting):
    """The keyword arguments of `generate` for a setting; sot, eos and (for prompts) text included."""
    kw = {k: v for k, v in setting.items() if k not in ("prompt", "prompt_ids")}
    kw.setdefault("sot_token_id", c.sot)
    kw.setdefault("eos_token_id", c.eos)
    return kw


def searched(c, ref, setting):
    """ids, score, margin by search.py."""
    kw = arguments(c, setting)
    sot, eos, start, step = kw.pop("sot_token_id"), kw.pop("eos_token_id"), c.prompt(setting), c.step(ref)
    pad, fixed, kind = c.model.pad_id, kw.get("fixed_output_length", False), kw.pop("generation_type", "beam_search")
    if kind != "beam_search":
        if MAIN:
            raise search.NotDeterministic
        return search.sample(step, start or [sot], eos, kind, pad=pad, **kw)
    kw.pop("fixed_output_length", None)
    if MAIN:
        kw.pop("num_beam_groups", None)
        ids, score, margin = search.main_beam_search(step, start or [sot], eos, **kw)
    else:
        ids, score, margin = search.beam_search(step, sot, eos, **kw)
    if fixed:
        ids = ids + [pad] * (kw.get("seq_len", 30) - len(ids))
    return ids, score, margin


def real(c, refs, setting):
    prompt, kw = c.prompt(setting), arguments(c, setting)
    if prompt is not None:
        kw["text"] = torch.tensor([prompt] * len(refs))
    torch.manual_seed(0)
    return c.model.generate(torch.cat([c.image(r) for r in refs]), **kw).tolist()


def together(c, rows, kw, width):
    """The rows of a batch: padded to the longest, then to the fixed length. The development head pads the former with EOS
    where the pad id is 0, since the library takes that 0 for unset."""
    pad, longest = c.model.pad_id, max(map(len, rows))
    inner = kw["eos_token_id"] if MAIN and pad == 0 else pad
    return [r + [inner] * (longest - len(r)) + [pad] * (width - longest) for r in rows]


def scored(c, ref, ids, eos, fixed, prompt, sampled):
    """The sum of log-probabilities of all ids after the first; padding of a fixed length is left out.

    A caption ends with eos, a sampled one also with the pad id; in a beam a generated pad id is a token like others.
    """
    if fixed:
        start = len(prompt or [0])
        last = (eos, c.model.pad_id) if sampled else (eos,)
        end = next((i + 1 for i in range(start, len(ids)) if ids[i] in last), len(ids))
        ids = ids[:end]
    return sum(search.log_probability(c.logits(ref, [ids[:-1]])[0], ids))


def main(name):
    began, c = time.time(), Captioner(name)
    singles, batches, counts = [], [], {"tried": 0, "small_margin": 0, "small_margin_other_ids": 0, "not_deterministic": 0}
    jobs, groups = plan(c, MAIN)
    for ref, setting in jobs:
        try:
            ids, score, margin = searched(c, ref, setting)
        except search.NotDeterministic:
            counts["not_deterministic"] += 1
            continue
        counts["tried"] += 1
        if margin < MARGIN and name.startswith("coca_"):
            counts["small_margin"] += 1
            continue
        got = real(c, [ref], setting)[0]
        if margin < MARGIN:
            counts["small_margin"] += 1
            counts["small_margin_other_ids"] += got != ids
            continue
        assert got == ids, (name, ref, setting, margin, got, ids)
        prompt = c.prompt(setting)
        logprob = scored(c, ref, got, arguments(c, setting)["eos_token_id"], setting.get("fixed_output_length", False), prompt,
                         setting.get("generation_type", "beam_search") != "beam_search" and not MAIN)
        entry = {"image": c.path(ref), "generation": arguments(c, setting)}
        if prompt is not None:
            entry.update({"prompt": setting["prompt"]} if "prompt" in setting else {}, prompt_ids=prompt)
        entry.update(ids=got, **({"caption": c.tokenizer.decode(got, skip_special_tokens=True).strip()} if c.tokenizer else {}),
                     score=score if score is not None else logprob, logprob=logprob, margin=float(f"{margin:.4g}"))
        singles.append(entry)
        print(f"{name} {len(singles)} {ref} {setting} margin {margin:.3g} {time.time() - began:.0f} s", flush=True)
    for refs, setting in groups:
        inner = {k: v for k, v in setting.items() if k != "fixed_output_length"}
        rows = [searched(c, r, inner if MAIN else setting) for r in refs]
        counts["tried"] += len(refs)
        if min(m for _, _, m in rows) < MARGIN:
            counts["small_margin"] += len(refs)
            continue
        got = real(c, refs, setting)
        want = together(c, [ids for ids, _, _ in rows], arguments(c, setting), len(got[0]))
        assert got == want, (name, refs, setting, got, want)
        batches.append({"images": [c.path(r) for r in refs], "generation": arguments(c, setting), "ids": got, "margin": float(f"{min(m for _, _, m in rows):.4g}")})
    counts["kept"] = len(singles) + sum(len(b["images"]) for b in batches)
    versions = {**kit.versions(), **({"open_clip": open_clip.__version__} if MAIN else {})}
    top = {"profile": f"open_clip {open_clip.__version__} (development head), transformers {versions['transformers']}, torch {versions['torch']}"
           if MAIN else kit.profile(), "versions": versions, **c.where, "sot": c.sot, "eos": c.eos, "pad": c.model.pad_id,
           "context_length": c.context, "threshold": MARGIN, "counts": counts}
    kit.write_json(kit.GOLDEN / "captions" / f"{name}{'.main' if MAIN else ''}.json", {**top, "triples": singles, "batches": batches}, 2)
    print(name, counts, f"{time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    import caption_settings
    for n in sys.argv[1:] or caption_settings.SMALL:
        main(n)
