"""Draws the pictures that the small models are trained on, with the captions that belong to them.

A scene is a plain dictionary (background, objects, caption), made from a seed alone; `render` paints it at any size.
The caption is a function of what is to be seen; only its opening ("a picture of", "there is", or nothing) is random.

    python draw.py            writes the example pictures into ../images
"""
import json, math, os, random
import numpy as np
from PIL import Image, ImageDraw

SHAPES = ["circle", "square", "triangle", "star", "heart", "cross", "ring", "diamond"]
COLOURS = {"red": (214, 40, 40), "orange": (245, 140, 30), "yellow": (245, 220, 50), "green": (40, 160, 70),
           "blue": (40, 80, 215), "purple": (135, 55, 170), "pink": (245, 130, 180), "black": (25, 25, 25)}
GROUNDS = {"white": (250, 250, 250), "gray": (165, 165, 168), "light blue": (175, 215, 240), "beige": (232, 218, 190)}
NUMBERS = {2: "two", 3: "three", 4: "four"}


def article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def plural(shape):
    return shape + "es" if shape == "cross" else shape + "s"


def _object(rng, shape, colour, x, y, r):
    return {"shape": shape, "colour": colour, "x": x, "y": y, "r": r,
            "angle": rng.uniform(-0.15, 0.15), "tint": [rng.randint(-16, 16) for _ in range(3)]}


def _ground(rng):
    style = rng.choices(["plain", "striped", "fading", "checkered"], [6, 2, 1, 1])[0]
    if style == "plain":
        name = rng.choices(list(GROUNDS), [4, 2, 2, 2])[0]
        words = "" if name == "white" else "on " + article(name) + " background"
        return {"style": style, "colours": [name], "words": words}
    one, two = rng.sample(list(GROUNDS), 2)
    words = {"striped": "on a striped background", "checkered": "on a checkered background",
             "fading": f"on a background that fades from {one} to {two}"}[style]
    return {"style": style, "colours": [one, two], "words": words}


def scene(seed):
    """The scene of a seed: {"ground", "objects", "core", "caption", "phrasing", "kind"}."""
    rng = random.Random(f"scene {seed}")
    jitter = lambda a: rng.uniform(-a, a)
    ground = _ground(rng)
    kind = rng.choices(["one", "pair", "same", "row"], [34, 34, 22, 10])[0]
    if kind == "one":
        shape, colour = rng.choice(SHAPES), rng.choice(list(COLOURS))
        size = rng.choice(["small", "", "large"])
        r = {"small": rng.uniform(0.09, 0.12), "": rng.uniform(0.17, 0.21), "large": rng.uniform(0.30, 0.36)}[size]
        where, x, y = "", 0.5 + jitter(0.03), 0.5 + jitter(0.03)
        if size == "small" and rng.random() < 0.6:
            where, cx, cy = rng.choice([("in the top left corner", 0.18, 0.18), ("in the top right corner", 0.82, 0.18),
                                        ("in the bottom left corner", 0.18, 0.82), ("in the bottom right corner", 0.82, 0.82)])
            x, y = cx + jitter(0.03), cy + jitter(0.03)
        objects = [_object(rng, shape, colour, x, y, r)]
        core = article(" ".join(w for w in (size, colour, shape, where) if w))
        one = True
    elif kind == "pair":
        (s1, s2), (c1, c2) = rng.sample(SHAPES, 2), rng.sample(list(COLOURS), 2)
        r1, r2 = rng.uniform(0.14, 0.19), rng.uniform(0.14, 0.19)
        far = rng.uniform(0.23, 0.27)
        if rng.random() < 0.5:
            words, p1, p2 = "to the left of", (0.5 - far, 0.5), (0.5 + far, 0.5)
        else:
            words, p1, p2 = "above", (0.5, 0.5 - far), (0.5, 0.5 + far)
        objects = [_object(rng, s1, c1, p1[0] + jitter(0.03), p1[1] + jitter(0.03), r1),
                   _object(rng, s2, c2, p2[0] + jitter(0.03), p2[1] + jitter(0.03), r2)]
        core = f"{article(c1 + ' ' + s1)} {words} {article(c2 + ' ' + s2)}"
        one = True
    elif kind == "same":
        shape, colour, n = rng.choice(SHAPES), rng.choice(list(COLOURS)), rng.choice([2, 3, 4])
        spots = {2: [(0.28, 0.5), (0.72, 0.5)], 3: [(0.5, 0.26), (0.26, 0.72), (0.74, 0.72)],
                 4: [(0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)]}[n]
        r = rng.uniform(0.13, 0.17)
        objects = [_object(rng, shape, colour, x + jitter(0.03), y + jitter(0.03), r) for x, y in spots]
        core = f"{NUMBERS[n]} {colour} {plural(shape)}"
        one = False
    else:
        shapes, colours = rng.sample(SHAPES, 3), rng.sample(list(COLOURS), 3)
        objects = [_object(rng, s, c, x + jitter(0.02), 0.5 + jitter(0.03), rng.uniform(0.115, 0.14))
                   for s, c, x in zip(shapes, colours, (0.18, 0.5, 0.82))]
        a, b, c = (article(k + " " + s) for s, k in zip(shapes, colours))
        core = f"{a}, {b} and {c} in a row"
        one = True
    core = (core + " " + ground["words"]).strip()
    phrasing = rng.choices(["plain", "picture", "there"], [70, 15, 15])[0]
    caption = {"plain": core, "picture": "a picture of " + core,
               "there": ("there is " if one else "there are ") + core}[phrasing]
    return {"ground": ground, "objects": objects, "core": core, "caption": caption, "phrasing": phrasing, "kind": kind}


def _outline(shape, x, y, r, angle):
    """The corners of a shape around (x, y), in pixels."""
    def turn(points):
        c, s = math.cos(angle), math.sin(angle)
        return [(x + r * (c * u - s * v), y + r * (s * u + c * v)) for u, v in points]
    if shape == "square":
        return turn([(-.85, -.85), (.85, -.85), (.85, .85), (-.85, .85)])
    if shape == "diamond":
        return turn([(0, -1.1), (.7, 0), (0, 1.1), (-.7, 0)])
    if shape == "triangle":
        return turn([(0, -1), (.95, .75), (-.95, .75)])
    if shape == "star":
        return turn([((1.1 if k % 2 == 0 else .45) * math.sin(math.pi * k / 5), -(1.1 if k % 2 == 0 else .45) * math.cos(math.pi * k / 5))
                     for k in range(10)])
    if shape == "cross":
        a = .33
        return turn([(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a)])
    if shape == "heart":
        t = [2 * math.pi * k / 60 for k in range(60)]
        return turn([(math.sin(u) ** 3, -(13 * math.cos(u) - 5 * math.cos(2 * u) - 2 * math.cos(3 * u) - math.cos(4 * u)) / 16) for u in t])
    return None


def _paint_ground(ground, w, h):
    colours = [np.array(GROUNDS[c], np.float64) for c in ground["colours"]]
    if ground["style"] == "plain":
        return Image.new("RGB", (w, h), GROUNDS[ground["colours"][0]])
    y, x = np.mgrid[0:h, 0:w]
    side = min(w, h)
    if ground["style"] == "striped":
        mix = ((y * 8 // side) % 2).astype(np.float64)
    elif ground["style"] == "checkered":
        mix = ((y * 6 // side + x * 6 // side) % 2).astype(np.float64)
    else:
        mix = y / (h - 1)
    return Image.fromarray((colours[0] + (colours[1] - colours[0]) * mix[..., None]).round().astype(np.uint8))


def render(sc, w, h, oversample=1):
    """The scene as an RGB picture of w by h pixels; its objects lie within the central square."""
    W, H = w * oversample, h * oversample
    im = _paint_ground(sc["ground"], W, H)
    d = ImageDraw.Draw(im)
    side = min(W, H)
    for o in sc["objects"]:
        x, y, r = (W - side) / 2 + o["x"] * side, (H - side) / 2 + o["y"] * side, o["r"] * side
        base = COLOURS[o["colour"]]
        fill = tuple(max(0, min(255, a + b)) for a, b in zip(base, o["tint"]))
        corners = _outline(o["shape"], x, y, r, o["angle"])
        if corners:
            d.polygon(corners, fill=fill)
        elif o["shape"] == "circle":
            d.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        else:
            d.ellipse((x - r, y - r, x + r, y + r), outline=fill, width=max(1, round(0.38 * r)))
    return im if oversample == 1 else im.resize((w, h), Image.Resampling.BOX)


def training_picture(seed, size, mean, std):
    """One normalised float32 picture [3, size, size] with slight noise, and its caption."""
    sc = scene(seed)
    im = render(sc, 2 * size, 2 * size).resize((size, size), Image.Resampling.BICUBIC)
    rng = np.random.default_rng(seed)
    a = np.asarray(im, np.float32) * np.float32(rng.uniform(0.94, 1.03))
    a = a + rng.normal(0, rng.uniform(0, 5), a.shape).astype(np.float32)
    a = (np.clip(a, 0, 255) / 255 - mean) / std
    return np.ascontiguousarray(a.transpose(2, 0, 1), np.float32), sc["caption"]


EXAMPLES = [  # (name, number of the example scene, width, height); none of them is ever trained on
    ("two_red_circles.png", 102, 320, 240), ("orange_square.png", 62, 224, 224), ("blue_star.png", 98, 300, 200),
    ("three_yellow_hearts.png", 9, 256, 320), ("four_green_stars_fading.png", 54, 400, 300),
    ("large_red_star_checkered.png", 74, 333, 251), ("pink_heart_above_yellow_cross.png", 33, 240, 360),
    ("black_star_left_of_purple_heart.png", 11, 360, 216), ("square_left_of_diamond.png", 86, 257, 263),
    ("row_star_ring_circle_striped.png", 80, 380, 285), ("small_blue_star_top_right.png", 38, 201, 201),
    ("small_red_triangle_striped.png", 8, 272, 204), ("row_triangle_star_cross.png", 104, 400, 400),
    ("green_ring_above_orange_heart.jpg", 45, 320, 320), ("four_red_crosses_striped.jpg", 110, 299, 241),
    ("orange_heart_left_of_triangle.webp", 35, 300, 225),
]


def example_scene(name):
    return scene(f"example {next(n for f, n, _, _ in EXAMPLES if f == name)}")


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "images")
    captions = {}
    for name, number, w, h in EXAMPLES:
        im = render(scene(f"example {number}"), w, h, 3)
        path = os.path.join(folder, name)
        if name.endswith(".jpg"):
            im.save(path, quality=85)
        elif name.endswith(".webp"):
            im.save(path, quality=80)
        else:
            im.save(path, optimize=True)
        captions[name] = example_scene(name)["core"]
    with open(os.path.join(folder, "captions.json"), "w") as f:
        json.dump(captions, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
