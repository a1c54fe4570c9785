"""Which images and settings captions.py runs for each model. Settings are keyword arguments of open_clip's `generate`,
and "prompt" (a text) or "prompt_ids"."""

SMALL = ["shapes", "plain", "tiny_pool", "tiny_plain", "quick_gelu", "layer_scale", "pool_fused", "pad_id", "context_76", "context_77", "context_128"]

K, P = {"generation_type": "top_k"}, {"generation_type": "top_p"}


def beams(n, g, **more):
    return {"num_beams": n, "num_beam_groups": g, **more}


def beam_settings(top):
    """Beam searches for a model that can hold `top` ids (context length + 1)."""
    a, b = min(30, top), min(12, top)
    return [{} if top >= 30 else {"seq_len": top}, beams(4, 2, seq_len=a), beams(6, 1, seq_len=a), beams(2, 1, seq_len=a), beams(3, 3, seq_len=a),
            {"seq_len": b, "min_seq_len": 3}, {"seq_len": top}, {"seq_len": a, "min_seq_len": 1}, {"seq_len": a, "min_seq_len": min(16, a - 1)},
            {"seq_len": a, "repetition_penalty": 1.3}, {"seq_len": a, "repetition_penalty": 0.8}, {"seq_len": a, "fixed_output_length": True},
            {"seq_len": 7}, beams(8, 2, seq_len=a, min_seq_len=2), beams(5, 1, seq_len=a, repetition_penalty=1.1),
            beams(9, 3, seq_len=b, fixed_output_length=True), beams(12, 1, seq_len=a, min_seq_len=0)]


def sample_settings(top, prompts=()):
    a, b = min(30, top), min(12, top)
    out = [{**K, "seq_len": a}, {**K, "seq_len": b, "min_seq_len": b - 1}, {**K, "seq_len": a, "repetition_penalty": 1.5},
           {**K, "seq_len": a, "temperature": 0.25}, {**K, "seq_len": 7}, {**K, "seq_len": a, "fixed_output_length": True},
           {**K, "seq_len": a, "max_seq_len": 5}, {**P, "seq_len": a}, {**P, "seq_len": a, "top_p": 0.01, "min_seq_len": 6}, {**P, "seq_len": a, "top_p": 0.4},
           {**K, "seq_len": top, "repetition_penalty": 0.9}]
    for prompt in prompts:
        key = {"prompt": prompt} if isinstance(prompt, str) else {"prompt_ids": prompt}
        out += [{**K, "seq_len": a, **key}, {**P, "seq_len": a, "top_p": 0.05, **key}, {**K, "seq_len": b, "min_seq_len": 2, "fixed_output_length": True, **key}]
    return out


def spread(refs, settings, each):
    """The first setting for all images; of the others `each` per image, in turn, so that all get used."""
    jobs, k = [(r, settings[0]) for r in refs], 0
    for r in refs:
        for _ in range(min(each, len(settings) - 1)):
            jobs.append((r, settings[1 + k % (len(settings) - 1)]))
            k += 1
    return jobs


def plan(c, main):
    """(single jobs, batch jobs) for a Captioner."""
    formula = [f"formula:{i}" for i in range(10)]
    if c.name == "coca_ViT-B-32":
        return full(c, formula, 10)
    if c.name == "coca_ViT-L-14":
        return full_large(formula), []
    top = c.context + 1
    if c.tokenizer:
        from draw import EXAMPLES
        refs = [e[0] for e in EXAMPLES] + formula[:4]
        prompts = ["a picture of", "there are two", "a large", "there is a small blue"]
        other = [{**s, "eos_token_id": c.tokenizer.convert_tokens_to_ids(t)} for t in ("on</w>", "background</w>", "a</w>")
                 for s in ({"seq_len": min(30, top)}, {**K, "seq_len": min(20, top)}) if t in c.tokenizer.get_vocab()]
        settings = beam_settings(top) + other + sample_settings(top, prompts)
        if main:
            settings = [s for s in settings if "generation_type" not in s]
            settings += [{"seq_len": min(30, top), "prompt": p} for p in prompts] + [beams(4, 1, seq_len=min(20, top), prompt=prompts[0])]
        each = 5 if main else 8
    else:
        refs = formula[:4]
        row = c.logits(refs[0], [[c.sot, 7, 3]])[0, -1]
        others = [int(i) for i in (-row).argsort()[:6] if int(i) not in (c.sot, c.eos, 0)]
        settings = (beam_settings(top) + [{"seq_len": min(30, top), "eos_token_id": e} for e in others]
                    + [{**K, "seq_len": min(30, top), "eos_token_id": e} for e in others[:2]]
                    + sample_settings(top, [[c.sot, 7, 3], [c.sot, 0, 5, 11]]))
        if main:
            settings = [s for s in settings if "generation_type" not in s] + [{"seq_len": min(20, top), "prompt_ids": [c.sot, 7, 3]}]
        each = 6 if main else 10
    batch = [(refs[i:i + 3], s) for i, s in zip(range(0, len(refs) - 2, 3), [settings[0], settings[1], {**settings[0], "fixed_output_length": True},
                                                                            beams(2, 1, seq_len=min(20, top)), settings[0], settings[3]])]
    if c.name == "context_128":
        return spread(refs[:2], [{"seq_len": 40}, {"seq_len": 77}, {"seq_len": 110}, {**K, "seq_len": 77}, {**K, "seq_len": 129, "max_seq_len": 128}], 4), []
    return spread(refs, settings, each), batch


def full(c, refs, n):
    """B-32: a mixture whose cost is a few seconds each."""
    e1, e2 = 5911, 13453                      # ids of the default caption of image 0, which end other searches early
    settings = [{"seq_len": 20}, {"seq_len": 20, "eos_token_id": e1}, {**K, "seq_len": 24}, beams(4, 2, seq_len=16), beams(6, 1, seq_len=14), beams(2, 1, seq_len=24),
                beams(3, 3, seq_len=20), {**K, "seq_len": 20, "prompt_ids": [49406, 320, 1125, 539, 320]}, {"seq_len": 10},
                {"seq_len": 16, "repetition_penalty": 1.2}, {**P, "seq_len": 20, "top_p": 0.02}, {**K, "seq_len": 20, "repetition_penalty": 1.3},
                {"seq_len": 16, "min_seq_len": 10, "eos_token_id": e1}, beams(4, 2, seq_len=20, eos_token_id=e2, min_seq_len=8),
                {"seq_len": 12, "eos_token_id": e1, "fixed_output_length": True, "min_seq_len": 2}, {**K, "seq_len": 77, "max_seq_len": 76},
                beams(4, 1, seq_len=12, repetition_penalty=1.5)]
    jobs = [(refs[0], {}), (refs[1], beams(2, 1, seq_len=77))]
    jobs += [(refs[(3 * i) % n], s) for i, s in enumerate(settings)] + [(refs[(3 * i + 1) % n], s) for i, s in enumerate(settings)]
    return jobs, [(refs[:3], beams(4, 2, seq_len=10)), (refs[3:6], {**K, "seq_len": 12})]


def full_large(refs):
    e = 2245                                  # an id of the default caption of image 0
    return [(refs[0], {"seq_len": 20}), (refs[0], {**K, "seq_len": 24}), (refs[1], beams(2, 1, seq_len=16)), (refs[2], beams(4, 2, seq_len=10)),
            (refs[3], {**K, "seq_len": 16, "prompt_ids": [49406, 320, 1125, 539, 320]}), (refs[0], beams(2, 1, seq_len=20, eos_token_id=e)),
            (refs[4], {"seq_len": 10}), (refs[5], beams(3, 3, seq_len=12)), (refs[6], {**K, "seq_len": 20, "repetition_penalty": 1.3}),
            (refs[7], {**P, "seq_len": 14, "top_p": 0.02}), (refs[8], beams(3, 1, seq_len=10, repetition_penalty=1.2)),
            (refs[1], {**K, "seq_len": 12, "min_seq_len": 8}), (refs[9], beams(2, 1, seq_len=12, fixed_output_length=True)),
            (refs[2], {**K, "seq_len": 30}), (refs[3], beams(2, 1, seq_len=14, min_seq_len=2, eos_token_id=e)), (refs[6], beams(4, 1, seq_len=9))]
