"""Runs the real open_clip_train.main on a model and on batches that are given to it: only reading data, making the
model and the tokenizer are replaced, so that nothing but numbers goes in. The losses, learning rates and scales of every
step come out as it hands them to TensorBoard."""
import sys, types
from pathlib import Path

# open_clip_train.data needs pandas and webdataset, which nothing here uses.
sys.modules["open_clip_train.data"] = types.SimpleNamespace(get_data=None)
from open_clip_train import main as program


class Batches:
    """What open_clip_train expects of a data set and of its loader: the same batches in every epoch."""

    def __init__(self, batches):
        self.dataloader, self.batches = self, batches
        self.num_batches, self.num_samples = len(batches), sum(len(b[1]) for b in batches)

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return iter(self.batches)


class Writer:
    """Keeps what SummaryWriter would write."""
    rows = {}

    def __init__(self, *_):
        Writer.rows = {}

    def add_scalar(self, name, value, step):
        Writer.rows.setdefault(step, {})[name] = value


def train(model, batches, folder, name, flags):
    """Trains model in place, as `python -m open_clip_train.main` with these flags would; returns one dict a step."""
    program.create_model_and_transforms = lambda *_, **__: (model, None, None)
    program.get_data = lambda *_, **__: {"train": Batches(batches)}
    program.get_tokenizer = lambda *_, **__: None
    program.tensorboard = types.SimpleNamespace(SummaryWriter=Writer)
    fixed = ["--dataset-type", "synthetic", "--precision", "fp32", "--device", "cpu", "--log-every-n-steps", "1", "--report-to", "tensorboard",
             "--logs", str(folder), "--name", name, "--batch-size", str(len(batches[0][1]))]
    program.main(fixed + [str(f) for f in flags])
    return [Writer.rows[s] for s in sorted(Writer.rows)]


def checkpoint(folder, name, epoch):
    return Path(folder) / name / "checkpoints" / f"epoch_{epoch}.pt"
