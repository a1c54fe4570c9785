"""Makes what train_parity.sh and train_interchange.sh train on: square pictures and a CSV of captions, the configuration of
a small CoCa for both sides, and start values by the formula.

    python train_data.py DIR
"""
import copy, json, sys
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from open_clip.coca_model import CoCa
import formula

NAME, PAIRS, SIDE = "coca_parity_ViT", 8, 40        # the model's name decides on the loss and on AdamW's constants
CONFIG = {"embed_dim": 32,
          "vision_cfg": dict(image_size=32, patch_size=8, width=48, head_width=16, layers=2, attentional_pool=True, attn_pooler_queries=8,
                             attn_pooler_heads=4, output_tokens=True),
          "text_cfg": dict(context_length=20, vocab_size=49408, width=32, heads=4, layers=2, embed_cls=True, output_tokens=True),
          "multimodal_cfg": dict(context_length=20, vocab_size=49408, width=32, heads=4, layers=2), "custom_text": True}
WORDS = "a red kite over grey hills beside two small boats near the old harbour wall".split()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["filepath\ttitle"]
    for i in range(PAIRS):
        y, x = np.mgrid[:SIDE, :SIDE]
        waves = [127.5 + 127.5 * np.sin((x * (c + 1 + i % 3) + y * (i - 3) + 17 * i * (c + 1)) / 9.0) for c in range(3)]
        path = folder / f"{i}.png"
        Image.fromarray(np.stack(waves, -1).round().astype(np.uint8)).save(path)
        rows.append(f"{path}\t{' '.join(WORDS[(5 * i + j * (1 + i % 4)) % len(WORDS)] for j in range(3 + i))}")
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    (folder / "configs").mkdir(exist_ok=True)
    (folder / "configs" / f"{NAME}.json").write_text(json.dumps(CONFIG))
    (folder / NAME).mkdir(exist_ok=True)
    (folder / NAME / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG}))
    model = formula.fill(CoCa(**copy.deepcopy({k: v for k, v in CONFIG.items() if k != "custom_text"})))
    torch.save(model.state_dict(), folder / "start.pt")


main(Path(sys.argv[1]).resolve())
