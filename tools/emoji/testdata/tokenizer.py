"""Encodes captions with Hugging Face's tokenizers library, for bpe_test.go.

    python testdata/tokenizer.py data/combos-00000.tar

writes testdata/tokenizer.json.gz: the library's version, and of 2,000 captions and some harder texts the ids and what they decode to.
"""

import gzip
import json
import pathlib
import sys
import tarfile

import tokenizers

here = pathlib.Path(__file__).resolve().parent
library = tokenizers.Tokenizer.from_file(str(here.parent / "model" / "tokenizer.json"))

texts = []
with tarfile.open(sys.argv[1]) as shard:
    for member in shard:
        if member.name.endswith(".txt") and len(texts) < 2000:
            texts.append(shard.extractfile(member).read().decode())
texts += [
    "", " ", "A Big RED Apple", "  two   cats\tand\na dog ", "it's a dog's life, isn't it?", "42 balloons!", "caf\u00e9", "cafe\u0301",
    "\u4e09\u53ea\u732b", "\U0001f34e\U0001f34f", "x-ray (old) & new; 50%", "<start_of_text>a cat<end_of_text>", "jack-o-lanterns",
    "\u0130stanbul", "\u1e9e", "zzzzqqqq", "t-shirts, yo-yos", "na\u00efve \u03a3\u03a3", "\u00a0a\u2003b", "a" * 300,
]
rows = []
for text in texts:
    ids = library.encode(text).ids
    rows.append([text, ids, library.decode(ids) if len(ids) > 2 else ""])  # of nothing, the Strip decoder panics
body = json.dumps({"tokenizers": tokenizers.__version__, "texts": rows}, ensure_ascii=True, separators=(",", ":"))
(here / "tokenizer.json.gz").write_bytes(gzip.compress(body.encode(), mtime=0))
print(len(rows), "texts")
