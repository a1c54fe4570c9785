"""Golden of the numbers that OpenCLIP's optimizer gives to the parameters of coca_ViT-B-32 and coca_base.

    python train_order.py
"""
import json
import torch
from open_clip import get_model_config
from open_clip.coca_model import CoCa
from kit import GOLDEN, versions

models = {}
for name in ("coca_ViT-B-32", "coca_base"):
    config = get_model_config(name)
    config.pop("custom_text", None)
    with torch.device("meta"):
        named = list(CoCa(**config).named_parameters())
    exclude = lambda n, p: p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n or "logit_scale" in n
    models[name] = [[n for n, p in named if exclude(n, p)], [n for n, p in named if not exclude(n, p)]]
(GOLDEN / "train").mkdir(exist_ok=True)
(GOLDEN / "train" / "order.json").write_text(json.dumps(dict(versions=versions(), models=models), indent=0) + "\n")
