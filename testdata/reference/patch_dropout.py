"""Losses and gradients of small formula-defined models in float64 with vision_cfg.patch_dropout, and the patches that OpenCLIP's PatchDropout
kept, in its order: ../golden/patch_dropout/NAME.json and .safetensors, otherwise as gradients.py makes them.

    python patch_dropout.py
"""
import copy, json
import torch
from open_clip.coca_model import CoCa
from open_clip.transformer import PatchDropout
import formula, gradients, kit
from small_configs import ACCEPTED, case_ids

OUT = kit.GOLDEN / "patch_dropout"
CASES = {"tiny_pool": 0.5, "tiny_plain": 0.25, "plain_avg": 0.5, "odd_sizes": 0.3, "no_cls": 0.4}
SEED = 7


def golden(name, share):
    entry = ACCEPTED[name]
    cfg, ids = copy.deepcopy({k: v for k, v in entry["config"].items() if k != "custom_text"}), torch.tensor(case_ids(entry)[:2])
    cfg["vision_cfg"]["patch_dropout"] = share
    ids[1, 4], ids[1, 5:] = ids[1, -1], 0       # both texts end before the context does
    model = formula.fill(CoCa(**cfg)).train()
    image = formula.images(range(2), cfg["vision_cfg"]["image_size"])

    # The tokens that go in and come out say which were kept, whatever the generator did.
    seen = []

    def watch(module, inputs, output):
        before, after = inputs[0], output
        assert torch.equal(before[:, 0], after[:, 0])
        seen.append([[next(j for j in range(before.shape[1] - 1) if torch.equal(b[j + 1], row)) for row in a[1:]] for b, a in zip(before, after)])

    assert isinstance(model.visual.patch_dropout, PatchDropout)
    model.visual.patch_dropout.register_forward_hook(watch)
    plain = gradients.gradients

    def seeded(*args):
        torch.manual_seed(SEED)
        return plain(*args)

    gradients.gradients = seeded
    try:
        gradients.write(OUT / name, f"../small/{name}/open_clip_config.json", model, image, ids, (1.0, 2.0), gradients.SAMPLES, 0)
    finally:
        gradients.gradients = plain
    assert len(seen) == 2 and seen[0] == seen[1], "float32 and float64 kept different patches"
    path = OUT / f"{name}.json"
    kit.write_json(path, json.loads(path.read_text()) | {"patch_dropout": share, "kept": seen[0]}, 2)


def main():
    torch.set_num_threads(1)
    for name, share in CASES.items():
        golden(name, share)


if __name__ == "__main__":
    main()
