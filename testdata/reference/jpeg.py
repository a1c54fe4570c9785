"""Makes the golden JPEG files and what Pillow decodes from them.

    python jpeg.py                     write ../golden/jpeg/files.tar.gz
    python jpeg.py --random N --seed S --out DIR
                                       write N random files and DIR/list.tsv

Pillow can't write most of what a decoder must read (4:4:0, 4:1:1, subsampled
luma, scans of single components, restart intervals, YCCK, 16-bit tables ...),
so this script has an encoder of its own. The expected samples are always
those of Pillow: list.tsv has, for each file, its name, "WxHxC" and the CRC-32
of the samples, or "error" and the exception. The golden archive's list starts
with the versions used.
"""

import argparse
import gzip
import heapq
import io
import math
import os
import random
import struct
import tarfile
import warnings
import zlib

import numpy as np
import PIL
from PIL import Image, features

HERE = os.path.dirname(os.path.abspath(__file__))
warnings.simplefilter("ignore")

ZIGZAG = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
]
DCT = np.array([[math.sqrt((1 if k == 0 else 2) / 8) * math.cos((2 * n + 1) * k * math.pi / 16) for n in range(8)] for k in range(8)])


def decode(data):
    """What Pillow makes of a file: ("WxHxC", crc) or ("error", exception)."""
    try:
        with Image.open(io.BytesIO(data)) as im:
            im.load()
            channels = {"L": 1, "RGB": 3, "CMYK": 4}[im.mode]
            return "%dx%dx%d" % (*im.size, channels), "%08x" % zlib.crc32(im.tobytes())
    except Exception as e:  # whatever it is, Pillow refuses the file
        return "error", "%s: %s" % (type(e).__name__, str(e).split("<")[0])


# ---------------------------------------------------------------- the encoder


def huffman_table(frequencies):
    """Code lengths of at most 16 bits, none all ones (T.81 annex K.2)."""
    heap = [(f, i, [s]) for i, (s, f) in enumerate(sorted(frequencies.items()))]
    heap.append((0, 1000, [None]))  # takes the code of ones
    heapq.heapify(heap)
    length = {s: 0 for _, _, group in heap for s in group}
    tie = 1001
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        for s in a[2] + b[2]:
            length[s] += 1
        heapq.heappush(heap, (a[0] + b[0], tie, a[2] + b[2]))
        tie += 1
    counts = [0] * 300
    for n in length.values():
        counts[n] += 1
    for i in range(299, 16, -1):
        while counts[i]:
            j = i - 2
            while counts[j] == 0:
                j -= 1
            counts[i] -= 2
            counts[i - 1] += 1
            counts[j + 1] += 2
            counts[j] -= 1
    i = 16
    while counts[i] == 0:
        i -= 1
    counts[i] -= 1
    symbols = sorted((s for s in length if s is not None), key=lambda s: (length[s], s))
    return counts[1:17], symbols


class Codes:
    def __init__(self, counts, symbols):
        self.counts, self.symbols, self.code = counts, symbols, {}
        code, i = 0, 0
        for n, count in enumerate(counts, 1):
            for _ in range(count):
                self.code[symbols[i]] = (code, n)
                code, i = code + 1, i + 1
            code <<= 1


class Bits:
    def __init__(self):
        self.out, self.acc, self.n = bytearray(), 0, 0

    def put(self, value, n):
        self.acc, self.n = self.acc << n | value & (1 << n) - 1, self.n + n
        while self.n >= 8:
            self.n -= 8
            b = self.acc >> self.n & 255
            self.out.append(b)
            if b == 255:
                self.out.append(0)
        self.acc &= (1 << self.n) - 1

    def flush(self):
        if self.n:
            self.put((1 << 8 - self.n) - 1, 8 - self.n)


def magnitude(v):
    n = abs(v).bit_length()
    return n, v if v > 0 else v + (1 << n) - 1


class Encoder:
    """A frame of components (id, h, v, table) with coefficients to come."""

    def __init__(self, width, height, components, tables, progressive=False, sof=None):
        self.width, self.height, self.components, self.tables = width, height, components, tables
        self.progressive = progressive
        self.sof = sof if sof is not None else (0xC2 if progressive else 0xC0)
        self.hmax = max(c[1] for c in components)
        self.vmax = max(c[2] for c in components)
        self.mx = -(-width // (8 * self.hmax))
        self.my = -(-height // (8 * self.vmax))
        self.size, self.blocks = [], []
        for _, h, v, _ in components:
            w, t = -(-width * h // self.hmax), -(-height * v // self.vmax)
            self.size.append((w, t))
            self.blocks.append((-(-w // 8), -(-t // 8)))
        self.coefs = [None] * len(components)
        self.restart = 0
        self.fill = 0  # fill bytes before markers

    def set_plane(self, i, plane):
        """Quantised coefficients of a plane of floats around 0."""
        _, h, v, tq = self.components[i]
        bw, bh = self.mx * h, self.my * v
        plane = np.pad(plane, ((0, bh * 8 - plane.shape[0]), (0, bw * 8 - plane.shape[1])), mode="edge")
        b = plane.reshape(bh, 8, bw, 8).transpose(0, 2, 1, 3)
        c = np.rint(DCT @ b @ DCT.T / self.tables[tq].reshape(8, 8)).astype(int)
        c = np.clip(c, -1023, 1023).reshape(bh, bw, 64)
        self.coefs[i] = c[:, :, ZIGZAG]

    def marker(self, m, payload=None):
        out = b"\xff" * (1 + self.fill) + bytes([m])
        return out if payload is None else out + struct.pack(">H", len(payload) + 2) + payload

    def dqt(self, wide=False, split=False):
        parts = []
        for i, t in enumerate(self.tables):
            z = [int(t[k]) for k in ZIGZAG]
            if wide or max(z) > 255:
                parts.append(bytes([0x10 | i]) + struct.pack(">64H", *z))
            else:
                parts.append(bytes([i]) + bytes(z))
        return b"".join(self.marker(0xDB, p) for p in parts) if split else self.marker(0xDB, b"".join(parts))

    def frame(self):
        p = struct.pack(">BHHB", 8, self.height, self.width, len(self.components))
        for i, h, v, tq in self.components:
            p += bytes([i, h << 4 | v, tq])
        return self.marker(self.sof, p)

    def mcus(self, scan):
        """The blocks of each MCU of a scan: lists of (component, row, column)."""
        if len(scan) == 1:
            i = scan[0]
            w, h = self.blocks[i]
            for y in range(h):
                for x in range(w):
                    yield [(i, y, x)]
            return
        for y in range(self.my):
            for x in range(self.mx):
                yield [
                    (i, y * v + dy, x * h + dx)
                    for i in scan
                    for h, v in [self.components[i][1:3]]
                    for dy in range(v)
                    for dx in range(h)
                ]

    def scan(self, scan, ss=0, se=63, ah=0, al=0, tables=None, standard=None):
        """DHT and SOS of a scan of components. tables: ids (dc, ac) of each."""
        tables = tables or [(min(i, 1), min(i, 1)) for i in scan]
        tokens = []  # ("dc"|"ac", id, symbol), (value, n) or the number of an RST
        state = {"eobrun": 0, "bits": []}
        pred = dict.fromkeys(scan, 0)

        def end_run(ac):
            if state["eobrun"]:
                n = state["eobrun"].bit_length() - 1
                tokens.append(("ac", ac, n << 4))
                tokens.append((state["eobrun"], n))
                state["eobrun"] = 0
                tokens.extend((b, 1) for b in state["bits"])
                state["bits"] = []

        left, rst = self.restart, 0
        for mcu in self.mcus(scan):
            if self.restart and left == 0:
                end_run(tables[0][1])
                tokens.append(rst)
                rst, left = (rst + 1) % 8, self.restart
                pred = dict.fromkeys(scan, 0)
            left -= 1
            for i, y, x in mcu:
                dc, ac = tables[scan.index(i)]
                block = self.coefs[i][y][x].tolist()
                if ss == 0:
                    if ah:
                        tokens.append((block[0] >> al & 1, 1))
                    else:
                        v = block[0] >> al
                        n, extra = magnitude(v - pred[i])
                        pred[i] = v
                        tokens.append(("dc", dc, n))
                        tokens.append((extra, n))
                if se and not ah:
                    self.first_ac(tokens, state, end_run, block, max(ss, 1), se, al, ac)
                elif se:
                    self.refine_ac(tokens, state, end_run, block, ss, se, al, ac)
        end_run(tables[0][1])
        return self.write_scan(tokens, scan, tables, ss, se, ah, al, standard)

    def first_ac(self, tokens, state, end_run, block, ss, se, al, ac):
        run = 0
        for k in range(ss, se + 1):
            v = abs(block[k]) >> al
            if v == 0:
                run += 1
                continue
            end_run(ac)
            while run > 15:
                tokens.append(("ac", ac, 0xF0))
                run -= 16
            n, extra = magnitude(v if block[k] > 0 else -v)
            tokens.append(("ac", ac, run << 4 | n))
            tokens.append((extra, n))
            run = 0
        if run:
            if not self.progressive:
                tokens.append(("ac", ac, 0))
                return
            state["eobrun"] += 1
            if state["eobrun"] == 0x7FFF:
                end_run(ac)

    def refine_ac(self, tokens, state, end_run, block, ss, se, al, ac):
        values = [abs(v) >> al for v in block]
        last = max((k for k in range(ss, se + 1) if values[k] == 1), default=0)
        run, bits = 0, []
        for k in range(ss, se + 1):
            if values[k] == 0:
                run += 1
                continue
            while run > 15 and k <= last:
                end_run(ac)
                tokens.append(("ac", ac, 0xF0))
                tokens.extend((b, 1) for b in bits)
                run, bits = run - 16, []
            if values[k] > 1:
                bits.append(values[k] & 1)
                continue
            end_run(ac)
            tokens.append(("ac", ac, run << 4 | 1))
            tokens.append((int(block[k] > 0), 1))
            tokens.extend((b, 1) for b in bits)
            run, bits = 0, []
        if run or bits:
            state["eobrun"] += 1
            state["bits"] += bits
            if state["eobrun"] == 0x7FFF:
                end_run(ac)

    def write_scan(self, tokens, scan, tables, ss, se, ah, al, standard):
        frequencies = {}
        for t in tokens:
            if isinstance(t, tuple) and len(t) == 3:
                f = frequencies.setdefault(t[:2], {})
                f[t[2]] = f.get(t[2], 0) + 1
        codes = {key: standard[key] if standard else Codes(*huffman_table(f)) for key, f in frequencies.items()}
        out = b""
        if not standard and codes:
            dht = b""
            for (kind, i), c in sorted(codes.items()):
                dht += bytes([(kind == "ac") << 4 | i]) + bytes(c.counts) + bytes(c.symbols)
            out += self.marker(0xC4, dht)
        out += self.marker(0xDA, bytes([len(scan)])
                           + b"".join(bytes([self.components[i][0], t[0] << 4 | t[1]]) for i, t in zip(scan, tables))
                           + bytes([ss, se, ah << 4 | al]))
        bits = Bits()
        for t in tokens:
            if isinstance(t, int):
                bits.flush()
                bits.out += self.marker(0xD0 + t)
            elif len(t) == 2:
                bits.put(*t)
            else:
                bits.put(*codes[t[:2]].code[t[2]])
        bits.flush()
        return out + bytes(bits.out)

    def head(self, app=b"", wide=False, split=False):
        out = b"\xff\xd8" + app + self.dqt(wide, split) + self.frame()
        if self.restart:
            out += self.marker(0xDD, struct.pack(">H", self.restart))
        return out


JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def adobe(transform):
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])


# ------------------------------------------------------------------ the files


def picture(rng, w, h):
    """A plane of floats, -128 to 127: waves, an edge and some noise."""
    y, x = np.mgrid[0:h, 0:w].astype(float)
    p = 90 * np.sin(x / rng.uniform(2, 30) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(2, 30) + rng.uniform(0, 6))
    p += rng.choice([0, 150]) * ((x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) > 0)
    p += np.random.RandomState(rng.randrange(1 << 30)).normal(0, rng.choice([0, 0, 5, 40]), (h, w))
    return np.clip(p - rng.uniform(-60, 60), -128, 127)


def quality(rng, wide):
    q = rng.choice([1, 2, 4, 10, 16, 30])
    r = np.random.RandomState(rng.randrange(1 << 30))
    t = np.array([1 + q * (2 + i // 8 + i % 8) // 2 for i in range(64)]) + r.randint(0, 3, 64)
    if wide:
        t = t * rng.choice([1, 7])
    return np.minimum(t, 65535 if wide else 255)


def sampling(rng, n):
    """Random factors with whole ratios: [(h, v)] for n components."""
    common = {
        3: [[(1, 1)] * 3, [(2, 1), (1, 1), (1, 1)], [(2, 2), (1, 1), (1, 1)], [(1, 2), (1, 1), (1, 1)], [(4, 1), (1, 1), (1, 1)],
            [(4, 2), (1, 1), (1, 1)], [(2, 2), (2, 1), (2, 1)], [(2, 2), (1, 2), (1, 2)], [(1, 1), (2, 2), (2, 2)], [(2, 4), (1, 1), (1, 1)]],
        4: [[(1, 1)] * 4, [(2, 2), (1, 1), (1, 1), (2, 2)], [(2, 1), (1, 1), (1, 1), (2, 1)], [(1, 1), (1, 1), (1, 1), (2, 2)]],
    }
    if n == 1:
        return [(rng.randint(1, 4), rng.randint(1, 4))]
    if rng.random() < 0.6:
        return rng.choice(common[n])
    h, v = rng.choice([1, 2, 2, 3, 4]), rng.choice([1, 2, 2, 3, 4])
    divisors = lambda m: [d for d in range(1, m + 1) if m % d == 0]
    s = [(rng.choice(divisors(h)), rng.choice(divisors(v))) for _ in range(n)]
    s[rng.randrange(n)] = (h, v)
    return s


def progression(rng, e, n):
    """The scans of a progressive file, in a random legal order."""
    blocks = sum(c[1] * c[2] for c in e.components)
    together = blocks <= 10 and rng.random() < 0.7
    dc = [list(range(n))] if together else [[i] for i in range(n)]
    low = rng.choice([0, 0, 1, 2])
    out = b"".join(e.scan(s, 0, 0, 0, low) for s in dc)
    queues = [[(s, 0, 0, a, a - 1) for a in range(low, 0, -1)] for s in dc]
    for i in range(n):
        cuts = sorted(rng.sample(range(1, 63), rng.choice([0, 1, 2])))
        for a, b in zip([1] + [c + 1 for c in cuts], cuts + [63]):
            low = rng.choice([0, 0, 1, 2])
            queues.append([([i], a, b, 0, low)] + [([i], a, b, k, k - 1) for k in range(low, 0, -1)])
    while any(queues):
        out += e.scan(*rng.choice([q for q in queues if q]).pop(0))
    return out


def sequence(rng, e, n):
    """The scans of a sequential file."""
    blocks = sum(c[1] * c[2] for c in e.components)
    tables = [(i % 2, (i + 1) // 2 % 2) for i in range(n)] if rng.random() < 0.3 else None
    pick = lambda s: dict(tables=[tables[i] for i in s]) if tables else {}
    if n == 1 or blocks <= 10 and rng.random() < 0.7:
        scans = [list(range(n))]
    elif rng.random() < 0.5 and sum(c[1] * c[2] for c in e.components[1:]) <= 10:
        scans = [[0], list(range(1, n))]
    else:
        scans = [[i] for i in range(n)]
        rng.shuffle(scans)
    return b"".join(e.scan(s, **pick(s)) for s in scans)


def random_file(rng, largest=70):
    """A random valid file of the script's own encoder."""
    n = rng.choice([1, 3, 3, 3, 3, 4])
    side = lambda: rng.choice([rng.randint(1, 20), rng.randint(1, largest), 8 * rng.randint(1, 4) + rng.randint(-1, 1)])
    w, h = side(), side()
    wide = rng.random() < 0.15
    tables = [quality(rng, wide) for _ in range(2)]
    ids = rng.choice([[1, 2, 3, 4], [1, 2, 3, 4], [82, 71, 66, 75], [0, 1, 2, 3], [67, 77, 89, 75]])
    comps = [(ids[i], *s, min(i, 1)) for i, s in enumerate(sampling(rng, n))]
    progressive = rng.random() < 0.4
    e = Encoder(w, h, comps, tables, progressive, rng.choice([0xC0, 0xC1]) if not progressive else None)
    e.restart = rng.choice([0, 0, 1, 2, 5, e.mx])
    e.fill = rng.choice([0, 0, 0, 2])
    for i in range(n):
        e.set_plane(i, picture(rng, *e.size[i]))
    app = rng.choice([b"", JFIF, JFIF, adobe(0), adobe(1), adobe(2), JFIF + adobe(0), adobe(7)])
    if rng.random() < 0.2:
        app += b"\xff\xfe\x00\x09comment" + b"\xff\xe5\x00\x04\xff\xd8"
    body = progression(rng, e, n) if progressive else sequence(rng, e, n)
    tail = rng.choice([b"", b"", b"\x00trailing bytes"])
    return e.head(app, wide, rng.random() < 0.3) + body + e.marker(0xD9) + tail


def pillow_file(rng, largest=90):
    """A random file as Pillow writes it."""
    mode = rng.choice(["L", "RGB", "RGB", "CMYK"])
    w, h = rng.randint(1, largest), rng.randint(1, largest)
    planes = [Image.fromarray((picture(rng, w, h) + 128).astype(np.uint8)) for _ in mode]
    im = planes[0] if mode == "L" else Image.merge(mode, planes)
    out = io.BytesIO()
    options = dict(quality=rng.choice([5, 30, 75, 90, 100]), progressive=rng.random() < 0.4, optimize=rng.random() < 0.3)
    if mode != "L":
        options["subsampling"] = rng.choice([0, 1, 2])
    if mode == "RGB" and options["subsampling"] == 0:
        options["keep_rgb"] = rng.random() < 0.3
    if rng.random() < 0.3:
        options["restart_marker_blocks"] = rng.randint(1, 9)
    im.save(out, "JPEG", **options)
    return out.getvalue()


def damage(rng, data):
    """A file with something wrong with it, most often in its scans."""
    b = bytearray(data)
    scan = max(b.find(b"\xff\xda"), 2)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(scan, len(b)) if rng.random() < 0.8 else rng.randrange(2, len(b))
        kind = rng.randrange(6)
        if kind == 0:
            b[at] = rng.randrange(256)
        elif kind == 1:
            b[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del b[at : at + rng.choice([1, 2, 20])]
        elif kind == 3:
            b[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 2, 20])))
        elif kind == 4:
            b[at:at] = bytes([0xFF, rng.choice([0xD0, 0xD1, 0xD3, 0xD7, 0xD9, 0xFF, 0x01, 0xDA, 0xC4])])
        else:
            b = b[:at] + (b"\xff\xd9" if rng.random() < 0.7 else b"")
        if len(b) < scan + 3:
            break
    return bytes(b)


def random_files(rng, n):
    for i in range(n):
        data = pillow_file(rng) if rng.random() < 0.3 else random_file(rng)
        yield "%05d.jpg" % i, data


def plain(rng, w, h, comps, app=JFIF, progressive=False, restart=0, wide=False):
    """A valid file with everything as usual, but for what is asked."""
    e = Encoder(w, h, comps, [quality(rng, wide) for _ in range(2)], progressive)
    e.restart = restart
    for i in range(len(comps)):
        e.set_plane(i, picture(rng, *e.size[i]))
    n = len(comps)
    body = progression(rng, e, n) if progressive else sequence(rng, e, n)
    return e.head(app, wide) + body + e.marker(0xD9)


def golden_files(rng):
    """Every sampling, every small size, every colour rule; then random files."""
    for h in range(1, 5):
        for v in range(1, 5):
            comps = [(1, h, v, 0), (2, 1, 1, 1), (3, 1, 1, 1)]
            for progressive in (False, True):
                yield "sampling-%dx%d-%s" % (h, v, "prog" if progressive else "seq"), plain(rng, 37, 29, comps, progressive=progressive)
            comps = [(1, 1, 1, 0), (2, h, v, 1), (3, 1, 1, 1)]
            yield "sampling-1x1-%dx%d" % (h, v), plain(rng, 21, 35, comps)
    for h, v in ((2, 2), (2, 1), (1, 2)):
        for w, t in ((1, 1), (2, 1), (1, 2), (3, 2), (4, 3), (5, 5), (6, 1), (1, 9), (17, 16), (16, 17), (33, 15)):
            yield "size-%dx%d-%d%d" % (w, t, h, v), plain(rng, w, t, [(1, h, v, 0), (2, 1, 1, 1), (3, 1, 1, 1)])
    apps = dict(none=b"", jfif=JFIF, adobe0=adobe(0), adobe1=adobe(1), adobe2=adobe(2), adobe7=adobe(7), both=JFIF + adobe(0))
    for ids in ([1, 2, 3], [82, 71, 66], [0, 1, 2]):
        for name, app in apps.items():
            yield "colour-%d-%s" % (ids[0], name), plain(rng, 13, 11, [(i, 1, 1, 0) for i in ids], app)
    for name, app in apps.items():
        yield "colour-4-%s" % name, plain(rng, 13, 11, [(i, 1, 1, 0) for i in (1, 2, 3, 4)], app)
    for restart in (1, 2, 3, 8, 9, 100):
        yield "restart-%d" % restart, plain(rng, 50, 40, [(1, 2, 2, 0), (2, 1, 1, 1), (3, 1, 1, 1)], restart=restart)
    yield "wide-table", plain(rng, 40, 40, [(1, 1, 1, 0)], wide=True)
    yield "long", plain(rng, 700, 3, [(1, 2, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)])
    yield "tall", plain(rng, 3, 700, [(1, 2, 2, 0), (2, 1, 1, 1), (3, 1, 1, 1)])
    for i in range(110):
        yield "random-%03d" % i, random_file(rng)
    for i in range(40):
        yield "pillow-%03d" % i, pillow_file(rng)


def segments(data):
    """Offsets of the markers of a file up to its first scan."""
    at = 2
    while data[at + 1] != 0xDA:
        yield at
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    yield at


def bad_files(rng):
    """Files with one thing wrong; Pillow decides which of them are an image."""
    comps = [(1, 2, 2, 0), (2, 1, 1, 1), (3, 1, 1, 1)]
    seq = plain(rng, 40, 30, comps, restart=2)
    prog = plain(rng, 40, 30, comps, progressive=True)
    sof, sos, dht, dqt = (seq.index(b"\xff" + bytes([m])) for m in (0xC0, 0xDA, 0xC4, 0xDB))

    yield "empty", b""
    yield "not-jpeg", b"\x89PNG\r\n\x1a\n" + bytes(40)
    for name, data in (("seq", seq), ("prog", prog)):
        for i, at in enumerate(segments(data)):
            yield "cut-%s-%d-at-marker" % (name, i), data[:at]
            yield "cut-%s-%d-in-segment" % (name, i), data[: at + 5]
        for back in (1, 2, 3, 4, 10, 100):
            yield "cut-%s-last-%d" % (name, back), data[:-back]
    for back in range(3, 16):  # of these, Pillow accepts some
        short = plain(rng, 16, 16, [(1, 1, 1, 0)])
        yield "cut-eoi-%d" % back, short[:-2]
    yield "cut-with-eoi", seq[:-60] + b"\xff\xd9"
    yield "width-0", patch(seq, sof + 7, b"\0\0")
    yield "height-0", patch(seq, sof + 5, b"\0\0")
    yield "dnl", patch(seq, sof + 5, b"\0\0")[:-2] + b"\xff\xdc\0\4\0\x1e\xff\xd9"
    yield "huge", patch(seq, sof + 5, b"\x7f\xff\x7f\xff")
    yield "too-large", patch(seq, sof + 5, b"\xff\xff\xff\xff")
    yield "precision-12", patch(seq, sof + 4, b"\x0c")
    for m in (0xC3, 0xC5, 0xC6, 0xC7, 0xC8, 0xCB, 0xCD, 0xCF, 0xDE, 0xF0, 0x02):
        yield "process-%02x" % m, patch(seq, sof + 1, bytes([m]))
    yield "components-2", patch(seq, sof + 9, b"\2")
    yield "components-0", patch(seq, sof + 9, b"\0")
    yield "sampling-0", patch(seq, sof + 11, b"\x02")
    yield "sampling-5", patch(seq, sof + 11, b"\x52")
    yield "sampling-3-2", patch(patch(seq, sof + 11, b"\x31"), sof + 14, b"\x21")
    yield "two-frames", seq[:sos] + seq[sof : sof + 19] + seq[sos:]
    yield "no-frame", seq[:sof] + seq[sof + 19 :]
    yield "no-tables", seq[:dqt] + seq[sof:]
    yield "table-number", patch(seq, sof + 12, b"\7")
    yield "dqt-short", seq[:dqt] + b"\xff\xdb\0\x0a" + bytes(8) + seq[dqt:]
    yield "dqt-number", patch(seq, dqt + 4, b"\4")
    yield "dqt-zero", seq[:sof] + b"\xff\xdb\0\x43\0" + bytes(64) + seq[sof:]
    yield "dht-number", patch(seq, dht + 4, b"\5")
    yield "dht-overfull", patch(seq, dht + 5, b"\7")
    yield "dht-all-ones", seq[:sos] + b"\xff\xc4\0\x15\0\2" + bytes(15) + b"\0\1" + seq[sos:]
    yield "dht-length", patch(seq, dht + 2, b"\0\x12")
    yield "dht-dc-symbol", patch(seq, dht + 21, b"\x10")
    yield "dht-missing", seq[:dht] + seq[sos:]
    yield "sos-components", patch(seq, sos + 4, b"\5")
    yield "sos-unknown-id", patch(seq, sos + 5, b"\9")
    yield "sos-twice", patch(seq, sos + 7, b"\1")
    yield "sos-order", patch(patch(seq, sos + 5, b"\2"), sos + 7, b"\1")
    yield "sos-table", patch(seq, sos + 6, b"\x33")
    yield "sos-spectrum", patch(seq, sos + 11, b"\5\7\x21")
    psos = prog.index(b"\xff\xda")
    end = psos + 2 + prog[psos + 3]
    for name, p in (("se", b"\0\5\0"), ("ss", b"\1\0\0"), ("al", b"\0\0\x0e"), ("ah", b"\0\0\x31"), ("range", b"\1\x40\0")):
        yield "prog-" + name, patch(prog, end - 3, p)
    yield "prog-refine-first", patch(prog, end - 3, b"\0\0\x10")
    yield "second-image", seq + seq
    yield "extra-scan", seq[:-2] + seq[sos:]
    yield "soi-twice", seq[:2] + seq
    yield "junk-between", seq[:sof] + b"junk" + seq[sof:]
    yield "junk-first", seq[:2] + b"junk" + seq[2:]
    yield "tables-only-first", seq[:sof] + b"\xff\xd9" + seq
    yield "rst-missing", seq.replace(b"\xff\xd1", b"", 1)
    yield "rst-wrong", seq.replace(b"\xff\xd1", b"\xff\xd5", 1)
    yield "rst-next", seq.replace(b"\xff\xd1", b"\xff\xd2", 1)
    yield "rst-past", seq.replace(b"\xff\xd1", b"\xff\xd0", 1)
    yield "rst-twice", seq.replace(b"\xff\xd1", b"\xff\xd1\xff\xd1", 1)
    yield "jfif-short", patch(seq, 4, b"\0\x06")[:10] + seq[20:]
    for i in range(80):
        yield "damaged-%02d" % i, damage(rng, random_file(rng, 40))


def arithmetic_files(rng):
    """Files that claim arithmetic coding. Any bits decode to something, so the
    data of other files, and others with more small bytes in them, will do."""
    for i in range(40):
        data = random_file(rng, 60)
        at = min(k for k in (data.find(b"\xff" + bytes([m])) for m in (0xC0, 0xC1, 0xC2)) if k > 0)
        data = patch(data, at + 1, b"\xca" if data[at + 1] == 0xC2 else b"\xc9")
        if i % 3 == 0:
            data = data[:at] + b"\xff\xcc\0\x06\0\x21\x10" + bytes([rng.choice([1, 20, 63])]) + data[at:]
        if i % 2:
            scan = data.index(b"\xff\xda") + 14
            keep = lambda j: data[j] == 255 or data[j - 1] == 255 or rng.random() < 0.5
            data = data[:scan] + bytes(data[j] if keep(j) else rng.randrange(60) for j in range(scan, len(data)))
        yield "%02d" % i, data


def large_files(rng):
    """Files of more than one block of reading, 64 KiB, and such with an end
    that is wrong just before or behind the border of a block."""
    for i in range(8):
        noise = np.random.RandomState(rng.randrange(1 << 30)).randint(0, 256, (210, 280, 3)).astype(np.uint8)
        out = io.BytesIO()
        restart = rng.choice([0, 7])
        Image.fromarray(noise).save(out, "JPEG", quality=95, subsampling=i % 3, progressive=i == 1, restart_marker_blocks=restart)
        data = out.getvalue()
        assert len(data) > 65536, len(data)
        wrong = b"\xff\xc4\0\x20" + b"\xff" * 30
        if i < 2:
            yield "%d" % i, data
        elif i == 2:
            yield "cut-eoi", data[:-2]
        elif i == 3:
            yield "cut", data[: 65536 + 5]
        else:
            # A comment moves the end of the picture to the border of a block.
            pad = (-len(data) - 4 - (30, 2, 0, -4)[i - 4]) % 65536
            data = data[:2] + b"\xff\xfe" + struct.pack(">H", min(pad, 65000) + 2) + bytes(min(pad, 65000)) + data[2:]
            yield "end-%d" % i, data[:-2] + wrong


def patch(data, at, value):
    return data[:at] + value + data[at + len(value) :]


def versions():
    return "# Pillow %s, libjpeg-turbo %s" % (PIL.__version__, features.version_feature("libjpeg_turbo"))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--random", type=int, default=0)
    a.add_argument("--damaged", action="store_true", help="damage the random files")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--out")
    a = a.parse_args()
    rng = random.Random(a.seed)
    lines = [versions()]
    if a.random:
        os.makedirs(a.out, exist_ok=True)
        for name, data in random_files(rng, a.random):
            if a.damaged:
                data = damage(rng, data)
            with open(os.path.join(a.out, name), "wb") as f:
                f.write(data)
            lines.append("\t".join((name, *decode(data))))
        with open(os.path.join(a.out, "list.tsv"), "w") as f:
            f.write("\n".join(lines) + "\n")
        return
    files = [("good/" + name, data) for name, data in golden_files(rng)]
    files += [("bad/" + name, data) for name, data in bad_files(rng)]
    files += [("arith/" + name, data) for name, data in arithmetic_files(random.Random(2))]
    files += [("large/" + name, data) for name, data in large_files(random.Random(3))]
    lines += ["\t".join((name, *decode(data))) for name, data in files]
    refused = [line for line in lines if line.startswith("good/") and "\terror\t" in line]
    assert not refused, refused
    files.insert(0, ("list.tsv", ("\n".join(lines) + "\n").encode()))
    target = os.path.join(HERE, "..", "golden", "jpeg", "files.tar.gz")
    with gzip.GzipFile(target, "wb", mtime=0) as gz, tarfile.open(fileobj=gz, mode="w") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main()
