"""Position tables resized on load, by the reference's own functions: ../golden/small/positions.{json,safetensors}.

    python resize_goldens.py

Each input is unit("visual.positional_embedding") or unit("text.positional_embedding") (formula.py), cast to the case's
type; outputs keep that type. The visual grid is resized bicubically with antialiasing, its class row kept; the text table
linearly, all rows alike.
"""
from types import SimpleNamespace
import torch
from open_clip.model import resize_pos_embed, resize_text_pos_embed
import formula, kit

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
VISUAL = [(3, (5, 5)), (5, (3, 3)), (7, (16, 16)), (16, (7, 7)), (7, (8, 8)), (8, (7, 7)), (4, (1, 1)), (1, (4, 4)), (4, (3, 6)), (16, (24, 24)), (4, (4, 4))]
TEXT = [(77, 78), (78, 77), (77, 129), (77, 257), (129, 77), (10, 7), (2, 9), (1, 4), (9, 1), (77, 77)]
WIDTH = 8


def resize(kind, state, grid, rows):
    if kind == "visual":
        resize_pos_embed(state, SimpleNamespace(visual=SimpleNamespace(grid_size=grid)))
    else:
        resize_text_pos_embed(state, SimpleNamespace(text=SimpleNamespace(positional_embedding=torch.zeros(rows, WIDTH))))


def main():
    cases, tensors = [], {}
    def add(kind, key, rows, new, grid, dtype):
        old = torch.from_numpy(formula.unit(key, rows * WIDTH).reshape(rows, WIDTH)).to(TYPES[dtype])
        state = {key: old.clone()}
        case = {"kind": kind, "dtype": dtype, "name": key, "from": [rows, WIDTH], "to": [new, WIDTH], **({"grid": list(grid)} if grid else {})}
        try:
            resize(kind, state, grid, new)
        except NotImplementedError as e:              # the antialiased bicubic filter has no half-precision form on a CPU
            cases.append({**case, "error": f"NotImplementedError: {e}"})
            return
        out = state[key]
        assert out.dtype == TYPES[dtype] and tuple(out.shape) == (new, WIDTH)
        n = str(len(tensors))
        tensors[n] = out.float().numpy()
        cases.append({**case, "tensor": n})
    for dtype in ("F32", "BF16", "F16"):
        for old, grid in VISUAL if dtype == "F32" else VISUAL[:4]:
            add("visual", "visual.positional_embedding", old * old + 1, grid[0] * grid[1] + 1, grid, dtype)
        for old, new in TEXT if dtype == "F32" else TEXT[:3]:
            add("text", "text.positional_embedding", old, new, None, dtype)
    kit.write_json(kit.GOLDEN / "small" / "positions.json",
                   {"profile": kit.profile(), "versions": kit.versions(), "tensors": "positions.safetensors", "cases": cases}, 2)
    kit.write_tensors(kit.GOLDEN / "small" / "positions.safetensors", tensors)
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
