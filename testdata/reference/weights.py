"""Golden weight files, written by the real torch and safetensors.

    python weights.py              writes ../golden/weights/
    python weights.py --check DIR  checks safetensors files that the Go tests wrote to DIR
                                   (COCA_WEIGHTS_OUT=DIR go test ./weights -run TestWriteForPython)

Every golden file has its expected tensors in expected.json: name, dtype, shape and the raw
little-endian bytes in row-major order, all read back through torch or safetensors.
headers.json holds safetensors headers, right and wrong, with what the reference reader says of each.
"""

import argparse
import collections
import json
import math
import os
import struct
import tempfile
import zipfile

import numpy
import safetensors
import safetensors.torch
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden", "weights")

NAMES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
    torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64", torch.bool: "BOOL",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.complex64: "C64", torch.complex128: "C128",
}


def raw(t):
    """Row-major little-endian bytes."""
    t = t.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return t.view(torch.uint8).numpy().tobytes() if t.numel() else b""


def describe(t):
    d = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "bytes": raw(t).hex()}
    if t.dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        d["float32"] = raw(t.float()).hex()
    return d


def plain(v):
    """A value of a checkpoint as JSON; tensors by their description."""
    if isinstance(v, torch.Tensor):
        return {"tensor": describe(v)}
    if isinstance(v, dict):
        return {"dict": [[plain(k), plain(x)] for k, x in v.items()]}
    if isinstance(v, (tuple, torch.Size)):
        return {"tuple": [plain(x) for x in v]}
    if isinstance(v, list):
        return {"list": [plain(x) for x in v]}
    if isinstance(v, (set, frozenset)):
        return {"set": sorted(v)}
    if isinstance(v, (bytes, bytearray)):
        return {"bytes": bytes(v).hex()}
    if isinstance(v, torch.dtype):
        return {"dtype": NAMES[v]}
    if isinstance(v, torch.device):
        return {"device": str(v)}
    if isinstance(v, complex):
        return {"complex": [v.real, v.imag]}
    if isinstance(v, (numpy.bool_, numpy.generic)):
        v = v.item()
    if isinstance(v, bool) or v is None or isinstance(v, str):
        return v
    if isinstance(v, int):
        return {"int": str(v)}
    if isinstance(v, float):
        return {"float": v.hex()}
    raise TypeError(type(v))


def tensors():
    """All layouts and types that a model file may hold."""
    g = torch.Generator().manual_seed(20)
    r = lambda *s: torch.randn(*s, generator=g)
    base = r(6, 5)
    odd = torch.tensor([0.0, -0.0, math.inf, -math.inf, 1.0, -2.5, 65504.0, 6e-8, 1e-40, 3.4e38, 1 + 2**-8, 1 + 3 * 2**-8])
    sd = collections.OrderedDict()
    sd["logit_scale"] = torch.tensor(2.65625)
    sd["linear.weight"] = r(4, 3)
    sd["transposed"] = r(3, 4).t()
    sd["permuted"] = r(2, 3, 4).permute(2, 0, 1)
    sd["sliced.rows"] = base[2:5]
    sd["sliced.columns"] = base[:, 1:4]
    sd["sliced.step"] = base[::2, ::3]
    sd["shared.a"] = base
    sd["shared.flat"] = base.view(-1)[7:20]
    sd["expanded"] = r(3, 1).expand(3, 4)
    sd["ones.axes"] = r(1, 5, 1)
    sd["empty"] = torch.zeros(0, 7)
    sd["odd.f32"] = odd
    sd["odd.f16"] = odd.half()
    sd["odd.bf16"] = odd.bfloat16()
    sd["odd.f64"] = torch.cat([odd.double(), torch.tensor([0.1, 1e300, 1 + 2.0**-24, 1 + 3 * 2.0**-24], dtype=torch.float64)])
    sd["half.transposed"] = r(3, 2).half().t()
    sd["ids"] = torch.tensor([[0, -1, 2**62]], dtype=torch.int64)
    sd["i32"] = torch.tensor([-(2**31), 5], dtype=torch.int32)
    sd["i16"] = torch.tensor([-(2**15), 5], dtype=torch.int16)
    sd["i8"] = torch.tensor([-128, 5], dtype=torch.int8)
    sd["u8"] = torch.tensor([255, 5, 1], dtype=torch.uint8)
    sd["mask"] = torch.tensor([True, False, True])
    sd["naïve \"name\"\n"] = r(2)
    sd["parameter"] = torch.nn.Parameter(r(2, 2))
    return sd


def newer_types():
    return {
        "u16": torch.tensor([1, 65535], dtype=torch.uint16), "u32": torch.tensor([1, 2**32 - 1], dtype=torch.uint32),
        "u64": torch.tensor([1, 2**64 - 1], dtype=torch.uint64), "e4m3": torch.tensor([1.0, -0.5]).to(torch.float8_e4m3fn),
        "e5m2": torch.tensor([1.0, -0.5]).to(torch.float8_e5m2), "c64": torch.tensor([1 + 2j]), "c128": torch.tensor([1 + 2j], dtype=torch.complex128),
    }


def with_attributes():
    """Tensors on which a program has set attributes are pickled by another function."""
    t, p = torch.arange(4.0), torch.nn.Parameter(torch.arange(3.0))
    t.note, p.note = "a", "b"
    return {"tensor": t, "parameter": p}


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = torch.nn.Linear(3, 4)
        self.ln = torch.nn.LayerNorm(4)
        self.logit_scale = torch.nn.Parameter(torch.tensor(2.65625))

    def forward(self, x):
        return self.ln(self.visual(x)) * self.logit_scale


def training():
    """A checkpoint as open_clip_train writes it: AdamW with two groups after two steps, and a
    gradient scaler."""
    torch.manual_seed(21)
    m = Tiny()
    ps = list(m.parameters())
    opt = torch.optim.AdamW([
        {"params": [p for p in ps if p.ndim < 2], "weight_decay": 0.0},
        {"params": [p for p in ps if p.ndim >= 2], "weight_decay": 0.2},
    ], lr=5e-4, betas=(0.9, 0.98), eps=1e-6)
    for _ in range(2):
        opt.zero_grad()
        m(torch.randn(2, 3)).square().sum().backward()
        opt.step()
    scaler = torch.amp.GradScaler("cpu")
    scaler._lazy_init_scale_growth_tracker("cpu")
    sd = collections.OrderedDict(("module." + k, v) for k, v in m.state_dict().items())
    return {"epoch": 2, "name": "tiny-run", "state_dict": sd, "optimizer": opt.state_dict(), "scaler": scaler.state_dict()}


def values():
    """Plain values beside the tensors, as many kinds as a checkpoint may hold."""
    return {
        "w": torch.ones(2), "none": None, "true": True, "false": False, "ints": [0, 255, 256, 65535, 65536, -1, -(2**31), 2**31, -(2**63), 10**30, -(10**30)],
        "floats": [0.0, -1.5, 1e-300, math.inf], "text": ["", "ü", "日本"], "bytes": b"\x00\xff", "array": bytearray(b"xy"), "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "set": {1, 2}, "frozenset": frozenset([3]), "complex": 1.5 - 2j, "dtype": torch.bfloat16, "device": torch.device("cuda:1"), "size": torch.Size([2, 3]),
        "numpy": [numpy.float64(0.1), numpy.float32(0.1), numpy.float16(0.5), numpy.int64(-3), numpy.int8(-3), numpy.uint16(65535), numpy.bool_(True)],
        "by int": {0: "a", 1: "b"}, "by other": {1.5: "c", None: "d", True: "e"},
    }


def rezip(src, dst, compression, zip64):
    """The same archive written by another program: other order, compressed, or with zip64 records."""
    limit = zipfile.ZIP64_LIMIT
    with zipfile.ZipFile(src) as a:
        if zip64:
            zipfile.ZIP64_LIMIT = 0
        try:
            with zipfile.ZipFile(dst, "w", compression) as b:
                for info in a.infolist():
                    fixed = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
                    fixed.compress_type = compression
                    with b.open(fixed, "w", force_zip64=zip64) as w:
                        w.write(a.read(info))
        finally:
            zipfile.ZIP64_LIMIT = limit


def write_golden():
    os.makedirs(GOLDEN, exist_ok=True)
    for old in os.listdir(GOLDEN):
        os.remove(os.path.join(GOLDEN, old))
    expected = {}

    def expect(name, loaded):
        sd = loaded["state_dict"] if "state_dict" in loaded else loaded
        e = {"tensors": [[k, describe(v)] for k, v in sd.items() if isinstance(v, torch.Tensor)]}
        if any(not isinstance(v, torch.Tensor) for v in loaded.values()):
            e["value"] = plain(loaded)
        expected[name] = e

    def save(name, obj, **kw):
        path = os.path.join(GOLDEN, name)
        torch.save(obj, path, **kw)
        expect(name, torch.load(path, map_location="cpu", weights_only=False))

    sd = tensors()
    for p in (2, 3, 4, 5):
        save(f"zip_protocol{p}.pt", sd, pickle_protocol=p)
    for p in (2, 4):
        save(f"legacy_protocol{p}.bin", sd, pickle_protocol=p, _use_new_zipfile_serialization=False)
    save("newer_types.pt", newer_types())
    save("attributes.pt", with_attributes())
    save("nested.pt", {"state_dict": {k: sd[k] for k in ("linear.weight", "transposed", "logit_scale")}})
    save("module.pt", {"module." + k: sd[k] for k in ("linear.weight", "transposed", "logit_scale")})
    save("orig_mod.pt", {"module._orig_mod." + k: sd[k] for k in ("linear.weight", "transposed", "logit_scale")})
    save("training.pt", training())
    save("training_legacy.pt", training(), _use_new_zipfile_serialization=False)
    save("module_state.pt", Tiny().state_dict())
    save("values.pt", values())
    for name, method, zip64 in (("deflated.pt", zipfile.ZIP_DEFLATED, False), ("zip64.pt", zipfile.ZIP_STORED, True)):
        path = os.path.join(GOLDEN, name)
        rezip(os.path.join(GOLDEN, "zip_protocol2.pt"), path, method, zip64)
        expect(name, torch.load(path, map_location="cpu", weights_only=False))

    flat = {k: v.detach().contiguous().clone() for k, v in sd.items()}
    for name, meta in (("plain.safetensors", None), ("metadata.safetensors", {"format": "pt \"quoted\" ü\n\x01"})):
        path = os.path.join(GOLDEN, name)
        safetensors.torch.save_file(flat, path, metadata=meta)
        os.chmod(path, 0o644)
        with safetensors.safe_open(path, "pt") as f:
            e = {"tensors": [[k, describe(f.get_tensor(k))] for k in f.offset_keys()], "metadata": f.metadata()}
        expected[name] = e
    versions = {"torch": torch.__version__, "safetensors": safetensors.__version__, "numpy": numpy.__version__}
    with open(os.path.join(GOLDEN, "expected.json"), "w") as f:
        json.dump({"versions": versions, "files": expected}, f, separators=(",", ":"))
    with open(os.path.join(GOLDEN, "headers.json"), "w") as f:
        json.dump({"versions": versions, "headers": judge_headers()}, f, indent=1)


def judge_headers():
    """What the reference reader says of headers, each with as many bytes of data behind it."""
    t = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    one = lambda dtype="F32", shape="[1]", offsets="[0,4]": '{"a":{"dtype":"%s","shape":%s,"data_offsets":%s}}' % (dtype, shape, offsets)
    cases = [
        ("one tensor", one(), 4), ("no tensor", "{}", 0), ("trailing spaces", one() + "   ", 4), ("trailing white space", one() + " \n\t", 4),
        ("reverse order", '{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":%s}' % t, 8),
        ("misaligned", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}', 5),
        ("scalar", one(shape="[]"), 4), ("empty tensor", one(shape="[0,3]", offsets="[0,0]"), 0), ("metadata", '{"__metadata__":{"k":"v"},"a":%s}' % t, 4),
        ("empty name", '{"":%s}' % t, 4), ("duplicate name", '{"a":%s,"a":%s}' % (t, t), 4), ("leading space", " " + one(), 4),
        ("null header", "null", 0), ("empty header", "", 0), ("array", "[]", 0), ("truncated", one()[:-1], 4), ("trailing text", one() + "x", 4), ("trailing zero", one() + "\x00", 4),
        ("gap", '{"a":%s,"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}' % t, 12), ("gap at the start", one(offsets="[4,8]"), 8),
        ("overlap", '{"a":%s,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' % t, 4),
        ("partial overlap", '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', 12),
        ("data too long", one(), 5), ("data too short", one(), 3), ("reversed offsets", one(offsets="[4,0]"), 4), ("three offsets", one(offsets="[0,4,8]"), 4), ("one offset", one(offsets="[0]"), 4),
        ("offsets of another size", one(offsets="[0,8]"), 8), ("negative size", one(shape="[-1]"), 4), ("fraction", one(shape="[1.0]"), 4), ("exponent", one(shape="[1e0]"), 4),
        ("overflow", one(shape="[4294967296,4294967296,1]"), 4), ("overflow of bytes", one(shape="[4611686018427387904]", offsets="[0,0]"), 0), ("size above 64 bits", one(shape="[18446744073709551616]"), 4),
        ("overflow after zero", one(shape="[0,4294967296,4294967296]", offsets="[0,0]"), 0),
        ("unknown type", one(dtype="F33"), 4), ("lower-case type", one(dtype="f32"), 4), ("type as number", '{"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}}', 4),
        ("no type", '{"a":{"shape":[1],"data_offsets":[0,4]}}', 4), ("duplicate field", '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
        ("unknown field", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4), ("field in capitals", '{"a":{"DTYPE":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
        ("entry as array", '{"a":["F32",[1],[0,4]]}', 4), ("entry null", '{"a":null}', 0), ("shape null", one(shape="null"), 4),
        ("metadata number", '{"__metadata__":{"a":1}}', 0), ("metadata null", '{"__metadata__":null}', 0), ("metadata twice", '{"__metadata__":{},"__metadata__":{}}', 0), ("metadata key twice", '{"__metadata__":{"a":"1","a":"2"}}', 0),
        ("lone surrogate", '{"\\ud800":%s}' % t, 4), ("control character", '{"a\n":%s}' % t, 4), ("comma at the end", '{"a":%s,}' % t, 4), ("single quotes", "{'a':1}", 4), ("comment", '{/**/"a":%s}' % t, 4),
        ("8-bit float", one(dtype="F8_E4M3", offsets="[0,1]"), 1), ("complex", one(dtype="C64", offsets="[0,8]"), 8), ("half a byte", one(dtype="F4", shape="[3]", offsets="[0,1]"), 1),
    ]
    out = []
    for name, header, n in cases:
        h = header.encode()
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as f:
            f.write(struct.pack("<Q", len(h)) + h + bytes(n))
            f.flush()
            says = ""
            try:
                with safetensors.safe_open(f.name, "pt") as s:
                    for k in s.keys():
                        s.get_tensor(k)
            except Exception as e:
                says = f"{type(e).__name__}: {e}"
        out.append({"name": name, "header": header, "data": n, "reference": says})
    return out


def check(folder):
    """Compares what Go wrote with the golden files it read."""
    kinds = {"": None, ".bf16": torch.bfloat16, ".f16": torch.float16, ".f32": torch.float32}
    n = 0
    for name in sorted(os.listdir(folder)):
        base, ext = os.path.splitext(name)
        if ext != ".safetensors":
            continue
        source, kind = os.path.splitext(base)
        if kind not in kinds:
            source, kind = base, ""
        path = os.path.join(GOLDEN, source)
        if source.endswith(".safetensors"):
            want = safetensors.torch.load_file(path)
        else:
            want = torch.load(path, map_location="cpu", weights_only=False)
        want = want.get("state_dict", want)
        want = {k: v.detach() for k, v in want.items() if isinstance(v, torch.Tensor)}
        for prefix in ("module.", "_orig_mod."):
            if next(iter(want)).startswith(prefix):
                want = {k[len(prefix):]: v for k, v in want.items()}
        with open(os.path.join(folder, name), "rb") as f:
            (size,) = struct.unpack("<Q", f.read(8))
            assert size % 8 == 0, name
        got = safetensors.torch.load_file(os.path.join(folder, name))
        assert set(got) == set(want), (name, set(got) ^ set(want))
        for k, v in want.items():
            if kinds[kind] is not None and v.is_floating_point():
                v = v.to(kinds[kind])
            assert got[k].dtype == v.dtype and got[k].shape == v.shape, (name, k)
            assert raw(got[k]) == raw(v), (name, k)
            n += 1
        print("equal:", name)
    print(n, "tensors equal")
    assert n > 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", metavar="DIR")
    arguments = parser.parse_args()
    check(arguments.check) if arguments.check else write_golden()
