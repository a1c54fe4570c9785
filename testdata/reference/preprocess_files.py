"""The image files of preprocess.py, format by format: name → bytes."""
import io
import struct

import numpy as np
from PIL import Image

from preprocess_draw import (LONG, SHORT, bmp, chunk, gif, pack_bits, picture, png, png_data, riff, rows_of, tiff_image, webp_animation,
                             webp_chunks)

# Odd sizes, single rows and columns, extreme ratios.
SIZES = [(1, 1), (2, 3), (7, 5), (8, 8), (13, 29), (31, 17), (33, 33), (40, 30), (57, 41), (64, 48), (1, 90), (90, 1), (3, 200), (200, 3)]


def encode(im, fmt, **options):
    f = io.BytesIO()
    im.save(f, fmt, **options)
    return f.getvalue()


def image(a, mode):
    a = a[..., 0] if mode in ("L", "P") else a
    im = Image.fromarray(a.astype(np.uint8), None if mode in ("RGB", "RGBA", "L") else mode)
    return im


def ramp(n, bits=8):
    """A palette that is no grey ramp."""
    return [(i * k + 11 * k) % 256 for i in range(n) for k in (3, 5, 7)]


def from_mode(rng, mode, w, h):
    channels = {"RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4}.get(mode, 1)
    a = picture(rng, w, h, channels)
    if mode in ("RGBA", "LA"):
        a[..., -1] = np.where(a[..., -1] < 60, 0, np.where(a[..., -1] > 190, 255, a[..., -1]))
    if mode == "1":
        return Image.fromarray(a[..., 0] > 127)
    im = Image.frombytes(mode, (w, h), a.astype(np.uint8).tobytes())
    if mode == "P":
        im.putpalette(ramp(256))
    return im


def png_files(rng):
    layouts = [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (1, 3), (2, 3), (4, 3), (8, 3), (8, 4), (16, 4), (8, 6), (16, 6)]
    for i, (bits, colour) in enumerate(layouts):
        n = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        for j, interlaced in enumerate((False, True, False, True)):
            w, h = SIZES[(3 * i + 5 * j) % len(SIZES)]
            top = 400 if (bits, colour, j) == (16, 0, 2) else 1 << bits
            a = picture(rng, w, h, n, top)
            pal = ramp(min(1 << bits, [256, 200][j % 2])) if colour == 3 else None
            before = []
            if colour == 3 and j == 1:
                before = [chunk(b"tRNS", bytes([255, 0, 128]))]
            if colour in (0, 2) and j == 1:
                before = [chunk(b"tRNS", struct.pack(">H", 1) * (1 if colour == 0 else 3))]
            yield f"png/{bits}bit-colour{colour}-{w}x{h}{'-adam7' if interlaced else ''}-{j}.png", png(
                a, bits, colour, interlaced, pal, before, split=[0, 1, 7, 100][j])
    a = picture(rng, 20, 14, 3)
    control = struct.pack(">IIIIIHHBB", 0, 20, 14, 0, 0, 1, 10, 0, 0)
    other = png_data(255 - a, 8)
    animation = [chunk(b"fcTL", struct.pack(">I", 1) + control[4:]), chunk(b"fdAT", struct.pack(">I", 2) + other)]
    yield "png/animated-first-frame.png", png(a, 8, 2, before=[chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", control)], after=animation)
    yield "png/animated-default-picture.png", png(a, 8, 2, before=[chunk(b"acTL", struct.pack(">II", 1, 0))], after=[
        chunk(b"fcTL", control), chunk(b"fdAT", struct.pack(">I", 1) + other)])
    small = struct.pack(">IIIIIHHBB", 0, 9, 6, 5, 4, 1, 10, 0, 0)
    for interlaced in (False, True):
        yield f"png/animated-small-first-frame{interlaced:d}.png", png(
            a, 8, 2, interlaced, before=[chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", small)], data=png_data(a[:6, :9], 8, interlaced))
    a = picture(rng, 21, 15, 1, 256)
    yield "png/no-palette.png", png(a, 8, 3)
    yield "png/short-palette.png", png(a, 8, 3, palette=ramp(100))
    yield "png/odd-palette.png", png(a, 8, 3, palette=ramp(100)[:200])
    yield "png/text.png", png(a, 8, 0, before=[chunk(b"tEXt", b"key\0value"), chunk(b"gAMA", struct.pack(">I", 45455)), chunk(
        b"pHYs", struct.pack(">IIB", 100, 100, 1)), chunk(b"vpAg", b"12345")], after=[chunk(b"tIME", b"1234567")])
    whole = png(a, 8, 0)
    yield "png/trailing-garbage.png", whole + b"garbage" * 9
    yield "png/no-end.png", whole[:-12]
    yield "png/half-a-chunk-header-behind.png", whole[:-12] + b"\0\0"
    yield "png/bad-pixel-checksum.png", png(a, 8, 0)[:-16] + b"\1\2\3\4" + whole[-12:]
    yield "png/surplus-data.png", png(a, 8, 0, data=png_data(np.concatenate([a, a]), 8))
    yield "png/fewer-rows.png", png(a, 8, 0, size=(30, 21), data=png_data(a, 8))
    wide = picture(rng, 70_000, 3, 3)
    yield "png/segments.png", png(wide // 32 * 32, 8, 2)
    yield "png/segments-adam7.png", png(wide[:2] // 32 * 32, 8, 2, True)
    yield "png/far-fewer-rows.png", png(a, 8, 0, size=(90_000, 21), data=png_data(a, 8))
    yield "png/empty-pixel-chunks.png", png(a, 8, 0, before=[chunk(b"IDAT", b"")])


def jpeg_files(rng):
    for i, (w, h) in enumerate(SIZES + [(97, 61), (120, 90)]):
        a = picture(rng, w, h, 3)
        yield f"jpeg/rgb-{w}x{h}.jpg", encode(image(a, "RGB"), "JPEG", quality=40 + 4 * i, subsampling=i % 3, progressive=i % 2 == 1)
    for w, h in ((33, 33), (40, 30), (1, 90)):
        yield f"jpeg/grey-{w}x{h}.jpg", encode(from_mode(rng, "L", w, h), "JPEG", quality=70)
        yield f"jpeg/cmyk-{w}x{h}.jpg", encode(from_mode(rng, "CMYK", w, h), "JPEG", quality=70)
    im = image(picture(rng, 61, 47, 3), "RGB")
    yield "jpeg/restarts.jpg", encode(im, "JPEG", restart_marker_blocks=3)
    yield "jpeg/orientation.jpg", encode(im, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0")
    yield "jpeg/rgb-without-conversion.jpg", encode(im, "JPEG", keep_rgb=True)
    yield "jpeg/trailing-garbage.jpg", encode(im, "JPEG") + b"garbage"


def webp_files(rng):
    for i, (w, h) in enumerate(SIZES + [(97, 61), (120, 90)]):
        mode = "RGBA" if i % 3 == 2 else "RGB"
        im = from_mode(rng, mode, w, h)
        yield f"webp/lossy-{mode.lower()}-{w}x{h}.webp", encode(im, "WEBP", quality=20 + 5 * i, method=i % 7, alpha_quality=[100, 60, 20][i // 3 % 3])
        mode = "RGBA" if i % 3 == 0 else "RGB"
        im = from_mode(rng, mode, w, h)
        yield f"webp/lossless-{mode.lower()}-{w}x{h}.webp", encode(im, "WEBP", lossless=True, exact=i % 2 == 0, method=i % 7)
    few = Image.fromarray((picture(rng, 45, 37, 3) // 100 * 100).astype(np.uint8))
    yield "webp/lossless-few-colours.webp", encode(few, "WEBP", lossless=True)
    lossy, lossless = encode(few, "WEBP"), encode(from_mode(rng, "RGBA", 45, 37), "WEBP", lossless=True)
    cut = encode(from_mode(rng, "RGBA", 45, 37), "WEBP", quality=50)
    for alpha in (False, True):
        for flags in (0, 2):
            yield f"webp/animated-lossy-alpha{alpha:d}-{flags}.webp", webp_animation([(lossy, 4, 6, 45, 37, flags), (lossless, 0, 0, 45, 37, 0)], (60, 50), alpha)
            yield f"webp/animated-lossless-alpha{alpha:d}-{flags}.webp", webp_animation([(lossless, 2, 0, 45, 37, flags)], (47, 37), alpha)
            yield f"webp/animated-lossy-with-alpha{alpha:d}-{flags}.webp", webp_animation([(cut, 0, 2, 45, 37, flags)], (46, 41), alpha)
    yield "webp/animated-full.webp", encode(few, "WEBP", save_all=True, append_images=[few.rotate(180)], lossless=True)
    canvas = b"\0\0\0" + struct.pack("<I", 44)[:3] + struct.pack("<I", 36)[:3]
    yield "webp/extended-opaque.webp", riff((b"VP8X", b"\0" + canvas), (b"ICCP", b"no profile"), *webp_chunks(lossy))
    yield "webp/extended-alpha-flag-only.webp", riff((b"VP8X", b"\x10" + canvas), *webp_chunks(lossy))
    yield "webp/extended-lossless.webp", riff((b"VP8X", b"\x10" + canvas), *webp_chunks(lossless), (b"EXIF", b"odd"))
    for i, alpha in enumerate((picture(rng, 45, 37, 1), picture(rng, 45, 37, 1) * 0 + 255)):
        raw = alpha.astype(np.uint8).tobytes()
        yield f"webp/raw-alpha-{i}.webp", riff((b"VP8X", b"\x10" + canvas), (b"ALPH", b"\0" + raw), *webp_chunks(lossy))
    for kind in (1, 2, 3):  # each prediction on arbitrary residues
        raw = rng.integers(0, 256, 45 * 37).astype(np.uint8).tobytes()
        yield f"webp/filtered-alpha-{kind}.webp", riff((b"VP8X", b"\x10" + canvas), (b"ALPH", bytes([kind << 2]) + raw), *webp_chunks(lossy))
    yield "webp/trailing-garbage.webp", lossy + b"garbage"


def gif_files(rng):
    for i, (w, h) in enumerate(SIZES):
        im = from_mode(rng, "P" if i % 2 else "L", w, h)
        yield f"gif/{'colour' if i % 2 else 'grey'}-{w}x{h}.gif", encode(im, "GIF", interlace=i // 2 % 2)
    a = picture(rng, 23, 19, 1, 256)[..., 0]
    pal, grey = ramp(256), [i for i in range(256) for _ in range(3)]
    yield "gif/no-palette.gif", gif(a, (23, 19))
    yield "gif/grey-ramp.gif", gif(a, (23, 19), palette=grey)
    yield "gif/local-palette.gif", gif(a, (23, 19), local=pal)
    yield "gif/both-palettes.gif", gif(a, (23, 19), palette=pal, local=pal[::-1])
    yield "gif/grey-ramp-then-colours.gif", gif(a, (23, 19), palette=grey, local=pal)
    yield "gif/small-frame.gif", gif(a, (40, 30), (5, 7), pal, background=9)
    yield "gif/small-frame-transparent.gif", gif(a, (40, 30), (5, 7), pal, transparent=77, background=9)
    yield "gif/small-frame-grey.gif", gif(a, (40, 30), (17, 11), transparent=200)
    yield "gif/frame-beyond-canvas.gif", gif(a, (20, 10), (3, 2), pal)
    yield "gif/empty-canvas.gif", gif(a, (0, 0), (3, 2), pal)
    yield "gif/background.gif", gif(a, (50, 20), (0, 1), pal, background=200)
    for bits in (1, 2, 4, 6):
        yield f"gif/{bits}bits.gif", gif(a >> (8 - bits), (23, 19), palette=ramp(1 << bits), interlaced=bits % 2 == 0, bits=max(2, bits))
    yield "gif/index-beyond-palette.gif", gif(a, (23, 19), palette=ramp(64))
    yield "gif/small-grey-ramp.gif", gif(a >> 6, (23, 19), palette=grey[:12], bits=2)
    comments = b"\x21\xfe\5hello\0\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0\x21\xfe\0\x21\1\0"
    yield "gif/extensions.gif", gif(a, (23, 19), palette=pal, extra=comments)
    yield "gif/extensions-only-whole.gif", gif(a, (23, 19), palette=pal, extra=comments[:-3])
    yield "gif/junk-between.gif", gif(a, (23, 19), palette=pal, extra=b"\0\1\2")
    for h in (1, 2, 3, 4, 5, 9):
        yield f"gif/interlaced-{h}-rows.gif", gif(a[:h], (23, h), palette=pal, interlaced=True)
    f = from_mode(rng, "P", 30, 20)
    yield "gif/animated.gif", encode(f, "GIF", save_all=True, append_images=[f.rotate(180)], duration=50, disposal=2)
    yield "gif/no-trailer.gif", gif(a, (23, 19), palette=pal)[:-1]


def bmp_files(rng):
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        for w, h in ((7, 5), (33, 33), (90, 1)):
            yield f"bmp/{mode}-{w}x{h}.bmp", encode(from_mode(rng, mode, w, h), "BMP")
    w, h = 37, 23
    g, rgb, rgba = picture(rng, w, h, 1), picture(rng, w, h, 3), picture(rng, w, h, 4)

    def quads(p, n=4):
        return b"".join(bytes(p[i:i + 3][::-1]) + bytes(n - 3) for i in range(0, len(p), 3))
    grey = bytes(v for i in range(256) for v in (i, i, i, 0))
    for bits in (1, 4, 8):
        small = rows_of(g >> (8 - bits), bits)
        yield f"bmp/palette-{bits}.bmp", bmp(small, w, h, bits, palette=quads(ramp(1 << bits)))
        yield f"bmp/palette-{bits}-os2.bmp", bmp(small, w, h, bits, header=12, palette=quads(ramp(1 << bits), 3))
        yield f"bmp/palette-{bits}-top-down.bmp", bmp(small, w, h, bits, palette=quads(ramp(1 << bits)), top_down=True)
    yield "bmp/palette-8-short.bmp", bmp(rows_of(g % 50, 8), w, h, 8, palette=quads(ramp(50)), colours=50)
    yield "bmp/grey.bmp", bmp(rows_of(g, 8), w, h, 8, palette=grey)
    yield "bmp/grey-short.bmp", bmp(rows_of(g % 16, 8), w, h, 8, palette=grey[:64], colours=16)
    yield "bmp/black-white.bmp", bmp(rows_of(g >> 7, 1), w, h, 1, palette=b"\0\0\0\0\xff\xff\xff\0")
    yield "bmp/white-black.bmp", bmp(rows_of(g >> 7, 1), w, h, 1, palette=b"\xff\xff\xff\0\0\0\0\0")
    yield "bmp/gap-before-pixels.bmp", bmp(rows_of(g, 8), w, h, 8, palette=quads(ramp(256)) + b"12345678", offset=14 + 40 + 1024 + 8)
    bgr = rows_of(rgb[..., ::-1], 8)
    for header in (12, 40, 52, 56, 64, 108, 124):
        yield f"bmp/rgb-header-{header}.bmp", bmp(bgr, w, h, 24, header)
    yield "bmp/rgb-top-down.bmp", bmp(bgr, w, h, 24, top_down=True)
    yield "bmp/bgrx.bmp", bmp(rows_of(rgba, 8), w, h, 32)
    for i, masks in enumerate(((0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF00, 0xFF, 0),
                               (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
                               (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xFF000000, 0xFF00, 0xFF, 0xFF0000), (0, 0, 0, 0))):
        yield f"bmp/masks-32-{i}.bmp", bmp(rows_of(rgba, 8), w, h, 32, (56, 108, 124)[i % 3], compression=3, masks=masks)
    yield "bmp/masks-32-short-header.bmp", bmp(rows_of(rgba, 8), w, h, 32, 40, compression=3, masks=(0xFF0000, 0xFF00, 0xFF))
    yield "bmp/masks-24.bmp", bmp(bgr, w, h, 24, 108, compression=3, masks=(0xFF0000, 0xFF00, 0xFF))
    words = rows_of(picture(rng, w, h, 1, 65536), 16, "<")
    yield "bmp/16-555.bmp", bmp(words, w, h, 16)
    yield "bmp/16-565.bmp", bmp(words, w, h, 16, compression=3, masks=(0xF800, 0x7E0, 0x1F))
    yield "bmp/16-555-masks.bmp", bmp(words, w, h, 16, 52, compression=3, masks=(0x7C00, 0x3E0, 0x1F))
    yield "bmp/trailing-garbage.bmp", bmp(bgr, w, h, 24) + b"garbage"


def tiff_files(rng):
    names = {None: "raw", "tiff_lzw": "lzw", "tiff_adobe_deflate": "deflate", "packbits": "packbits"}
    for i, mode in enumerate(("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16")):
        for j, c in enumerate(names):
            w, h = SIZES[(5 * i + 3 * j) % len(SIZES)]
            im = Image.fromarray(picture(rng, w, h, 1, 500)[..., 0].astype(np.uint16)) if mode == "I;16" else from_mode(rng, mode, w, h)
            yield f"tiff/{mode.replace(';', '')}-{names[c]}-{w}x{h}.tif", encode(im, "TIFF", compression=c)
    bw = from_mode(rng, "1", 61, 33)
    for c in ("group3", "group4"):
        yield f"tiff/{c}.tif", encode(bw, "TIFF", compression=c)
    g, rgb, rgba = picture(rng, 37, 23, 1), picture(rng, 37, 23, 3), picture(rng, 37, 23, 4)
    wide, wide3, wide4 = picture(rng, 37, 23, 1, 700), picture(rng, 37, 23, 3, 65536), picture(rng, 37, 23, 4, 65536)
    colours = [v * 257 for k in (3, 5, 7) for v in ((i * k + 11 * k) % 256 for i in range(256))]
    for order in "<>":
        o = "le" if order == "<" else "be"
        for c in (1, 8, 32773):
            for bits in (1, 2, 4, 8):
                yield f"tiff/grey{bits}-white{int(c == 8)}-{c}-{o}.tif", tiff_image(g >> (8 - bits), bits, int(c == 8), order, c, rows=9)
            yield f"tiff/grey16-{c}-{o}.tif", tiff_image(wide, 16, 1, order, c, rows=5)
            yield f"tiff/rgb16-{c}-{o}.tif", tiff_image(wide3, 16, 2, order, c, rows=8)
        yield f"tiff/rgba16-{o}.tif", tiff_image(wide4, 16, 2, order, 8, extra=[2])
        yield f"tiff/rgba16-premultiplied-{o}.tif", tiff_image(wide4, 16, 2, order, 8, extra=[1])
        yield f"tiff/rgbx16-{o}.tif", tiff_image(wide4, 16, 2, order, 8, extra=[0])
        yield f"tiff/cmyk16-{o}.tif", tiff_image(wide4, 16, 5, order, 8)
        yield f"tiff/predictor8-{o}.tif", tiff_image(rgb, 8, 2, order, 8, predictor=2, rows=6)
        yield f"tiff/predictor16-{o}.tif", tiff_image(wide3, 16, 2, order, 8, predictor=2)
        yield f"tiff/predictor16-grey-{o}.tif", tiff_image(wide, 16, 1, order, 8, predictor=2)
    yield "tiff/grey16-white-is-0.tif", tiff_image(wide, 16, 0)
    for bits in (1, 2, 4, 8):
        pal = [v for k in range(3) for v in colours[256 * k:256 * k + (1 << bits)]]
        yield f"tiff/palette{bits}.tif", tiff_image(g >> (8 - bits), bits, 3, palette=pal, rows=7)
    for e in (0, 1, 2, None):
        yield f"tiff/rgba-extra-{e}.tif", tiff_image(rgba, 8, 2, extra=None if e is None else [e])
    yield "tiff/rgb-two-extra.tif", tiff_image(picture(rng, 20, 11, 5), 8, 2, extra=[0, 0])
    yield "tiff/rgba-and-extra.tif", tiff_image(picture(rng, 20, 11, 5), 8, 2, extra=[2, 0], compression=8)
    yield "tiff/la.tif", tiff_image(rgba[..., :2], 8, 1, extra=[2], compression=8)
    yield "tiff/lx.tif", tiff_image(rgba[..., :2], 8, 1, extra=[0])
    yield "tiff/cmyk-and-extra.tif", tiff_image(picture(rng, 20, 11, 5), 8, 5, extra=[0])
    for c in (1, 8):
        for a, photo, e, name in ((g, 1, None, "grey"), (rgb, 2, None, "rgb"), (rgba, 2, [2], "rgba"), (wide, 16, None, "grey16"), (rgba, 5, None, "cmyk")):
            bits, photo = (16, 1) if photo == 16 else (8, photo)
            yield f"tiff/tiles-{name}-{c}.tif", tiff_image(a, bits, photo, compression=c, tile=(16, 16), extra=e)
        yield f"tiff/tiles-bilevel-{c}.tif", tiff_image(g >> 7, 1, 1, compression=c, tile=(16, 16))
        yield f"tiff/planes-rgb-{c}.tif", tiff_image(rgb, 8, 2, compression=c, planar=True, rows=10)
        yield f"tiff/planes-rgba-{c}.tif", tiff_image(rgba, 8, 2, compression=c, planar=True, extra=[2])
        yield f"tiff/planes-cmyk-{c}.tif", tiff_image(rgba, 8, 5, compression=c, planar=True, rows=10)
        yield f"tiff/planes-tiles-{c}.tif", tiff_image(rgb, 8, 2, compression=c, planar=True, tile=(32, 16))
    for v in range(1, 9):
        yield f"tiff/orientation-{v}.tif", tiff_image(rgb, 8, 2, compression=1 if v % 2 else 8, tag274=(SHORT, [v]))
    for bits in (1, 2, 4, 8):
        for photo in (0, 1):
            yield f"tiff/fill-order-{bits}-{photo}.tif", tiff_image(g >> (8 - bits), bits, photo, tag266=(SHORT, [2]))
    yield "tiff/directory-loop.tif", tiff_image(rgb, 8, 2)[:-4] + b"\x08\0\0\0"
    yield "tiff/one-strip-of-many-rows.tif", tiff_image(rgb, 8, 2, compression=8, tag278=(LONG, [2 ** 32 - 1]))
    yield "tiff/old-deflate.tif", tiff_image(rgb, 8, 2, compression=32946)


def pnm_files(rng):
    w, h = 27, 19
    g, rgb = picture(rng, w, h, 1), picture(rng, w, h, 3)

    def head(kind, top=None, comment=b""):
        return kind + b"\n" + comment + b"%d %d\n" % (w, h) + (b"" if top is None else b"%d\n" % top)
    yield "pnm/p4.pbm", head(b"P4") + pack_bits(g[..., 0] >> 7, 1).tobytes()
    yield "pnm/p5.pgm", head(b"P5", 255, b"# a comment\n") + g.astype(np.uint8).tobytes()
    yield "pnm/p6.ppm", head(b"P6", 255) + rgb.astype(np.uint8).tobytes() + b"trailing"
    for top in (1, 9, 100, 254):
        yield f"pnm/p5-{top}.pgm", head(b"P5", top) + (g * (top + 1) // 256).astype(np.uint8).tobytes()
        yield f"pnm/p6-{top}.ppm", head(b"P6", top) + (rgb * (top + 1) // 256).astype(np.uint8).tobytes()
    for top in (256, 1000, 65535):
        yield f"pnm/p5-{top}.pgm", head(b"P5", top) + (g * 4).clip(0, top).astype(">u2").tobytes()
        yield f"pnm/p6-{top}.ppm", head(b"P6", top) + (rgb * 4).clip(0, top).astype(">u2").tobytes()
    yield "pnm/p1.pbm", head(b"P1", None, b"# one\r# two\n") + b"".join(b"%d" % v + b" " * (i % 3 == 0) for i, v in enumerate((g >> 7).ravel()))
    yield "pnm/p2.pgm", head(b"P2", 255) + b"\n".join(b"%d" % v for v in g.ravel()) + b"\n"
    yield "pnm/p2-1000.pgm", head(b"P2", 1000) + b" ".join(b"%d" % v for v in g.ravel() * 3)
    yield "pnm/p3.ppm", head(b"P3", 200) + b"# comment\n" + b"\t".join(b"%d" % v for v in (rgb * 200 // 255).ravel())


def all_files(rng):
    for files in (png_files, jpeg_files, webp_files, gif_files, bmp_files, tiff_files, pnm_files):
        yield from files(rng)
