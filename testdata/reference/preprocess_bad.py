"""Damaged and hostile image files for preprocess.py: name → bytes. Some are merely odd, and Pillow reads them."""
import io
import struct
import zlib

import numpy as np
from PIL import Image

from preprocess_draw import LONG, SHORT, bmp, chunk, gif, picture, png, png_data, riff, rows_of, tiff, tiff_image, u24, webp_animation, webp_chunks

BOMB = zlib.compress(bytes(20_000_000), 9)  # 20 kB


def ihdr(w, h, bits=8, colour=2, method=0, interlaced=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, colour, 0, method, interlaced))


def bad_png(rng):
    magic, end = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
    a = picture(rng, 20, 15, 3)
    good, data = png(a, 8, 2), png_data(a, 8)
    yield "magic-only", magic
    yield "header-cut", magic + ihdr(20, 15)[:15]
    yield "header-short", magic + chunk(b"IHDR", b"\0\0\0\1\0\0\0\1\x08") + chunk(b"IDAT", data) + end
    for w, h in ((0, 15), (20, 0), (100_000, 100_000), (2 ** 31, 1), (2 ** 32 - 1, 2 ** 32 - 1), (178_956_971, 1)):
        yield f"size-{w}x{h}", magic + ihdr(w, h) + chunk(b"IDAT", data) + end
    for w, h in ((13000, 13000), (1, 178_956_970), (178_956_970, 1)):
        yield f"size-{w}x{h}-without-data", magic + ihdr(w, h, 16, 6) + chunk(b"IDAT", data) + end
    yield "depth-3", magic + ihdr(20, 15, 3) + chunk(b"IDAT", data) + end
    yield "colour-type-5", magic + ihdr(20, 15, 8, 5) + chunk(b"IDAT", data) + end
    yield "filter-method-1", magic + ihdr(20, 15, method=1) + chunk(b"IDAT", data) + end
    yield "header-checksum", magic + ihdr(20, 15)[:-1] + b"\0" + chunk(b"IDAT", data) + end
    yield "text-checksum", png(a, 8, 2, before=[chunk(b"tEXt", b"k\0v", crc=1)])
    yield "row-filter-9", magic + ihdr(20, 15) + chunk(b"IDAT", zlib.compress(bytes([9]) * 61 * 15)) + end
    yield "zlib-header", magic + ihdr(20, 15) + chunk(b"IDAT", b"\xff" + data[1:]) + end
    yield "zlib-middle", magic + ihdr(20, 15) + chunk(b"IDAT", data[:99] + b"\xff\0\xff\0" + data[103:]) + end
    yield "zlib-checksum", magic + ihdr(20, 15) + chunk(b"IDAT", data[:-1] + bytes([data[-1] ^ 1])) + end
    yield "zlib-without-checksum", magic + ihdr(20, 15) + chunk(b"IDAT", data[:-4]) + end
    for cut in (70, len(good) - 40, len(good) - 13):
        yield f"cut-at-{cut}", good[:cut]
    yield "rows-missing", magic + ihdr(20, 16) + chunk(b"IDAT", data[:-30]) + end
    yield "no-pixels", magic + ihdr(20, 15) + end
    yield "no-header", magic + chunk(b"IDAT", data) + end
    yield "pixels-bomb", magic + ihdr(20, 15) + chunk(b"IDAT", BOMB) + end
    yield "text-bomb", png(a, 8, 2, before=[chunk(b"zTXt", b"k\0\0" + BOMB)])
    yield "text-bomb-behind", png(a, 8, 2, after=[chunk(b"iTXt", b"k\0\1\0\0\0" + BOMB)])
    yield "profile-bomb", png(a, 8, 2, before=[chunk(b"iCCP", b"k\0\0" + BOMB)])
    yield "profile-method", png(a, 8, 2, before=[chunk(b"iCCP", b"k\0\1" + data)])
    yield "palette-of-300", png(a[..., 0], 8, 3, palette=[1, 2, 3] * 300)
    yield "transparency-cut", png(a, 8, 2, before=[chunk(b"tRNS", b"\0\1")])
    yield "chunk-length", magic + ihdr(20, 15) + b"\xff\xff\xff\xfftEXt" + bytes(50)
    yield "chunk-name", magic + ihdr(20, 15) + b"\0\0\0\0\1\2\3\4" + bytes(50)
    yield "chunk-behind-cut", good[:-12] + b"\0\0\1\0tEXt12"
    yield "animation-order", png(a, 8, 2, before=[chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", struct.pack(">IIIIIHHBB", 3, 20, 15, 0, 0, 1, 1, 0, 0))])
    yield "animation-frame", png(a, 8, 2, before=[chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 20, 15, 9, 0, 1, 1, 0, 0))])
    yield "animation-empty", png(a, 8, 2, before=[chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 0, 0, 0, 0, 1, 1, 0, 0))])


def bad_gif(rng):
    a = picture(rng, 23, 19, 1)[..., 0]
    pal = [(7 * i) % 256 for i in range(768)]
    good = gif(a, (23, 19), palette=pal)
    for cut in (3, 10, 13, 400, 790, 791, 900, len(good) - 3):
        yield f"cut-at-{cut}", good[:cut]
    yield "no-frame", good[:781] + b";"
    yield "frame-size-0", good[:786] + b"\0\0" + good[788:]
    yield "canvas-65535", gif(a, (65535, 65535), palette=pal)
    yield "frame-far-outside", gif(a, (23, 19), (65535, 65535), pal)
    yield "frame-size-65535", good[:786] + b"\xff\xff\xff\xff" + good[790:]
    yield "frame-tall", good[:788] + b"\xff\xff" + good[790:]
    yield "code-size-13", good[:791] + b"\x0d" + good[792:]
    yield "code-size-0", good[:791] + b"\0" + good[792:]
    yield "first-code", good[:792] + b"\x04\0\xff\xff\xff\0;"
    yield "code-beyond-table", good[:792] + b"\x06\0\x05\xfe\xff\xff\xff\0;"
    yield "end-code-at-once", good[:792] + b"\x04\0\x03\x02\0\0;"
    yield "control-cut", good[:781] + b"\x21\xf9\2\1\2\0" + good[781:]


def bad_bmp(rng):
    rgb = picture(rng, 37, 23, 3)
    rows = rows_of(rgb, 8)
    good = bmp(rows, 37, 23, 24)
    for cut in (2, 16, 30, 54, 1000, len(good) - 4):
        yield f"cut-at-{cut}", good[:cut]
    yield "last-padding-missing", good[:-1]
    for size in (0, 13, 41, 2 ** 32 - 1):
        yield f"header-size-{size}", good[:14] + struct.pack("<I", size) + good[18:]
    for w, h in ((0, 23), (37, 0), (-37, 23), (100_000, 100_000), (2 ** 31 - 1, 2 ** 31 - 1), (13000, 13000), (37, -(2 ** 31))):
        yield f"size-{w}x{h}", good[:18] + struct.pack("<ii", w, h) + good[26:]
    for bits in (0, 2, 7, 64):
        yield f"depth-{bits}", good[:28] + struct.pack("<H", bits) + good[30:]
    for c in (1, 2, 3, 4, 5, 99):
        yield f"compression-{c}", good[:30] + struct.pack("<I", c) + good[34:]
    yield "offset-beyond", good[:10] + struct.pack("<I", 2 ** 32 - 1) + good[14:]
    grey = rows_of(rgb[..., 0], 8)
    for n in (257, 300, 70_000, 2 ** 32 - 1):
        yield f"colours-{n}", bmp(grey, 37, 23, 8, palette=bytes(range(1, 256)) * 6, colours=n)
    yield "palette-cut", bmp(grey, 37, 23, 8, palette=bytes(range(100)))[:140]
    yield "grey-palette-4-bits", bmp(rows_of(rgb[..., 0] >> 4, 4), 37, 23, 4, palette=b"".join(bytes([i, i, i, 0]) for i in range(16)))
    rle = b"".join(b"\x05\x07\x20\x09\0\0" for _ in range(23)) + b"\0\1"
    yield "rle8", bmp([rle], 37, 23, 8, palette=bytes(range(256)) * 4, compression=1)
    yield "masks-odd", bmp(rows_of(picture(rng, 37, 23, 4), 8), 37, 23, 32, 56, compression=3, masks=(0xFF0, 0xFF, 0, 0))


def bad_tiff(rng):
    a, g = picture(rng, 37, 23, 3), picture(rng, 37, 23, 1)
    good = tiff_image(a, 8, 2)
    for cut in (4, 8, 1000, len(good) - 60, len(good) - 4):
        yield f"cut-at-{cut}", good[:cut]
    for at in (0, 4, 2 ** 32 - 1, len(good)):
        yield f"directory-at-{at}", good[:4] + struct.pack("<I", at) + good[8:]
    yield "directory-loop", good[:-4] + good[4:8]
    yield "many-entries", good[:8] + b"\xff\xff" + good[10:4] + bytes(100)
    for c in (2, 6, 7, 9, 34925, 50000, 50001, 12345):
        yield f"compression-{c}", tiff_image(a, 8, 2, tag259=(SHORT, [c]))
    for c in (5, 8, 32773):
        yield f"not-compressed-by-{c}", tiff_image(a, 8, 2, tag259=(SHORT, [c]))
    for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        f = io.BytesIO()
        Image.fromarray(a.astype(np.uint8)).save(f, "TIFF", compression=c)
        data = f.getvalue()
        where = data.index(struct.pack("<HHI", 279, 4, 1)) if struct.pack("<HHI", 279, 4, 1) in data else data.index(struct.pack("<HHI", 279, 3, 1))
        yield f"byte-count-halved-{c}", data[:where + 8] + struct.pack("<I", struct.unpack("<I", data[where + 8:where + 12])[0] // 2) + data[where + 12:]
        yield f"byte-count-beyond-{c}", data[:where + 8] + struct.pack("<I", 10 ** 6) + data[where + 12:]
    for name, tags in {
            "width-0": {256: (SHORT, [0])}, "height-0": {257: (LONG, [0])}, "width-twice": {256: (SHORT, [37, 37])},
            "size-1000000": {256: (LONG, [10 ** 6]), 257: (LONG, [10 ** 6])}, "size-max": {256: (LONG, [2 ** 32 - 1]), 257: (LONG, [2 ** 32 - 1])},
            "size-13000": {256: (LONG, [13000]), 257: (LONG, [13000])}, "strip-rows-0": {278: (LONG, [0])}, "samples-1000": {277: (SHORT, [1000])},
            "samples-0": {277: (SHORT, [0])}, "bits-0": {258: (SHORT, [0, 0, 0])}, "bits-12": {258: (SHORT, [12, 12, 12])},
            "bits-mixed": {258: (SHORT, [8, 16, 8])}, "bits-two": {258: (SHORT, [8, 8])}, "photometric-4": {262: (SHORT, [4])}, "photometric-6": {262: (SHORT, [6])},
            "photometric-8": {262: (SHORT, [8])}, "floats": {339: (SHORT, [3, 3, 3])}, "fill-order-3": {266: (SHORT, [3])},
            "extra-sample-9": {277: (SHORT, [4]), 258: (SHORT, [8] * 4), 338: (SHORT, [9])}}.items():
        yield name, tiff_image(a, 8, 2, **{f"tag{k}": v for k, v in tags.items()})
    wide = {256: (LONG, [178_956_970]), 257: (SHORT, [1]), 258: (SHORT, [16] * 4), 259: (SHORT, [8]), 262: (SHORT, [2]), 277: (SHORT, [4]), 278: (SHORT, [1])}
    yield "size-178956970x1", tiff(wide, [BOMB])
    yield "size-13000-deflate", tiff_image(a, 8, 2, compression=8, tag256=(LONG, [13000]), tag257=(LONG, [13000]))
    yield "bomb", tiff({256: (SHORT, [37]), 257: (SHORT, [23]), 258: (SHORT, [8]), 259: (SHORT, [8]), 262: (SHORT, [1]), 277: (SHORT, [1]), 278: (SHORT, [23])}, [BOMB])
    for w, h in ((0, 16), (16, 0), (2 ** 31, 2 ** 31), (2 ** 20, 16)):
        tags = {256: (SHORT, [37]), 257: (SHORT, [23]), 258: (SHORT, [8]), 259: (SHORT, [8]), 262: (SHORT, [1]), 322: (LONG, [w]), 323: (LONG, [h])}
        yield f"tiles-{w}x{h}", tiff(tags, [BOMB], block_tags=(324, 325))
    yield "no-strips", tiff({256: (SHORT, [37]), 257: (SHORT, [23]), 258: (SHORT, [8]), 262: (SHORT, [1])}, [], block_tags=(1, 2))
    yield "no-size", tiff({258: (SHORT, [8]), 262: (SHORT, [1])}, [bytes(99)])
    yield "strip-beyond", tiff_image(g, 8, 1).replace(struct.pack("<HHI", 273, 4, 1) + struct.pack("<I", 8), struct.pack("<HHI", 273, 4, 1) + struct.pack("<I", 10 ** 6))
    yield "strips-missing", tiff_image(g, 8, 1, compression=8, tag278=(LONG, [5]))
    yield "palette-missing", tiff_image(g, 8, 3)
    yield "palette-of-300", tiff_image(g, 8, 3, palette=[5] * 900)
    yield "big", b"II\x2b\0\x08\0\0\0" + bytes(40)
    yield "predictor-3", tiff_image(a, 8, 2, compression=8, tag317=(SHORT, [3]))


def bad_webp(rng):
    def save(a, **options):
        f = io.BytesIO()
        Image.fromarray(a.astype(np.uint8)).save(f, "WEBP", **options)
        return f.getvalue()
    rgb, rgba = picture(rng, 45, 37, 3), picture(rng, 45, 37, 4)
    lossy, lossless, both = save(rgb), save(rgba, lossless=True), save(rgba)
    for name, d in (("lossy", lossy), ("lossless", lossless), ("alpha", both)):
        for cut in (12, 20, 25, 40, len(d) // 2, len(d) - 2):
            yield f"{name}-cut-at-{cut}", d[:cut]
        half = d[:4] + struct.pack("<I", len(d) // 2 - 8) + d[8:len(d) // 2]
        yield f"{name}-cut-consistently", riff(*[(n, b[:len(b) // 2]) if n in (b"VP8 ", b"VP8L") else (n, b) for n, b in webp_chunks(d)])
        yield f"{name}-riff-cut", half
    canvas = b"\x10\0\0\0" + u24(44) + u24(36)
    yield "canvas-huge", riff((b"VP8X", b"\x10\0\0\0" + u24(2 ** 24 - 1) + u24(2 ** 24 - 1)), *webp_chunks(lossy))
    yield "canvas-within-limit", riff((b"VP8X", b"\x02\0\0\0" + u24(13000) + u24(13000)), (b"ANIM", bytes(6)))
    yield "canvas-other-size", riff((b"VP8X", b"\x10\0\0\0" + u24(99) + u24(36)), *webp_chunks(lossy))
    yield "lossless-16384-without-data", riff((b"VP8L", b"\x2f" + struct.pack("<I", 0x3fff | 10922 << 14 | 1 << 28) + bytes(6)))
    yield "lossless-over-limit", riff((b"VP8L", b"\x2f" + struct.pack("<I", 0x3fff | 0x3fff << 14) + bytes(6)))
    yield "lossy-16383-without-data", riff((b"VP8 ", webp_chunks(lossy)[0][1][:6] + struct.pack("<HH", 13000, 13000) + bytes(20)))
    yield "signature", riff((b"VP8L", b"\x2e" + lossless[21:]))
    yield "version", riff((b"VP8L", lossless[20:24] + bytes([lossless[24] | 0xe0]) + lossless[25:]))
    yield "inter-frame", riff((b"VP8 ", bytes([lossy[20] | 1]) + lossy[21:]))
    yield "width-0", riff((b"VP8 ", lossy[20:26] + b"\0\0" + lossy[28:]))
    yield "no-picture", riff((b"VP8X", canvas), (b"EXIF", b"nothing"))
    yield "header-short", riff((b"VP8X", canvas[:6]))
    yield "alpha-cut", riff((b"VP8X", canvas), (b"ALPH", bytes(50)), *webp_chunks(lossy))
    yield "alpha-empty", riff((b"VP8X", canvas), (b"ALPH", b""), *webp_chunks(lossy))
    yield "alpha-method-2", riff((b"VP8X", canvas), (b"ALPH", b"\2" + bytes(45 * 37)), *webp_chunks(lossy))
    yield "alpha-compressed-garbage", riff((b"VP8X", canvas), (b"ALPH", b"\1" + bytes(range(100))), *webp_chunks(lossy))
    yield "frame-outside", webp_animation([(lossy, 30, 0, 45, 37, 0)], (60, 50), False)
    yield "frame-other-size", webp_animation([(lossy, 0, 0, 44, 37, 0)], (60, 50), False)
    yield "frame-missing", webp_animation([], (60, 50), False)
    yield "frame-cut", riff((b"VP8X", b"\2" + canvas[1:]), (b"ANIM", bytes(6)), (b"ANMF", bytes(10)))


def bad_jpeg(rng):
    f = io.BytesIO()
    Image.fromarray(picture(rng, 61, 47, 3).astype(np.uint8)).save(f, "JPEG")
    good = f.getvalue()
    for cut in (4, 30, 200, len(good) // 2, len(good) - 2):
        yield f"cut-at-{cut}", good[:cut]
    sof = good.index(b"\xff\xc0")
    for w, h in ((0, 47), (61, 0), (65500, 65500), (13000, 14000)):
        yield f"size-{w}x{h}", good[:sof + 5] + struct.pack(">HH", h, w) + good[sof + 9:]
    yield "sampling-0", good[:sof + 11] + b"\0" + good[sof + 12:]
    yield "arithmetic", good[:sof + 1] + b"\xc9" + good[sof + 2:]
    yield "lossless", good[:sof + 1] + b"\xc3" + good[sof + 2:]
    yield "12-bits", good[:sof + 4] + b"\x0c" + good[sof + 5:]
    dht = good.index(b"\xff\xc4")
    yield "huffman-table", good[:dht + 5] + b"\xff" * 16 + good[dht + 21:]
    yield "no-frame", good[:sof] + good[sof + 19:]


def bad_pnm(rng):
    for name, data in {"nothing": b"P6\n", "width": b"P6\nx 2\n255\n", "negative": b"P6\n-3 2\n255\n" + bytes(18), "size-0": b"P5\n0 2\n255\n",
                       "huge": b"P5\n99999 99999\n255\n", "too-many-digits": b"P5\n99999999999 1\n255\n", "no-data": b"P6\n13000 13000\n255\n",
                       "plain-no-data": b"P3\n13000 13000\n255\n1 2 3", "cut": b"P6\n3 2\n255\n" + bytes(17), "wide-cut": b"P5\n3 2\n999\n" + bytes(11),
                       "top-0": b"P5\n3 2\n0\n" + bytes(6), "top-65536": b"P5\n3 2\n65536\n" + bytes(12), "value-above": b"P2\n2 1\n9\n3 10\n",
                       "value-negative": b"P2\n2 1\n9\n3 -1\n", "value-text": b"P2\n2 1\n9\n3 x\n", "bit-2": b"P1\n2 1\n12\n", "kind-7": b"P7\n3 2\n255\n",
                       "kind-f": b"Pf\n3 2\n-1\n" + bytes(24)}.items():
        yield name, data


def bad_other(rng):
    yield "empty", b""
    yield "text", b"a photo of a cat"
    yield "svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    yield "zeros", bytes(1000)
    yield "one-byte", b"\x89"


def bad_files():
    rng = np.random.default_rng(4)
    for name, files in (("png", bad_png), ("gif", bad_gif), ("bmp", bad_bmp), ("tiff", bad_tiff), ("webp", bad_webp), ("jpeg", bad_jpeg),
                        ("pnm", bad_pnm), ("other", bad_other)):
        for case, data in files(rng):
            yield f"{name}/{case}", data
