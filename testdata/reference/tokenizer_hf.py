"""Golden ids of Hugging Face tokenizers as OpenCLIP's HFTokenizer gives them.

Tiny tokenizers are trained here on drawn captions, saved in the layouts that
model folders have, loaded again through open_clip.tokenizer.HFTokenizer, and
run over drawn texts.

Usage: python tokenizer_hf.py                 runs the committed tokenizers, writes ../golden/tokenizer/hf/*.gz
       python tokenizer_hf.py --train         trains the tokenizers anew first; the trainer breaks ties at
                                              random, so that they come out differently each time
       python tokenizer_hf.py --all FOLDER    also writes more rows there, for the test that reads
                                              COCA_TOKENIZER_HF
"""

import argparse
import json
import os
import pathlib
import random
import shutil

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers
import transformers
from open_clip.tokenizer import HFTokenizer
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tokenizer as clip_golden
from tokenizer_texts import SEED, Drawer

CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
GOLDEN = clip_golden.GOLDEN / "hf"
SAMPLE, WHOLE = 300, 3000  # texts of each folder
CONTEXTS = [76, 77, 77, 128, 16, 8, 4]
VERSIONS = {**clip_golden.VERSIONS, "transformers": transformers.__version__, "tokenizers": tokenizers.__version__}


def train(kind, size):
    drawer = Drawer(SEED + 2)
    corpus = [drawer.caption().lower() if kind == "clip" else drawer.caption() for _ in range(4000)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if kind == "clip":
        t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
        t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(CLIP_PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False)])
        special, suffix = ["<|startoftext|>", "<|endoftext|>"], "</w>"
    else:
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        special, suffix = ["<s>", "<pad>", "</s>", "<unk>"], None
    t.decoder = decoders.ByteLevel()
    kwargs = {"end_of_word_suffix": suffix} if suffix else {}
    t.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=sorted(alphabet), show_progress=False, **kwargs))
    ids = t.get_vocab()
    if kind == "clip":
        t.post_processor = processors.RobertaProcessing(
            sep=("<|endoftext|>", ids["<|endoftext|>"]), cls=("<|startoftext|>", ids["<|startoftext|>"]), add_prefix_space=False, trim_offsets=False)
    else:
        t.post_processor = processors.RobertaProcessing(sep=("</s>", ids["</s>"]), cls=("<s>", ids["<s>"]))
    return t


def put(folder, name, value):
    (folder / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def load(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def edit_json(folder, **changes):
    data = load(folder, "tokenizer.json")
    data.update(changes)
    put(folder, "tokenizer.json", data)


def compact(folder):
    for f in folder.glob("*.json"):
        put(folder, f.name, load(folder, f.name))


def flags(content, **kwargs):
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **kwargs}


def build(root):
    """Write the folders below root and return their names."""
    shutil.rmtree(root, ignore_errors=True)
    names = []

    def new(name):
        names.append(name)
        (root / name).mkdir(parents=True)
        return root / name

    clip, roberta = train("clip", 900), train("roberta", 700)

    # As save_pretrained leaves them, both layouts in one folder.
    folder = new("clip")
    transformers.CLIPTokenizerFast(tokenizer_object=clip).save_pretrained(folder)
    for f in ("vocab.json", "merges.txt"):
        (folder / f).unlink(missing_ok=True)
    folder = new("roberta")
    transformers.RobertaTokenizerFast(tokenizer_object=roberta).save_pretrained(folder)
    for f in ("vocab.json", "merges.txt"):
        (folder / f).unlink(missing_ok=True)

    # vocab.json and merges.txt with a modern tokenizer_config.json.
    folder = new("clip-files")
    clip.model.save(str(folder))
    put(folder, "tokenizer_config.json", load(root / "clip", "tokenizer_config.json"))
    put(folder, "special_tokens_map.json", load(root / "clip", "special_tokens_map.json"))

    # The same as older repositories have it: flags in special_tokens_map.json only.
    folder = new("clip-files-old")
    clip.model.save(str(folder))
    put(folder, "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "do_lower_case": True, "model_max_length": 77, "pad_token": "!"})
    put(folder, "special_tokens_map.json", {"bos_token": flags("<|startoftext|>"), "eos_token": flags("<|endoftext|>"), "unk_token": flags("<|endoftext|>")})

    # Files without any settings.
    folder = new("clip-bare")
    clip.model.save(str(folder))
    put(folder, "config.json", {"model_type": "clip"})

    folder = new("roberta-files")
    roberta.model.save(str(folder))
    put(folder, "config.json", {"model_type": "roberta"})

    folder = new("gpt2-files")
    roberta.model.save(str(folder))
    put(folder, "tokenizer_config.json", {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, "add_bos_token": True, "bos_token": "<s>",
                                          "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "padding_side": "left", "truncation_side": "left"})
    put(folder, "added_tokens.json", {"<extra>": len(roberta.get_vocab())})

    # tokenizer.json alone decides: padding and truncation of the file, a template, added tokens of all kinds.
    folder = new("fast")
    roberta.save(str(folder / "tokenizer.json"))
    n = len(roberta.get_vocab())
    data = load(folder, "tokenizer.json")
    data["added_tokens"] += [
        {"id": n, **flags("old cat", special=False)},
        {"id": n + 1, **flags("old", special=False, normalized=False)},
        {"id": n + 2, **flags("<LSTRIP>", special=True, normalized=False, lstrip=True)},
        {"id": n + 3, **flags("<RSTRIP>", special=True, normalized=False, rstrip=True)},
        {"id": n + 4, **flags("<both>", special=False, lstrip=True, rstrip=True)},
        {"id": n + 5, **flags("DOG", special=False, normalized=True)},
    ]
    ids = roberta.get_vocab()
    special = {k: {"id": k, "ids": [ids[k]], "tokens": [k]} for k in ("<s>", "</s>")}
    edit_json(folder, added_tokens=data["added_tokens"],
              normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"String": "an"}, "content": "AN"}, {"type": "Lowercase"}]},
              pre_tokenizer={"type": "Sequence", "pretokenizers": [
                  {"type": "Split", "pattern": {"Regex": GPT2_PATTERN}, "behavior": "Isolated", "invert": False},
                  {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}]},
              post_processor={"type": "Sequence", "processors": [
                  {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                  {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                                            {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                   "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": special}]},
              padding={"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": ids["<pad>"], "pad_type_id": 0, "pad_token": "<pad>"},
              truncation={"direction": "Left", "max_length": 12, "strategy": "LongestFirst", "stride": 0})
    put(folder, "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})

    # CLIP's pattern with the gaps kept, words looked up before merging, fused unknown symbols.
    folder = new("isolated")
    clip.save(str(folder / "tokenizer.json"))
    data = load(folder, "tokenizer.json")
    data["model"].update(ignore_merges=True, fuse_unk=True, unk_token="<|endoftext|>")
    # Without the bytes of most non-ASCII characters, so that unknown symbols follow each other.
    symbols = sorted(data["model"]["vocab"].items(), key=lambda item: item[1])
    kept = [s for s, _ in symbols if not (len(s) == 1 and 0xC0 <= ord(s) < 0x144) or s == "Ġ"]
    data["model"]["merges"] = [m for m in data["model"]["merges"] if all(x in kept for x in m)]
    data["model"]["vocab"] = {s: i for i, s in enumerate(kept)}
    edit_json(folder, model=data["model"], normalizer=None,
              pre_tokenizer={"type": "Sequence", "pretokenizers": [
                  {"type": "Split", "pattern": {"Regex": CLIP_PATTERN}, "behavior": "Isolated", "invert": False},
                  {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]})
    put(folder, "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<|endoftext|>", "additional_special_tokens": ["<new>", {"__type": "AddedToken", **flags("<cut>", lstrip=True)}]})
    for name in names:
        compact(root / name)
    return names


def rows(folder, name, n):
    r = random.Random(f"{SEED} {name}")
    drawer = Drawer(r.randrange(1 << 30))
    extra = ["old cat", "old", "DOG", "dog", "<LSTRIP>", "<RSTRIP>", " <RSTRIP>  ", "<both>", "<extra>", "<new>", " <cut>", "<|STARTOFTEXT|>", "<|startoftext|>", "<mask>", "  "]
    texts = [drawer.text() if r.random() < 0.7 else " ".join(r.choice([drawer.caption(), r.choice(extra)]) for _ in range(r.randint(1, 5))) for _ in range(n)]
    t = HFTokenizer(str(folder))
    for text in texts:
        context = r.choice(CONTEXTS)
        mode = r.choice(["whitespace", "whitespace", "lower"])
        t.clean_fn = clip_golden.open_clip.tokenizer.get_clean_fn(mode)
        clip_golden.repaired = False
        fixed = t([text], context)[0].tolist()
        row = {"text": text, "mode": mode, "context": context, "fixed": fixed}
        if clip_golden.repaired:
            row["mojibake"] = True
        row["ids"] = t.tokenizer(t.clean_fn(text), add_special_tokens=False).input_ids
        row["decoded"] = t.tokenizer.decode(fixed)
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=pathlib.Path, help="folder for the whole")
    parser.add_argument("--train", action="store_true", help="train the tokenizers anew")
    args = parser.parse_args()
    if args.train:
        build(GOLDEN)
    for name in sorted(folder.name for folder in GOLDEN.iterdir() if folder.is_dir()):
        all_rows = list(rows(GOLDEN / name, name, WHOLE))
        clip_golden.write(GOLDEN / f"{name}.jsonl.gz", [{"versions": VERSIONS}] + all_rows[:: WHOLE // SAMPLE])
        if args.all:
            args.all.mkdir(parents=True, exist_ok=True)
            clip_golden.write(args.all / f"{name}.jsonl.gz", [{"versions": VERSIONS}] + all_rows)
        print(f"{name}: {WHOLE} texts, {sum('mojibake' in r for r in all_rows)} repaired by ftfy's encoding step")


if __name__ == "__main__":
    main()
