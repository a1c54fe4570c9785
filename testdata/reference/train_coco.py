"""Golden of `coca data coco2csv`: what the README of OpenCLIP does with COCO's captions (pycocotools, pandas.to_csv), on small annotation files. Needs
pandas and pycocotools alone (an environment of its own will do).

    python train_coco.py
"""
import contextlib, io, json, os
from importlib.metadata import version
from pathlib import Path
import pandas as pd
from pycocotools.coco import COCO

OUT = Path(__file__).resolve().parent.parent / "golden" / "train" / "coco"


def image(id, name, **more):
    return dict(id=id, file_name=name, **more)


def caption(image, text, id=0):
    return dict(image_id=image, id=id, caption=text)


TEXTS = ["A cat.", "a\ttab", "two\nlines\n", "say \"hi\"", "\"", "", " spaces ", "comma, semicolon;", "carriage\rreturn", "both\r\n", "größe 猫 😀", "'single'", "back\\slash \\n", "NA", "007", "None", "\u2028",
         "#hash", "\u00a0", "nul\0", "a\"b\tc", "=1+1", "\ufeffmark", "-", "\x1f\x7f", "x" * 300]

CASES = {
    "plain": dict(images=[image(9, "b.jpg"), image(2, "a.jpg")], annotations=[caption(2, "two"), caption(9, "nine"), caption(2, "again")]),
    "texts": dict(images=[image(i, f"{i:012d}.jpg") for i in range(len(TEXTS))], annotations=[caption(i, t) for i, t in enumerate(TEXTS)]),
    "names": dict(images=[image(0, "sub dir/a b.jpg"), image(1, "a\tb.jpg"), image(2, "/abs.jpg"), image(3, "q\".jpg")], annotations=[caption(i, "x") for i in range(4)]),
    "the whole form": dict(info=dict(year=2014, list=[1, [2, {"a": None}], 1.5e3]), licenses=[dict(id=1, url="u", name="n")], type="captions",
                           images=[image(5, "e.jpg", license=1, height=480, width=640, coco_url="http://x/e.jpg", more=dict(a=[1, 2]))],
                           annotations=[dict(id=1, image_id=5, caption="x", segmentation=[[1, 2], []], score=None)]),
    "without captions": dict(images=[image(1, "a.jpg"), image(2, "b.jpg")], annotations=[caption(2, "x")]),
    "without image": dict(images=[image(1, "a.jpg")], annotations=[caption(7, "lost"), caption(1, "x")]),
    "image again": dict(images=[image(1, "a.jpg"), image(2, "b.jpg"), image(1, "c.jpg")], annotations=[caption(1, "x"), caption(2, "y")]),
    "words as ids": dict(images=[image("one", "a.jpg"), image("1", "b.jpg"), image(1, "c.jpg")], annotations=[caption("one", "x"), caption(1, "number"), caption("1", "word")]),
    "annotations first": dict(annotations=[caption(2, "x"), caption(1, "y")], images=[image(1, "a.jpg"), image(2, "b.jpg")]),
    "nothing": dict(images=[], annotations=[]),
    "large ids": dict(images=[image(9007199254740993, "a.jpg"), image(9007199254740992, "b.jpg")], annotations=[caption(9007199254740992, "x"), caption(9007199254740993, "y")]),
}


def to_csv(path):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
    rows = {"filepath": [], "title": []}
    for img in coco.loadImgs(coco.getImgIds()):
        for cap in coco.imgToAnns[img["id"]]:
            rows["filepath"].append(img["file_name"])
            rows["title"].append(cap["caption"])
    out = io.StringIO(newline="")
    pd.DataFrame.from_dict(rows).to_csv(out, index=False, sep="\t", lineterminator="\n")
    return out.getvalue()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    cases = []
    for name, dataset in CASES.items():
        text = json.dumps(dataset, ensure_ascii=len(cases) % 2 == 0)
        path = OUT / "tmp.json"
        path.write_text(text)
        cases.append(dict(name=name, json=text, csv=to_csv(str(path))))
        os.remove(path)
    out = dict(versions={p: version(p) for p in ("pandas", "pycocotools")}, cases=cases)
    (OUT / "cases.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
