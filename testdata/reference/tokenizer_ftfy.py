"""Golden texts of ftfy.fix_text on material that its encoding repair acts on.

Usage: python tokenizer_ftfy.py               writes ../golden/tokenizer/ftfy.jsonl.gz
       python tokenizer_ftfy.py --all FILE    also writes the whole, for the test that reads COCA_TOKENIZER_FTFY
"""

import argparse
import pathlib
import random
import re

import ftfy
from ftfy.badness import MOJIBAKE_CATEGORIES
from ftfy.chardata import CHARMAP_ENCODINGS, UTF8_CLUES

from tokenizer import GOLDEN, VERSIONS, write
from tokenizer_texts import SEED, Drawer

COUNT, SAMPLE = 40000, 80
SNIPPETS = ["café", "“quoted”", "– dash", "naïve façade", "über Straße", "日本語", "Привет мир", "Ελληνικά", "it’s 5 €", "à la mode", "às vezes", "àquele", "😀 ok", "𝒳\x00",
            "piñata…", "Łódź", "ÀÉ ñ ™", "voilà le travail", "كتاب", "हिन्दी", "Žluťoučký", "ø", "\u00a0", "²³", "©®", "ﬁ", "—", "½", "\ufffd"]
LITERAL = ["ÃÂ ", "à²", "√±", "≈°", "‚Äì", "‚âà", "вЂ", "ВГРС°µ", "ГўВЂВ.a ", "β€™", "ΒΓΞΟ°", "ā€", "×²³", "ØÙŸŠ®°µ»", "œŒ", "Â.,?! ", "â€œ", "\x1a?", "\xa0", " ", "aZ", "\n", "°", "<", "&amp;", "\x85", "\x81"]


def draw(r, drawer, pools):
    kind = r.randrange(6)
    if kind == 0:  # runs of characters of the categories
        return "".join(r.choice(r.choice(pools)) for _ in range(r.randint(1, 8)))
    if kind == 1:  # parts of the special sequences
        return "".join(r.choice(r.choice(LITERAL)) if r.random() < 0.8 else r.choice(LITERAL) for _ in range(r.randint(1, 8)))
    if kind == 2:  # a known sequence with one character changed
        s = list(r.choice(LITERAL) + r.choice(LITERAL))
        s[r.randrange(len(s))] = r.choice(r.choice(pools))
        return "".join(s)
    text = r.choice(["", " "]).join(r.choice(SNIPPETS) for _ in range(r.randint(1, 3)))
    if kind == 3:
        text = drawer.caption() + " " + text
    for _ in range(r.choice([1, 1, 2, 3])):
        data = text.encode("utf-8", "surrogatepass")
        if r.random() < 0.15:  # CESU-8 and Java's null
            out = b""
            for ch in text:
                if ord(ch) > 0xFFFF:
                    v = ord(ch) - 0x10000
                    out += bytes([0xED, 0xA0 | v >> 16, 0x80 | v >> 10 & 63, 0xED, 0xB0 | v >> 6 & 15, 0x80 | v & 63])
                else:
                    out += b"\xc0\x80" if ch == "\0" else ch.encode("utf-8")
            data = out
        if r.random() < 0.3:
            data = data.replace(b"\xa0", b" ")
        data = bytearray(data)
        for _ in range(r.choice([0, 0, 0, 1, 2])):  # lost and changed bytes
            data[r.randrange(len(data))] = r.choice([0x1A, 0x3F, 0x20, r.randrange(256)])
        text = bytes(data).decode(r.choice(CHARMAP_ENCODINGS))
        if r.random() < 0.2:
            text = text.replace("\xa0", " ")
    if kind == 5:
        text = r.choice(["日本 ", "ü ", "“a” ", ""]) + text + r.choice([" 本", " ł", "", "\n", " é"])
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=pathlib.Path, help="file for the whole")
    args = parser.parse_args()
    sets = list(MOJIBAKE_CATEGORIES.values()) + list(UTF8_CLUES.values())
    pools = [[chr(c) for c in range(0x80, 0x10000) if not 0xD800 <= c <= 0xDFFF and re.match(f"[{s}]", chr(c))] for s in sets] + [list("abyzABZ 19.,?!°'\n")]
    r = random.Random(SEED + 3)
    drawer = Drawer(SEED + 4)
    texts = [draw(r, drawer, pools) for _ in range(COUNT)]
    rows = [{"text": t, "decoded": ftfy.fix_text(t)} for t in texts]
    write(GOLDEN / "ftfy.jsonl.gz", [{"versions": VERSIONS}] + rows[::SAMPLE])
    if args.all:
        write(args.all, [{"versions": VERSIONS}] + rows)
    changed = sum(ftfy.fix_encoding(t) != t for t in texts)
    print(f"{COUNT} texts, {changed} of them repaired by ftfy's encoding step")


if __name__ == "__main__":
    main()
