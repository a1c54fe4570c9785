"""Golden directories of small formula-defined models, one for each switch of the architecture: ../golden/small/NAME.

    python small_goldens.py

The weights are formula-defined (formula.py), the values are those of the reference in float64 on these float32 weights,
stored as float32. What the reference refuses goes into ../golden/small/refused.json, with its error.
"""
import copy, json, shutil
import numpy as np
import torch
from open_clip.coca_model import CoCa
import formula, kit
from small_configs import ACCEPTED, REFUSED, case_ids

OUT = kit.GOLDEN / "small"


def build(cfg):
    cfg = copy.deepcopy({k: v for k, v in cfg.items() if k != "custom_text"})
    return formula.fill(CoCa(**cfg))


def golden(name, entry):
    cfg, attention = entry["config"], entry.get("attention", True)
    cases, tensors, tolerance, deviation, scale = [], {}, {}, {}, {}
    for i, ids in enumerate(case_ids(entry)):
        model, image, row = build(cfg), formula.image(i, cfg["vision_cfg"]["image_size"]), torch.tensor([ids])
        low = kit.run(model, image, row, attention)
        high = kit.run(model.double(), image.double(), row, attention)
        names = {}
        for tap, value in high.items():
            names[tap] = f"{i}.{tap}"
            tensors[names[tap]] = value.numpy().astype(np.float32)
            deviation[tap] = max(deviation.get(tap, 0), float((low[tap] - value).abs().max()))
            scale[tap] = max(scale.get(tap, 0), kit.statistics(value)["rms"])
        cases.append({"image": f"formula:{i}", "ids_in": ids, "taps": names})
    for tap in scale:
        tolerance[tap] = float(f"{max(1e-4 * scale[tap], 4 * deviation[tap]):.3g}")
    folder = OUT / name
    kit.write_json(folder / "open_clip_config.json", {"model_cfg": cfg}, 4)
    kit.write_json(folder / "golden.json", {
        "profile": kit.profile(), "versions": kit.versions(), "about": entry["about"],
        **({"may_refuse": entry["may_refuse"]} if "may_refuse" in entry else {}),
        "model": "open_clip_config.json", "weights": "formula", "tolerance": tolerance,
        "rms": {k: float(f"{v:.6g}") for k, v in scale.items()},
        "float32_deviation": {k: float(f"{v:.3g}") for k, v in deviation.items()}, "cases": cases}, 2)
    kit.write_tensors(folder / "golden.safetensors", tensors)
    worst = max(deviation[t] / scale[t] for t in scale)
    print(f"{name:18} {len(cases)} cases {len(tensors):3} tensors, worst float32 deviation {worst:.1e} of the RMS")


def refused(name, entry):
    cfg, stage = entry["config"], "construct"
    try:
        model = build(cfg)
        stage = "forward"
        ids = case_ids(entry)[0]
        with torch.no_grad():
            model(formula.image(0, cfg["vision_cfg"].get("image_size", 224)), torch.tensor([ids]))
            stage = "generate"
            model.generate(formula.image(0, cfg["vision_cfg"].get("image_size", 224)), sot_token_id=1, eos_token_id=2, seq_len=8)
    except Exception as e:
        return {"name": name, "about": entry["about"], "stage": stage, "error": f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}",
                "config": {"model_cfg": cfg}}
    raise SystemExit(f"{name}: the reference accepts it")


def main():
    torch.set_num_threads(1)
    for name, entry in ACCEPTED.items():
        golden(name, entry)
    kit.write_json(OUT / "refused.json", {"profile": kit.profile(), "versions": kit.versions(),
                                          "refused": [refused(n, e) for n, e in REFUSED.items()]}, 2)


if __name__ == "__main__":
    main()
