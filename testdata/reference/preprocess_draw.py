"""Pictures and file writers for preprocess.py.

The writers make what Pillow's own cannot: every PNG layout, odd GIF frames, BMP headers and masks, TIFF tiles, planes and tags.
All of them take integer arrays [h, w] or [h, w, channels].
"""
import struct
import zlib

import numpy as np


def picture(rng, w, h, channels, top=256):
    """A smooth picture with a few hard edges and some noise, integers in 0..top-1, [h, w, channels]."""
    y, x, c = np.mgrid[0:h, 0:w, 0:channels].astype(np.float64)
    f = rng.uniform(0.02, 0.4, 4)
    v = 0.5 + 0.3 * np.sin(f[0] * x + c) * np.cos(f[1] * y - 2 * c) + 0.2 * np.sin(f[2] * (x + y) + 3 * c)
    for _ in range(3):
        cx, cy, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(1, max(2, min(w, h) / 2))
        inside = (x - cx) ** 2 + (y - cy) ** 2 < r * r
        v = np.where(inside, rng.uniform(0, 1, channels)[None, None, :], v)
    v += rng.normal(0, 0.01, v.shape) * (rng.random() < 0.5)
    return np.clip(v * top, 0, top - 1).astype(np.int64)


def pack_bits(a, bits):
    """Rows of small samples, high bits first, padded to bytes."""
    h, w = a.shape
    per = 8 // bits
    padded = np.zeros((h, -(-w // per) * per), np.int64)
    padded[:, :w] = a
    out = np.zeros((h, padded.shape[1] // per), np.int64)
    for i in range(per):
        out |= padded[:, i::per] << (8 - bits * (i + 1))
    return out.astype(np.uint8)


def rows_of(a, bits, order=">"):
    """Bytes of each row: a [h, w, channels] array of samples."""
    a = a if a.ndim == 3 else a[..., None]
    h = a.shape[0]
    if bits < 8:
        return [r.tobytes() for r in pack_bits(a[..., 0], bits)]
    return [r.tobytes() for r in a.reshape(h, -1).astype(np.uint8 if bits == 8 else order + "u2")]


# ---------------------------------------------------------------- PNG

def chunk(name, body, crc=None):
    crc = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)


def png_filter(rows, bpp, start):
    """Filters the rows with the five types in turn."""
    out, prior = b"", None
    for i, row in enumerate(rows):
        r = np.frombuffer(row, np.uint8).astype(np.int64)
        up = np.zeros_like(r) if prior is None else prior
        left = np.concatenate([np.zeros(min(bpp, len(r)), np.int64), r[:-bpp]])[:len(r)]
        corner = np.concatenate([np.zeros(min(bpp, len(r)), np.int64), up[:-bpp]])[:len(r)]
        kind = (start + i) % 5
        p = left + up - corner
        pa, pb, pc = abs(p - left), abs(p - up), abs(p - corner)
        paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, up, corner))
        guess = [0 * r, left, up, (left + up) // 2, paeth][kind]
        out += bytes([kind]) + ((r - guess) % 256).astype(np.uint8).tobytes()
        prior = r
    return out


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_data(a, bits, interlaced=False, start=0):
    a = a if a.ndim == 3 else a[..., None]
    bpp = max(1, bits * a.shape[2] // 8)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    raw = b""
    for x, y, dx, dy in passes:
        part = a[y::dy, x::dx]
        if part.size:
            raw += png_filter(rows_of(part, bits), bpp, start)
    return zlib.compress(raw, 9)


def png(a, bits, colour, interlaced=False, palette=None, before=(), after=(), split=0, size=None, data=None):
    h, w = a.shape[:2] if size is None else size
    data = png_data(a, bits, interlaced, h) if data is None else data
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, colour, 0, 0, int(interlaced)))
    if palette is not None:
        out += chunk(b"PLTE", bytes(palette))
    out += b"".join(before)
    parts = [data[i:i + split] for i in range(0, len(data), split)] if split else [data]
    return out + b"".join(chunk(b"IDAT", p) for p in parts) + b"".join(after) + chunk(b"IEND", b"")


# ---------------------------------------------------------------- GIF

def gif_codes(indices, bits):
    """An LZW stream that clears its table before it would have to grow."""
    clear, size = 1 << bits, bits + 1
    acc = n = 0
    out = bytearray()

    def put(code):
        nonlocal acc, n
        acc |= code << n
        n += size
        while n >= 8:
            out.append(acc & 255)
            acc >>= 8
            n -= 8
    run = max(1, (1 << bits) - 2)
    for i, v in enumerate(indices):
        if i % run == 0:
            put(clear)
        put(int(v))
    put(clear + 1)
    if n:
        out.append(acc & 255)
    return b"".join(bytes([len(b)]) + bytes(b) for b in (out[i:i + 255] for i in range(0, len(out), 255))) + b"\0"


def gif(a, canvas, at=(0, 0), palette=None, local=None, transparent=None, interlaced=False, bits=8, extra=b"", background=0):
    """One frame of indices; palettes are lists of 3·2^n bytes."""
    h, w = a.shape

    def flags(p):
        return 0 if p is None else 0x80 | (len(p) // 3).bit_length() - 2
    out = b"GIF89a" + struct.pack("<HHBBB", *canvas, flags(palette), background, 0) + bytes(palette or b"") + extra
    if transparent is not None:
        out += b"\x21\xf9\x04" + struct.pack("<BHB", 1, 10, transparent) + b"\0"
    out += b"," + struct.pack("<HHHHB", *at, w, h, flags(local) | 0x40 * interlaced) + bytes(local or b"")
    order = range(h)
    if interlaced:
        order = [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, h, step)]
    return out + bytes([bits]) + gif_codes(a[list(order)].ravel(), bits) + b";"


# ---------------------------------------------------------------- BMP

def bmp(rows, w, h, bits, header=40, palette=b"", compression=0, masks=(), top_down=False, colours=0, offset=None):
    """rows: bytes of each row from the top, without padding."""
    rows = [r + bytes(-len(r) % 4) for r in rows]
    pixels = b"".join(rows if top_down else rows[::-1])
    if header == 12:
        body = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        body = struct.pack("<IiiHHIIiiII", header, w, -h if top_down else h, 1, bits, compression, len(pixels), 2835, 2835, colours, 0)
        fields = b"".join(struct.pack("<I", m) for m in masks)
        body += fields if header == 40 else fields.ljust(header - 40, b"\0")[:header - 40]
    start = 14 + len(body) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start if offset is None else offset) + body + palette + pixels


# ---------------------------------------------------------------- TIFF

SHORT, LONG = 3, 4


def tiff(tags, blocks, order="<", block_tags=(273, 279)):
    """tags: {number: (type, values)}; blocks: encoded strips or tiles. Data first, then the directory."""
    out = (b"II*\0" if order == "<" else b"MM\0*") + b"\0\0\0\0"
    offsets = []
    for b in blocks:
        offsets.append(len(out))
        out += b + bytes(len(b) % 2)
    tags = dict(tags)
    tags[block_tags[0]] = (LONG, offsets)
    tags[block_tags[1]] = (LONG, [len(b) for b in blocks])
    entries = b""
    for t in sorted(tags):
        kind, values = tags[t]
        raw = struct.pack(order + str(len(values)) + {1: "B", SHORT: "H", LONG: "I"}[kind], *values)
        if len(raw) > 4:
            where = len(out)
            out += raw + bytes(len(raw) % 2)
            raw = struct.pack(order + "I", where)
        entries += struct.pack(order + "HHI", t, kind, len(values)) + raw.ljust(4, b"\0")
    where = len(out)
    out += struct.pack(order + "H", len(tags)) + entries + b"\0\0\0\0"
    return out[:4] + struct.pack(order + "I", where) + out[8:]


def pack_run(b):
    """PackBits, with literal and repeated runs."""
    out, i = b"", 0
    while i < len(b):
        n = 1
        while i + n < len(b) and n < 128 and b[i + n] == b[i]:
            n += 1
        if n > 2:
            out += bytes([257 - n, b[i]])
        else:
            n = min(7, len(b) - i)
            out += bytes([n - 1]) + b[i:i + n]
        i += n
    return out


def tiff_image(a, bits, photo, order="<", compression=1, rows=None, tile=None, planar=False, predictor=1, extra=None, palette=None, **more):
    """A whole file. more: tag<number> = (type, values)."""
    a = a if a.ndim == 3 else a[..., None]
    h, w, n = a.shape
    tags = {256: (SHORT, [w]), 257: (LONG, [h]), 258: (SHORT, [bits] * n), 259: (SHORT, [compression]), 262: (SHORT, [photo]), 277: (SHORT, [n])}
    if extra is not None:
        tags[338] = (SHORT, extra)
    if palette is not None:
        tags[320] = (SHORT, palette)
    if planar:
        tags[284] = (SHORT, [2])
    if predictor != 1:
        tags[317] = (SHORT, [predictor])
    tags.update({int(k[3:]): v for k, v in more.items()})
    planes = [a[..., i:i + 1] for i in range(n)] if planar else [a]
    blocks, block_tags = [], (273, 279)
    for p in planes:
        if tile:
            tw, th = tile
            tags[322], tags[323], block_tags = (SHORT, [tw]), (SHORT, [th]), (324, 325)
            p = np.pad(p, ((0, -h % th), (0, -w % tw), (0, 0)), "edge")
            parts = [p[y:y + th, x:x + tw] for y in range(0, h, th) for x in range(0, w, tw)]
        else:
            rps = rows or h
            tags.setdefault(278, (LONG, [rps]))
            parts = [p[y:y + rps] for y in range(0, h, rps)]
        for part in parts:
            if predictor == 2:
                part = np.diff(part, axis=1, prepend=0) % (1 << bits)
            raw = b"".join(rows_of(part, bits, order))
            if 266 in tags and tags[266][1] == [2] and compression == 1:
                raw = bytes(int(f"{v:08b}"[::-1], 2) for v in raw)
            if compression in (8, 32946):
                raw = zlib.compress(raw, 9)
            elif compression == 32773:
                raw = b"".join(pack_run(r) for r in rows_of(part, bits, order))
            blocks.append(raw)
    return tiff(tags, blocks, order, block_tags)


# ---------------------------------------------------------------- WebP

def riff(*chunks):
    body = b"WEBP" + b"".join(n + struct.pack("<I", len(b)) + b + bytes(len(b) % 2) for n, b in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunks(data):
    """The chunks of a still picture."""
    out, at = [], 12
    while at + 8 <= len(data):
        n = struct.unpack("<I", data[at + 4:at + 8])[0]
        out.append((data[at:at + 4], data[at + 8:at + 8 + n]))
        at += 8 + n + n % 2
    return out


def u24(v):
    return struct.pack("<I", v)[:3]


def webp_animation(frames, canvas, alpha, background=b"\xff\0\0\xff"):
    """frames: [(still WebP file, x, y, w, h, flags)]."""
    chunks = [(b"VP8X", bytes([2 | 16 * alpha, 0, 0, 0]) + u24(canvas[0] - 1) + u24(canvas[1] - 1)), (b"ANIM", background + b"\0\0")]
    for data, x, y, w, h, flags in frames:
        inner = b"".join(n + struct.pack("<I", len(b)) + b + bytes(len(b) % 2) for n, b in webp_chunks(data) if n in (b"VP8 ", b"VP8L", b"ALPH"))
        chunks.append((b"ANMF", u24(x // 2) + u24(y // 2) + u24(w - 1) + u24(h - 1) + u24(100) + bytes([flags]) + inner))
    return riff(*chunks)
