"""TensorBoard and package train/record. Needs the package tensorboard alone (an environment of its own will do).

    python train_tensorboard.py              writes ../golden/train/tensorboard: a file of events by TensorBoard's own writer, and what it holds
    python train_tensorboard.py --read DIR   prints as JSON what TensorBoard sees in a folder of event files
"""
import argparse, json, struct
from importlib.metadata import version
from pathlib import Path
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

OUT = Path(__file__).resolve().parent.parent / "golden" / "train" / "tensorboard"

# Wall time, step, scalars; a step beyond 32 bits, long names, values that float32 rounds or that are none.
EVENTS = [(1.7e9, 0, [("train/loss", 7.125), ("train/lr", 1e-7)]), (1.7e9 + 0.25, 1, [("train/loss", 0.1)]),
          (1.7e9 + 1, 127, [("val/image_to_text_R@1", 0.0)]), (1.7e9 + 2, 128, [("train/" + "long/" * 60 + "name", -3.4e38)]),
          (1.7e9 + 3, 2 ** 33, [("train/scale", 1e30), ("train/loss", float("inf")), ("größe", 1e-45)])]


def write():
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "events.out.tfevents.golden"
    with open(path, "wb") as f:
        w = RecordWriter(f)
        w.write(Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString())
        w.write(Event(wall_time=1.7e9, step=5, session_log=SessionLog(status=SessionLog.START)).SerializeToString())
        for wall, step, scalars in EVENTS:
            value = [Summary.Value(tag=tag, simple_value=v) for tag, v in scalars]
            w.write(Event(wall_time=wall, step=step, summary=Summary(value=value)).SerializeToString())
        w.flush()
    single = lambda v: str(v) if v == float("inf") else struct.unpack("f", struct.pack("f", v))[0]
    events = [dict(wall_time=w, step=s, scalars=[dict(name=n, value=single(v)) for n, v in l]) for w, s, l in EVENTS]
    versions = {p: version(p) for p in ("tensorboard", "protobuf")}
    (OUT / "golden.json").write_text(json.dumps(dict(versions=versions, file=path.name, events=events), ensure_ascii=False, indent=1) + "\n")


def read(folder):
    a = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    a.Reload()
    print(json.dumps({tag: [[e.step, e.value] for e in a.Scalars(tag)] for tag in a.Tags()["scalars"]}))


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--read", type=Path)
    args = p.parse_args()
    read(args.read) if args.read else write()
