"""Pictures that no small model was trained on, for comparing captions between precisions: ../golden/precision/drawings.zip.

    python drawings.py

PNG files of 64 by 64 pixels, stored one after another; picture N is the scene "precision N" of draw.py (training scenes have numbers as
seeds). Nothing is computed from them here: the test compares the program's own captions.
"""
import io, zipfile
import draw, kit

COUNT, SIZE = 400, 64


def main():
    path = kit.GOLDEN / "precision" / "drawings.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        for n in range(COUNT):
            f = io.BytesIO()
            draw.render(draw.scene(f"precision {n}"), SIZE, SIZE, 3).save(f, "PNG", optimize=True)
            z.writestr(zipfile.ZipInfo(f"{n:03d}.png"), f.getvalue())
    print(path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
