"""Trains the byte-level BPE tokenizers of the small models on the captions of draw.py, in the style of CLIP's."""
import json
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
import draw

PAD, SOT, EOT = "<pad>", "<start_of_text>", "<end_of_text>"
SPLIT = r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def symbols():
    """Every byte, and with the end-of-word mark those bytes that can end a lower-cased word of printable text: the
    printable ASCII characters that are no capitals, and UTF-8 continuation bytes. Order: CLIP's table of bytes."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in keep}
    for k, b in enumerate(b for b in range(256) if b not in table):
        table[b] = chr(256 + k)
    ends = [b for b in table if 0x80 <= b < 0xC0 or (33 <= b < 127 and not 65 <= b <= 90)]
    return list(table.values()), [table[b] + "</w>" for b in ends]


def train(path, size, captions=20000):
    """Writes tokenizer.json and tokenizer_config.json into the folder path; size counts all ids."""
    bare, ends = symbols()
    normal = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True),
                                   pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    scratch = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    scratch.normalizer, scratch.pre_tokenizer = normal, pre
    texts = [draw.scene(f"tokenizer {i}")["caption"] for i in range(captions)]
    scratch.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=20000, end_of_word_suffix="</w>", min_frequency=2,
                                                           show_progress=False))
    merges = [tuple(m) for m in json.loads(scratch.to_str())["model"]["merges"]]
    vocab = {}
    for s in [PAD, SOT, EOT, *bare, *ends]:
        vocab.setdefault(s, len(vocab))
    kept = []
    for a, b in merges:
        if len(vocab) == size:
            break
        if a + b not in vocab:
            vocab[a + b] = len(vocab)
        kept.append((a, b))
    tok = Tokenizer(models.BPE(vocab=vocab, merges=kept, unk_token=EOT, end_of_word_suffix="</w>", continuing_subword_prefix="",
                               fuse_unk=False))
    tok.normalizer, tok.pre_tokenizer = normal, pre
    tok.post_processor = processors.TemplateProcessing(single=f"{SOT} $A {EOT}", pair=f"{SOT} $A {EOT} {SOT} $B {EOT}",
                                                       special_tokens=[(SOT, vocab[SOT]), (EOT, vocab[EOT])])
    tok.decoder = decoders.Sequence([decoders.Replace("</w>", "\u0120"), decoders.ByteLevel(), decoders.Strip(" ", 0, 1)])
    tok.add_special_tokens([PAD, SOT, EOT])
    path.mkdir(parents=True, exist_ok=True)
    tok.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SOT, "eos_token": EOT, "pad_token": PAD,
        "unk_token": EOT, "clean_up_tokenization_spaces": False, "model_max_length": 77}, indent=2) + "\n")
    return len(vocab), len(kept)
