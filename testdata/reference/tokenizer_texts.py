"""Texts for the tokenizer goldens, drawn from a committed seed.

The texts are drawn here, before anything is compared, by tokenizer.py.
"""

import html.entities
import random

SEED = 20261124

WORDS = """a an the of on in with and at to photo picture painting drawing close up cat dog bird horse man woman child
people group red green blue white black orange yellow brown small large old young street city beach mountain river
table chair window car bus train bicycle airplane sitting standing running jumping eating drinking holding wearing hat
shirt umbrella kitchen bathroom sky snow grass water sunset turtle giraffe elephant pizza sandwich laptop keyboard
phone clock sign field player baseball tennis racket skateboard surfboard wave kite Supercalifragilistic antidisestablishment
CoCa OpenCLIP ViT-L/14 jekyll Zürich café naïve jalapeño Ångström façade résumé über coöperate Œuvre Smörgåsbord""".split()

CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'LL", "'D", "'ſ", "’s", "‘tis", "'x", "''", "'sup"]
SPACES = [" ", "  ", "\t", "\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0", "\u1680", "\u180e", "\u2000",
          "\u2009", "\u200a", "\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff"]
EMOJI = ["😀", "🐢", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "❤️", "☕", "🇩🇪", "1️⃣", "🫠", "\U0001fae9", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "♀", "™", "©"]
SPECIAL = ["<start_of_text>", "<end_of_text>", "<START_OF_TEXT>", "<End_Of_Text>", "<ſtart_of_text>", "<end_of_text",
           "<|endoftext|>", "<|startoftext|>", "<s>", "</s>", "<pad>", "<mask>", " <mask>", "</w>", "<w>", "<b>bold</b>", "<"]
CASES = ["ΑΣ", "ΑΣ.", "ΑΣ Α", "Σ", "ΣΑΣ", "Α'Σ", "ΑΣ\u0301", "Α\u00adΣ", "1Σ", "İ", "I\u0307", "ı", "ſ", "K", "Å", "ẞ", "Ǆ", "ǅ",
         "ͅ", "Α\u0345Σ", "ᾼ", "Ⓐ", "Ⅷ", "𐐀", "Ა", "Ꭰ", "ꭰ", "Ω", "µ", "ŉ", "ΰ", "ΟΔΥΣΣΕΥΣ", "\u1c89", "\ua7cb"]
LIGATURES = "ĲĳŉǱǲǳǄǅǆǇǈǉǊǋǌﬀﬁﬂﬃﬄﬅﬆæœﬓ"
QUOTES = "ʼ‘’‚‛“”„‟«»‹›'\"`´"
ESCAPES = ["\x1b[0m", "\x1b[36;44m", "\x1b[", "\x1b[1;2", "\x1b[\u0661m", "\x1bM", "\x1b[;;K", "\x1b[1\x1b[2mm"]
CONTROLS = [chr(c) for c in list(range(0x20)) + list(range(0x7F, 0xA0)) + list(range(0x206A, 0x2070)) + list(range(0xFFF9, 0xFFFE)) + [0xAD, 0x200D, 0x202E, 0xE0001]]
BLOCKS = [(0x20, 0x7F), (0xA0, 0x100), (0x100, 0x250), (0x250, 0x370), (0x370, 0x400), (0x400, 0x530), (0x530, 0x700),
          (0x900, 0xE00), (0xE00, 0x1100), (0x1100, 0x1200), (0x1C80, 0x1CC0), (0x1D00, 0x2000), (0x2000, 0x2070), (0x2070, 0x2500), (0x2500, 0x2C00),
          (0x2C00, 0x3000), (0x3000, 0x3400), (0x4E00, 0xA000), (0xA640, 0xAC00), (0xAC00, 0xD7A4), (0xE000, 0xE100), (0xF900, 0x10000),
          (0x10000, 0x11000), (0x11000, 0x12000), (0x16D40, 0x16D80), (0x1D000, 0x1D800), (0x1E000, 0x1F000), (0x1F000, 0x1FB00), (0x20000, 0x20100), (0x2F800, 0x2FA20), (0xE0000, 0xE0200)]
MARKS = [c for lo, hi in [(0x300, 0x370), (0x483, 0x488), (0x591, 0x5C0), (0x64B, 0x660), (0x93C, 0x94E), (0xC55, 0xC57), (0x1AB0, 0x1ACF), (0x1DC0, 0x1E00),
                          (0x20D0, 0x20F1), (0x3099, 0x309B), (0xFE20, 0xFE30), (0x10F46, 0x10F51), (0x11930, 0x11939), (0x1D165, 0x1D173), (0x1E8D0, 0x1E8D7)] for c in range(lo, hi)]
ENCODINGS = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac-roman", "cp437"]
ENTITY_NAMES = sorted(html.entities.html5)
LOWER_NAMES = [n for n in ENTITY_NAMES if n == n.lower()]


class Drawer:
    def __init__(self, seed=SEED):
        self.r = random.Random(seed)
        self.kinds = [
            self.caption, self.caption, self.caption, self.planes, self.block, self.entities, self.numeric, self.nested,
            self.contractions, self.cjk, self.emoji, self.ligatures, self.width, self.controls, self.spaces,
            self.cases, self.special, self.marks, self.hangul, self.mojibake, self.accents, self.punctuation, self.digits,
            self.markup, self.mixed, self.mixed, self.mixed, self.lines, self.long, self.long_word,
        ]

    def some(self, pool, lo, hi, sep=""):
        return sep.join(self.r.choice(pool) for _ in range(self.r.randint(lo, hi)))

    def char(self, lo, hi):
        c = self.r.randrange(lo, hi)
        return "\ufffd" if 0xD800 <= c <= 0xDFFF else chr(c)

    def caption(self):
        text = self.some(WORDS, 1, 14, " ")
        style = self.r.randrange(5)
        if style == 0:
            text = text.capitalize() + "."
        elif style == 1:
            text = text.upper()
        elif style == 2:
            text = text.title() + " !"
        return text

    def planes(self):
        return "".join(self.char(0, 0x110000) for _ in range(self.r.randint(1, 12)))

    def block(self):
        lo, hi = self.r.choice(BLOCKS)
        return "".join(self.char(lo, hi) if self.r.random() < 0.85 else " " for _ in range(self.r.randint(1, 24)))

    def entity(self):
        name = self.r.choice(ENTITY_NAMES)
        return self.r.choice(["&" + name, "&" + name, "&" + name.rstrip(";"), "&" + name.rstrip(";") + self.r.choice("xyz12;= "),
                              "&" + self.r.choice(LOWER_NAMES).upper(), "&" + self.r.choice(["notit;", "ampx", "amp", "AMP;", "Lt", "hellip", "GTX;", "bogus;", ";", "#;", "", "a;"])])

    def entities(self):
        return "".join(self.entity() if self.r.random() < 0.6 else self.some(WORDS, 1, 2, " ") + " " for _ in range(self.r.randint(1, 6)))

    def number(self):
        n = self.r.choice([self.r.randrange(0, 0x100), self.r.randrange(0, 0x3000), self.r.randrange(0, 0x120000), 0xD800, 0xFFFE, 0x1FFFF, 59, 38, 60, 10 ** 30])
        return self.r.choice([f"&#{n};", f"&#{n}", f"&#x{n:x};", f"&#X{n:X}", f"&#x{n:08x};", f"&#{n}a;", f"&#x{n:x}g", f"&#00000000000000000000{n};", "&#x;", "&#"])

    def numeric(self):
        return "".join(self.number() if self.r.random() < 0.6 else self.r.choice(WORDS) + " " for _ in range(self.r.randint(1, 6)))

    def nested(self):
        return self.r.choice(["&amp;" + "amp;" * self.r.randint(0, 4) + self.r.choice(["lt;", "#38;lt;", "eacute;", "x", "amp", "#x26;amp;"]),
                              "&#38;amp;gt;", "&amp;#x3c;b&amp;#62;", "&AMP;AMP;lt;", "&lt;&amp;eacute;", "<&amp;amp;amp;amp;lt;", "e&#769;<i&#x301;>", "&lt;&#x338;"]) + self.r.choice(["", " ", self.caption()])

    def contractions(self):
        return "".join(self.r.choice(WORDS) + self.r.choice(CONTRACTIONS) + self.r.choice(["", " ", "-"]) for _ in range(self.r.randint(1, 6)))

    def cjk(self):
        return "".join(self.r.choice([self.char(0x4E00, 0xA000), self.char(0x3041, 0x3100), self.char(0xAC00, 0xD7A4), "、", "。", " "]) for _ in range(self.r.randint(1, 20)))

    def emoji(self):
        return "".join(self.r.choice(EMOJI) if self.r.random() < 0.6 else self.r.choice(WORDS + [" "]) for _ in range(self.r.randint(1, 10)))

    def ligatures(self):
        return "".join(self.r.choice(LIGATURES + QUOTES) if self.r.random() < 0.5 else self.r.choice(["e", "t", " ", "oo", "N", "1"]) for _ in range(self.r.randint(1, 14)))

    def width(self):
        return "".join(self.char(0xFF00, 0xFFF0) if self.r.random() < 0.8 else self.r.choice(" \u3000a&;") for _ in range(self.r.randint(1, 16)))

    def controls(self):
        return "".join(self.r.choice(CONTROLS + ESCAPES) if self.r.random() < 0.4 else self.r.choice(WORDS) for _ in range(self.r.randint(1, 10)))

    def spaces(self):
        return "".join(self.r.choice(SPACES) if self.r.random() < 0.5 else self.r.choice(WORDS + ["1", "!"]) for _ in range(self.r.randint(1, 12)))

    def cases(self):
        return "".join(self.r.choice(CASES + [" ", " ", "a", "B", ".", "'", "1"]) for _ in range(self.r.randint(1, 8)))

    def special(self):
        return "".join(self.r.choice(SPECIAL) if self.r.random() < 0.5 else self.r.choice(WORDS + [" ", "!", "<", ">"]) for _ in range(self.r.randint(1, 7)))

    def marks(self):
        base = lambda: self.r.choice(["a", "E", "o", "u", "s", "И", "α", "क", "か", "ハ", "\u1100", "ｶ", "<", "=", "\U00011935", "1", " "])
        return "".join(base() + "".join(chr(self.r.choice(MARKS)) for _ in range(self.r.choice([0, 1, 1, 2, 3, 5]))) for _ in range(self.r.randint(1, 8)))

    def hangul(self):
        return "".join(self.r.choice([self.char(0x1100, 0x1113), self.char(0x1161, 0x1176), self.char(0x11A7, 0x11C3), self.char(0xAC00, 0xD7A4), chr(0xAC00 + 28 * self.r.randrange(399)), " "]) for _ in range(self.r.randint(1, 12)))

    def mojibake(self):
        text = self.r.choice(["café “quoted” – dash", "naïve façade", "über Straße", "日本語", "Привет мир", "Ελληνικά", "it’s 5 €", "à la mode", "😀 ok", "piñata…", "Łódź", "ÀÉ ñ ™", "voilà le travail"])
        if self.r.random() < 0.3:
            text = self.caption() + " " + text
        for _ in range(self.r.choice([1, 1, 1, 2])):
            text = text.encode("utf-8").decode(self.r.choice(ENCODINGS), errors="replace")
        if self.r.random() < 0.3:
            text = text.replace("\xa0", " ")
        if self.r.random() < 0.2:
            text += self.r.choice(["日本", " “fine”", " é", " ł"])
        return text

    def accents(self):
        return "".join(self.char(0xC0, 0x180) if self.r.random() < 0.3 else self.r.choice("abcdefghijklmnopqrstuvwxyz  ABC.,-€£©®°²½×»«…–") for _ in range(self.r.randint(1, 30)))

    def punctuation(self):
        return self.some("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ab1", 1, 24)

    def digits(self):
        return self.some(["1", "23", "4.5", "٣", "Ⅷ", "½", "²", "①", "〇", "１", "-", " ", "$", "%", "x"], 1, 12)

    def markup(self):
        return self.r.choice(["<p>", "<br/>", "a<b ", "3 < 4 &amp; 5 &lt; 6\n", "line &eacute;\nnext < &eacute;\nlast &eacute;\n"]) + self.caption() + self.entity() + "</p>"

    def mixed(self):
        return self.r.choice(["", " "]).join(self.r.choice(self.kinds[:24])() for _ in range(self.r.randint(2, 4)))

    def lines(self):
        return self.r.choice(["\n", "\r\n", "\u2028", "\n\n"]).join(self.r.choice(self.kinds[:24])() for _ in range(self.r.randint(2, 4)))

    def long(self):
        return " ".join(self.caption() for _ in range(self.r.randint(6, 30)))

    def long_word(self):
        return self.some(["ab", "the", "lo", "é", "zz", "a", "!", "x"] if self.r.random() < 0.5 else ["abc", "ing", "er"], 20, 160)

    def text(self):
        return self.r.choice(self.kinds)()

    def texts(self, n):
        return [self.text() for _ in range(n)]
