"""Image features of formula weights with outliers, in float32 and float64: ../golden/precision/outliers.json.

    python precision.py

The visual tower has the width of coca_ViT-B-32 and three blocks; the text towers are as small as they can be. "residual" is how far the two large
channels stand above the rest: their median magnitude over that of all values, of the input of each block and the output of the last.
"""
import torch
from open_clip.coca_model import CoCa
import formula, kit

TEXT = dict(context_length=9, vocab_size=50, width=512, heads=8, layers=1, embed_cls=True, output_tokens=True)
VISION = dict(image_size=224, patch_size=32, width=768, layers=3, attentional_pool=True, attn_pooler_queries=256, attn_pooler_heads=8,
              output_tokens=True)
CONFIG = dict(embed_dim=512, custom_text=True, vision_cfg=VISION, text_cfg=TEXT, multimodal_cfg=TEXT)
IMAGES = [0, 1, 2]


def main():
    model = formula.fill(CoCa(**{k: v for k, v in CONFIG.items() if k != "custom_text"}), formula.outliers)
    streams = []
    def watch(_, __, out):
        large = out[0].abs().median(0).values[[256, 512]]
        streams.append([float(f"{v:.4g}") for v in (large / out[0].abs().median()).tolist()])
    hooks = [m.register_forward_hook(watch) for m in (model.visual.ln_pre, *model.visual.transformer.resblocks)]
    with torch.no_grad():
        image = formula.images(IMAGES, 224)
        low = model.encode_image(image)
        for h in hooks:
            h.remove()
        high = model.double().encode_image(image.double())
    kit.write_json(kit.GOLDEN / "precision" / "outliers.json", {
        "profile": kit.profile(), "versions": kit.versions(), "config": {"model_cfg": CONFIG}, "weights": "formula, outliers",
        "images": [f"formula:{i}" for i in IMAGES], "residual": streams,
        "features": [[float("%.9g" % v) for v in row.tolist()] for row in low],
        "float32_deviation": float(f"{(low.double() - high).abs().max():.3g}")}, 1)
    print(streams, (low.double() - high).abs().max())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
