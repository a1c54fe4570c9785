"""Golden ids of OpenCLIP's tokenizers.

Usage: python tokenizer.py                  writes ../golden/tokenizer/
       python tokenizer.py --all FILE       also writes the whole of the texts to FILE (.jsonl.gz),
                                            for the test that reads COCA_TOKENIZER_TEXTS

The golden sample is every SAMPLE-th text of the whole. The rows are written by
the reference alone; texts on which ftfy's mojibake repair acts are marked.
"""

import argparse
import gzip
import json
import pathlib
import platform
import random
import unicodedata

import ftfy
import open_clip
import regex
from open_clip.tokenizer import SimpleTokenizer

from tokenizer_texts import SEED, Drawer

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "tokenizer"
COUNT = 24000  # texts
SAMPLE = 16
DECODES = 2000  # random id sequences
CONTEXTS = [76, 76, 76, 77, 128, 256, 1, 2, 3, 8]
VERSIONS = {
    "open_clip_torch": open_clip.__version__,
    "ftfy": ftfy.__version__,
    "regex": regex.__version__,
    "python": platform.python_version(),
    "unicode": unicodedata.unidata_version,
    "seed": SEED,
}

repaired = False
fix_encoding = ftfy.fix_encoding


def watched(text, *args, **kwargs):
    """ftfy.fix_encoding, noting whether it changes anything."""
    global repaired
    fixed = fix_encoding(text, *args, **kwargs)
    repaired |= fixed != text
    return fixed


ftfy.fix_encoding = watched


def rows():
    global repaired
    texts = Drawer().texts(COUNT)
    r = random.Random(SEED + 1)
    modes = {m: SimpleTokenizer(clean=m) for m in ("lower", "whitespace", "canonicalize")}
    for text in texts:
        mode = r.choice(["lower"] * 8 + ["whitespace", "canonicalize"])
        context = r.choice(CONTEXTS)
        t = modes[mode]
        repaired = False
        ids = t.encode(text)
        row = {"text": text, "mode": mode, "ids": ids, "context": context}
        if repaired:
            row["mojibake"] = True
        row["fixed"] = t([text], context)[0].tolist()
        while row["fixed"][-1] == 0:  # the padding behind the end of text
            row["fixed"].pop()
        yield row
    for _ in range(DECODES):
        top = r.choice([256, 512, 49408])
        ids = [r.randrange(top) for _ in range(r.randint(0, 12))]
        yield {"ids": ids, "decoded": modes["lower"].decode(ids)}


def write(path, rows):
    """Write rows as JSON lines, the same bytes at each run."""
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        for row in rows:
            f.write(json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=pathlib.Path, help="file for the whole")
    args = parser.parse_args()
    all_rows = list(rows())
    texts, decodes = all_rows[:COUNT], all_rows[COUNT:]
    GOLDEN.mkdir(parents=True, exist_ok=True)
    write(GOLDEN / "clip.jsonl.gz", [{"versions": VERSIONS}] + texts[::SAMPLE] + decodes[:: SAMPLE // 2])
    if args.all:
        write(args.all, [{"versions": VERSIONS}] + all_rows)
    print(f"{COUNT} texts, {sum('mojibake' in r for r in texts)} of them repaired by ftfy's encoding step, "
          f"{len(decodes)} decodes")


if __name__ == "__main__":
    main()
