"""python -m open_clip_train.main, for one run after the other, with every step's numbers in full: registers the configurations of
a folder and writes what would go to TensorBoard as lines of JSON, with the keys of coca's train.jsonl. Standard input has a line
for each run: the file for the losses, and the flags as a shell reads them.

    python train_openclip.py CONFIGS <RUNS
"""
import json, logging, shlex, sys, types
import open_clip
from open_clip_train import main as program

NAMES = {"loss": "train/loss", "contrastive_loss": "train/contrastive_loss", "caption_loss": "train/caption_loss", "lr": "train/lr", "logit_scale": "train/scale"}


class Writer:
    def __init__(self, _):
        self.rows = {}

    def add_scalar(self, name, value, step):
        self.rows.setdefault(step, {})[name] = value

    def save(self, path):
        with open(path, "w") as f:
            for step, row in sorted(self.rows.items()):
                f.write(json.dumps({"step": step, **{k: float(row.get(v, 0.0)) for k, v in NAMES.items()}}) + "\n")


def summary_writer(folder):
    global writer
    writer = Writer(folder)
    return writer


open_clip.add_model_config(sys.argv[1])
program.tensorboard = types.SimpleNamespace(SummaryWriter=summary_writer)
for line in sys.stdin:
    path, *flags = shlex.split(line)
    if program.main(flags + ["--report-to", "tensorboard"]) is not None:
        sys.exit(f"open_clip_train refused to run {line}")
    writer.save(path)
    logging.getLogger().handlers.clear()        # the next run logs to a file of its own
