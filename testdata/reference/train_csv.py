"""Golden of package train/data's CSV reader: what pandas.read_csv, as open_clip_train calls it, makes of many small files. Needs pandas
alone (an environment of its own will do).

    python train_csv.py             writes ../golden/train/csv/cases.json
    python train_csv.py --check     compares this pandas with what the file says
"""
import argparse, io, json, random
from pathlib import Path
import pandas as pd

OUT = Path(__file__).resolve().parent.parent / "golden" / "train" / "csv" / "cases.json"
HEAD = "filepath\ttitle\n"

# The literals that the documentation of read_csv lists as missing, and near ones.
NA = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a",
      "nan", "null", "none", "Nan", "NAN", "Null", "na", "N/a", "NaT", " NA", "NA ", "-", "#n/a", "nil", "Missing", "inf", "-inf"]

CASES = {
    "plain": HEAD + "a.png\ta cat\nb.png\ttwo, dogs\n", "no end": HEAD + "a\tx", "CRLF": "filepath\ttitle\r\na\tx\r\nb\ty\r\n", "CR": "filepath\ttitle\ra\tx\rb\ty\r",
    "mixed ends": "filepath\ttitle\r\na\tx\rb\ty\nc\tz", "CR CR LF": HEAD + "a\tx\r\r\nb\ty\r\r\n", "byte order mark": "\ufeff" + HEAD + "a\tx\n",
    "mark and quote": "\ufeff\"filepath\"\ttitle\na\tx\n", "mark in the middle": HEAD + "\ufeffa\tx\n", "two marks": "\ufeff\ufeff" + HEAD + "a\tx\n",
    "blank lines": "\n\n" + HEAD + "\na\tx\n\n\nb\ty\n\n", "spaces in blank lines": " \n" + HEAD + "  \na\tx\n   ", "tab lines": HEAD + "\t\na\tx\n\t\t\n", "quoted blank": HEAD + "\"\"\na\tx\n\"\"\t\"\"\n",
    "quotes": HEAD + "a\t\"x\ty\nz\"\nb\t\"say \"\"hi\"\"\"\nc\tit \"is\"\nd\t\"x\"y\"z\n", "quote then space": HEAD + "a\t \"x\"\nb\t\"x\" \n", "single quotes": HEAD + "a\t'x\ty'\n",
    "open quote": HEAD + "a\t\"x\nb\ty\n", "open quote at end": HEAD + "a\tx\nb\t\"", "quote in quote": HEAD + "a\t\"x\"\"\nb\ty\n", "CRLF in quotes": HEAD + "a\t\"x\r\ny\"\nb\t\"x\ry\"\n",
    "backslash": HEAD + "a\t\"x\\\"\nb\tx\\ty\n", "quoted header": "\"filepath\"\t\"title\"\na\tx\n", "quoted numbers": HEAD + "\"1\"\t\"2\"\n\"3\"\t\"4\"\n", "quoted NA": HEAD + "a\t\"NA\"\nb\t\"\"\n",
    "hash": HEAD + "a\t# x\n#b\ty\n", "spaces kept": HEAD + " a \t  x  \n", "no-break space": HEAD + "\u00a0\t\u00a0\na\tx\n", "unicode": HEAD + "größe.png\t猫 😀 é\n", "nul": HEAD + "a\tx\0y\n", "null field": HEAD + "a\t\0\n",
    "not UTF-8": (HEAD + "a\t\xff\n").encode("latin-1"), "not UTF-8, other column": b"filepath\ttitle\tx\na\tb\t\xff\n", "surrogate": b"filepath\ttitle\na\t\xed\xa0\x80\n",
    "short rows": HEAD + "a\nb\ty\n\tz\n", "long row": HEAD + "a\tx\nb\ty\tz\n", "long first row": HEAD + "a\tx\ty\nb\tz\n", "long first row, longer": HEAD + "a\tx\ty\nb\tz\tw\tv\n", "row labels": HEAD + "1\ta\tx\n2\tb\ty\n",
    "two row labels": HEAD + "1\t5\ta\tx\n2\t6\tb\ty\n", "trailing tabs": HEAD + "a\tx\t\nb\ty\t\n", "trailing tab, header too": "filepath\ttitle\t\na\tx\t\nb\ty\t\n", "trailing tabs, empty": HEAD + "a\tx\t\t\nb\ty\t\t\n",
    "labels then short": HEAD + "1\ta\tx\n2\tb\n3\n", "duplicate columns": "title\tfilepath\ttitle\nx\ta\ty\n", "duplicate images": "filepath\tfilepath\ttitle\na\tb\tx\n", "duplicate with suffix": "title.1\ttitle\ttitle\tfilepath\nx\ty\tz\ta\n",
    "no image column": "image\ttitle\na\tx\n", "no caption column": "filepath\tcaption\na\tx\n", "comma file": "filepath,title\na,x\n", "space in name": "filepath\t title\na\tx\n", "case in name": "Filepath\ttitle\na\tx\n",
    "empty": "", "only newline": "\n", "only header": HEAD, "header without end": "filepath\ttitle", "unnamed": "\tfilepath\ttitle\n0\ta\tx\n1\tb\ty\n", "numbers as header": "filepath\ttitle\t3\t3\na\tx\ty\tz\n",
    "integers": HEAD + "a\t007\nb\t+5\nc\t-0\n", "integers, spaces": HEAD + "a\t 7\nb\t5 \n", "integers and gap": HEAD + "a\t5\nb\t\n", "integers and NA": HEAD + "7\tNA\n8\t3\n", "large": HEAD + "a\t9223372036854775807\nb\t1\n",
    "unsigned": HEAD + "a\t9223372036854775808\nb\t1\n", "unsigned and negative": HEAD + "a\t9223372036854775808\nb\t-1\n", "unsigned max": HEAD + "a\t18446744073709551615\n", "beyond": HEAD + "a\t18446744073709551616\nb\t1\n", "beyond, negative": HEAD + "a\t-9223372036854775809\n",
    "beyond and gap": HEAD + "a\t18446744073709551616\nb\t\n", "beyond and fraction": HEAD + "a\t18446744073709551616\nb\t1.5\n", "unsigned and gap": HEAD + "a\t18446744073709551615\nb\t\n", "long zeros": HEAD + "a\t" + "0" * 30 + "7\n",
    "unsigned and fraction": HEAD + "a\t9223372036854775808\nb\t1.5\n", "fraction and beyond": HEAD + "a\t1.5\nb\t18446744073709551616\n", "unsigned, gap, text": HEAD + "a\t9223372036854775808\nb\tNA\nc\tx\n",
    "beyond, negative, gap": HEAD + "a\t-9223372036854775809\nb\tNA\n", "unsigned, minus word": HEAD + "a\t9223372036854775808\nb\t-x\nc\tNA\n", "gap and beyond": HEAD + "a\tNA\nb\t18446744073709551616\n", "two signs": HEAD + "a\t+-5\nb\t1\n",
    "negative and unsigned": HEAD + "a\t-1\nb\tNA\nc\t9223372036854775808\n", "text and unsigned": HEAD + "a\tx\nb\t9223372036854775808\nc\tNA\n", "many duplicates": "title\ttitle\ttitle.1\ttitle\tfilepath\ttitle.1\na\tb\tc\td\te\tf\n",
    "floats": HEAD + "a\t1.50\nb\t1e20\nc\t.00001\nd\tinf\ne\t3\n", "float forms": HEAD + "a\t1.\nb\t.5\nc\t+.5e+3\nd\t1E5\ne\t-0.0\n", "float ends": HEAD + "a\t1e16\nb\t9999999999999998.0\nc\t1e-4\nd\t0.00001234\ne\t123456789012345680.0\n",
    "infinities": HEAD + "a\tinf\nb\t-Infinity\nc\t+INF\nd\tiNfInItY\n", "infinity and text": HEAD + "a\tinf\nb\tx\n", "all inf": HEAD + "inf\t-inf\n", "overflow": HEAD + "a\t1e400\nb\t1\n", "underflow": HEAD + "a\t1e-400\nb\t1\n", "denormal": HEAD + "a\t4.9e-324\nb\t2.5e-310\n",
    "max": HEAD + "a\t1.7976931348623157e308\n", "digits": HEAD + "a\t0.1234567890123456789\nb\t3.141592653589793238462643\nc\t123456789.123456789123\nd\t0.30000000000000004\n", "digits 2": HEAD + "a\t8.41\nb\t1.1\nc\t2.675\nd\t1e23\ne\t9.007199254740993e15\n",
    "no floats": HEAD + "a\t1e\nb\t2\n", "no floats 2": HEAD + "a\t1.2.3\nb\t2\n", "no floats 3": HEAD + "a\t0x10\nb\t1\n", "no floats 4": HEAD + "a\t1_000\nb\t1\n", "no floats 5": HEAD + "a\t--5\nb\t1\n", "no floats 6": HEAD + "a\t1,000\nb\t1\n", "no floats 7": HEAD + "a\t٣\nb\t1\n", "sign alone": HEAD + "a\t+\nb\t1\n",
    "point alone": HEAD + "a\t.\nb\t1\n", "e alone": HEAD + "a\te5\nb\t1\n", "complex": HEAD + "a\t1j\nb\t1\n", "percent": HEAD + "a\t5%\nb\t1\n", "exponent space": HEAD + "a\t1 e5\nb\t1\n", "float spaces": HEAD + "a\t 1.5\nb\t2.5 \nc\t\u00a03\n",
    "truth": HEAD + "a\tTrue\nb\tFALSE\nc\ttrue\nd\tFalse\n", "truth and gap": HEAD + "a\ttrue\nb\t\n", "truth and number": HEAD + "a\tTrue\nb\t1\n", "truth and text": HEAD + "a\tTRUE\nb\tx\n", "tRue": HEAD + "a\ttRue\nb\tTrue\n", "truth, spaces": HEAD + "a\t True\nb\tFalse\n", "yes": HEAD + "a\tyes\nb\tno\n",
    "all missing": HEAD + "a\t\nb\tNA\n", "all missing images": HEAD + "\tx\nNA\ty\n", "dates": HEAD + "a\t2020-01-02\nb\t2021-01-02\n", "numbers, text": HEAD + "007\t007\n008\ta\n", "mixed": HEAD + "a\t1\nb\tx\nc\t2.50\nd\tTrue\ne\t\nf\tinf\n",
    "missing": HEAD + "".join(f"f{i}\t{v}\n" for i, v in enumerate(NA)) + "z\ttext\n", "missing among numbers": HEAD + "".join(f"f{i}\t{v}\n" for i, v in enumerate(NA[:19])) + "z\t5\n",
}
OTHERS = [("keys", "title,id,image\na cat,1,a.png\n", dict(sep=",", image="image", caption="title")), ("same column", "filepath\na\nb\n", dict(caption="filepath")), ("semicolon", "filepath;title\na;x\ty\n", dict(sep=";")),
          ("space", "filepath title\na x\nb  y\n", dict(sep=" ")), ("bar", "filepath|title\na|\"x|y\"\n", dict(sep="|")), ("comma, spaces", "filepath, title\na, \"x\"\n", dict(sep=",", caption=" title")),
          ("duplicate's name", "title\tfilepath\ttitle\nx\ta\ty\n", dict(caption="title.1")), ("duplicates 1", "title\ttitle\ttitle.1\ttitle\tfilepath\ttitle.1\na\tb\tc\td\te\tf\n", dict(caption="title.1")), ("duplicates 2", "title\ttitle\ttitle.1\ttitle\tfilepath\ttitle.1\na\tb\tc\td\te\tf\n", dict(caption="title.2")),
          ("duplicates 3", "title\ttitle\ttitle.1\ttitle\tfilepath\ttitle.1\na\tb\tc\td\te\tf\n", dict(caption="title.3")), ("duplicates 4", "title\ttitle\ttitle.1\ttitle\tfilepath\ttitle.1\na\tb\tc\td\te\tf\n", dict(caption="title.1.1")),
          ("unnamed twice", "\t\tUnnamed: 1\ttitle\tfilepath\na\tb\tc\td\te\n", dict(caption="Unnamed: 1")), ("unnamed twice, 2", "\t\tUnnamed: 1\ttitle\tfilepath\na\tb\tc\td\te\n", dict(caption="Unnamed: 1.1")),
          ("unnamed by name", "\ttitle\na\tx\n", dict(image="Unnamed: 0")), ("single column, blanks", "filepath\na\n\n \nb\n", dict(caption="filepath")),
          ("space, blank lines", "filepath title\n \na x\n  \n", dict(sep=" ")), ("letter", "filepathxtitle\nax1\n", dict(sep="x"))]

PIECES = ["\t", "\t", "\t", "\n", "\n", "\"", "\"", "\"\"", "\r\n", "\r", "a", "b.png", "x y", " ", "NA", "None", "1", "02", "2.5", "-3", "1e5", "True", "false", "inf", "é", ",", "'", "."]


def drawn(n):
    """Files of random pieces after a header, or none."""
    r = random.Random(20241124)
    for i in range(n):
        rows = "".join(r.choice(PIECES) for _ in range(r.randint(1, 24))) if i % 2 else \
            "".join(r.choice(["a", "", "1", "2", "03", "2.5", "NA", "True", "x", " ", "-1", "\"q\"", "\"\""])
                            + r.choice(["\t", "\t", "\t", "\n"]) for _ in range(r.randint(2, 14)))
        yield f"drawn {i}", HEAD + rows, {}


def read(data, sep="\t", image="filepath", caption="title"):
    data = data if isinstance(data, bytes) else data.encode()
    try:
        df = pd.read_csv(io.BytesIO(data), sep=sep)
        images, captions = df[image].tolist(), df[caption].tolist()
        return dict(images=[str(v) for v in images], captions=[str(v) for v in captions])
    except Exception as e:
        return dict(error=type(e).__name__)


def all_cases():
    for name, data, options in [(n, d, {}) for n, d in CASES.items()] + OTHERS + list(drawn(600)):
        raw = data if isinstance(data, bytes) else data.encode()
        text = dict(file=data) if isinstance(data, str) else dict(bytes=list(data))
        yield dict(name=name, **text, **options, **read(raw, **options))


# Long files as runs of equal captions: pandas decides for each block of rows what a column is. A third column makes blocks smaller.
LONG = [[(262143, "007"), (1, "end")], [(262144, "007"), (1, "end")], [(262144, "007"), (1, "")], [(262144, "007"), (1, "2.50")], [(262144, ""), (1, "x")],
        [(262144, "true"), (1, "x")], [(262144, "TRUE"), (1, "5")], [(262144, "1.50"), (1, "x")], [(262144, "NA"), (1, "true")], [(262144, "NA"), (1, "05")],
        [(262144, "9223372036854775808"), (1, "-1")], [(262144, "9223372036854775808"), (1, "3")], [(262144, "x"), (262144, "05"), (3, "")],
        [(131072, "007"), (1, "end")], [(262144, "123456789012345678"), (1, "NA")]]


def long_file(runs, columns):
    rows = ["\t".join(["filepath", "title", "x", "y", "z"][:columns])]
    return "\n".join(rows + ["\t".join(["f", caption] + ["t"] * (columns - 2)) for n, caption in runs for _ in range(n)]) + "\n"


def blocks():
    for columns, files in ((2, [LONG[i] for i in (0, 1, 2, 6, 8, 10, 12)]), (3, LONG[1:2]), (5, [LONG[0], LONG[13]])):
        for runs in files:
            captions, out = read(long_file(runs, columns))["captions"], []
            for c in captions:
                if out and out[-1][1] == c:
                    out[-1][0] += 1
                else:
                    out.append([1, c])
            yield dict(columns=columns, file=[list(r) for r in runs], captions=out)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--check", action="store_true")
    cases = list(all_cases())
    if p.parse_args().check:
        stored = json.loads(OUT.read_text())
        for ours, theirs in zip(cases, stored["cases"]):
            if ours != theirs:
                print(pd.__version__, ours, "but", stored["versions"], theirs)
        for ours, theirs in zip(blocks(), stored["blocks"]):
            if ours != theirs:
                print(pd.__version__, ours, "but", stored["versions"], theirs)
        print(len(cases), "cases compared")
        return
    OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    OUT.write_text(json.dumps(dict(versions=dict(pandas=pd.__version__), blocks=list(blocks())))[:-1] + f', "cases": [\n{lines}]}}\n')


if __name__ == "__main__":
    main()
