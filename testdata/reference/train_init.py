"""Golden of package train's start values: what open_clip draws for each tensor of several architectures, over many seeds.

    python train_init.py

Per tensor: count, mean, deviation, bounds and fourth standardised moment of all seeds' values together (3 for normal numbers, 1.8 for
evenly spread ones); for one that is the same with every seed its one value, or all of its values; or that it is never set. For
the last, the framework is told to fill memory that it does not set with NaN.
"""
import json
import torch
import open_clip
from open_clip.coca_model import CoCa
from kit import GOLDEN, versions
from small_configs import ACCEPTED

SEEDS = 48
NAMES = ["tiny_pool", "tiny_plain", "pool_fused", "pool_cascade", "layer_scale", "mlp_ratio", "no_cls", "text_projection", "no_projection",
         "logit_bias", "odd_sizes", "norms_pool", "harmless"]


def model(config):
    config = dict(config)
    config.pop("custom_text")
    return CoCa(**config)


def digits(x):
    return float(f"{float(x):.7g}")


def law(values):
    """values: [seeds, elements]."""
    if torch.isnan(values).all():
        return dict(unset=True)
    assert not torch.isnan(values).any()
    if (values == values[:1]).all():
        one = values[0]
        return dict(value=float(one[0])) if (one == one[0]).all() else dict(values=[float(x) for x in one])
    v = values.double().flatten()
    std = v.std(unbiased=False)
    return dict(n=v.numel(), mean=digits(v.mean()), std=digits(std), min=digits(v.min()), max=digits(v.max()),
                kurtosis=digits(((v - v.mean()) ** 4).mean() / std ** 4))


def main():
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    cases = []
    for name in NAMES:
        config, all = ACCEPTED[name]["config"], {}
        for seed in range(SEEDS):
            torch.manual_seed(seed)
            for n, p in model(config).state_dict().items():
                all.setdefault(n, []).append(p.flatten())
        cases.append(dict(name=name, config=config, tensors={n: law(torch.stack(v)) for n, v in all.items()}))
    out = dict(profile=f"open_clip {open_clip.__version__}", versions=versions(), seeds=SEEDS, cases=cases)
    path = GOLDEN / "train" / "init.json"
    head = json.dumps({k: v for k, v in out.items() if k != "cases"})[:-1]
    lines = [json.dumps(dict(name=c["name"], config=c["config"]))[:-1] + ', "tensors": {\n' +
             ",\n".join(f"{json.dumps(n)}: {json.dumps(t)}" for n, t in c["tensors"].items()) + "}}" for c in cases]
    path.write_text(head + ', "cases": [\n' + ",\n".join(lines) + "]}\n")


if __name__ == "__main__":
    main()
