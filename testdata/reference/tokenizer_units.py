"""Golden results of the parts of the tokenizers, each by itself.

Usage: python tokenizer_units.py               writes ../golden/tokenizer/units.jsonl.gz
       python tokenizer_units.py --all FILE    also writes the whole, for the test that reads COCA_TOKENIZER_UNITS
"""

import argparse
import html
import pathlib
import random
import unicodedata

from open_clip.tokenizer import SimpleTokenizer, get_clean_fn
from tokenizers import Regex, normalizers, pre_tokenizers

from tokenizer import GOLDEN, write
from tokenizer_hf import CLIP_PATTERN, GPT2_PATTERN, VERSIONS
from tokenizer_texts import MARKS, SEED, SPACES, Drawer

COUNT, SAMPLE = 20000, 20
CLIP = SimpleTokenizer().pat
HF_CLIP = pre_tokenizers.Split(Regex(CLIP_PATTERN), "removed", invert=True)
GPT2 = pre_tokenizers.Split(Regex(GPT2_PATTERN), "isolated")
NFC, LOWER, SQUEEZE = normalizers.NFC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), "_")


def draw(r, drawer):
    kind = r.randrange(4)
    if kind == 0:
        return drawer.text()
    if kind == 1:  # white space of all kinds
        return "".join(r.choice(SPACES + [" ", " ", "  "]) if r.random() < 0.6 else r.choice(["a", "Bc", "1", "23", "!", "'s", "é", "日"]) for _ in range(r.randint(1, 10)))
    if kind == 2:  # marks in any order, of old and new scripts
        return "".join(r.choice(["a", "A", "e", "o", "ｶ", "か", "\u0dd9", "\u1100\u1161", "각", "\U00011935", "\u09c7", "é", "\u1e0b"]) +
                       "".join(chr(r.choice(MARKS)) for _ in range(r.randint(0, 4))) for _ in range(r.randint(1, 5)))
    return "".join(drawer.char(0, 0x30000) for _ in range(r.randint(1, 10)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=pathlib.Path, help="file for the whole")
    args = parser.parse_args()
    r = random.Random(SEED + 5)
    drawer = Drawer(SEED + 6)
    rows = []
    for _ in range(COUNT):
        text = draw(r, drawer)
        data = bytes(r.choice([r.randrange(256), 0xE0, 0xED, 0xF0, 0xF4, 0x80, 0x90, 0xA0, 0xBF, 0xC3, 0x41]) for _ in range(r.randint(1, 8)))
        rows.append({
            "text": text,
            "lower": text.lower(), "hf_lower": LOWER.normalize_str(text),
            "nfc": unicodedata.normalize("NFC", text), "hf_nfc": NFC.normalize_str(text), "hf_squeeze": SQUEEZE.normalize_str(text),
            "html": html.unescape(text),
            "clean": [get_clean_fn(mode)(text) for mode in ("lower", "whitespace", "canonicalize")],
            "clip": CLIP.findall(text),
            "hf_clip": [p for p, _ in HF_CLIP.pre_tokenize_str(text)],
            "gpt2": [p for p, _ in GPT2.pre_tokenize_str(text)],
            "bytes": list(data), "utf8": data.decode("utf-8", errors="replace"),
        })
    write(GOLDEN / "units.jsonl.gz", [{"versions": VERSIONS}] + rows[::SAMPLE])
    if args.all:
        write(args.all, [{"versions": VERSIONS}] + rows)
    print(f"{COUNT} texts")


if __name__ == "__main__":
    main()
