"""The peers of the benchmarks: PyTorch, open_clip, ONNX Runtime and OpenVINO with formula-defined weights.

    python peers.py MODEL THREADS FOLDER

Reads commands, one JSON object a line, from standard input and answers each with one line on standard output.

    {"do": "tower", "peer": P, "batch": B}     seconds of one run through the visual tower
    {"do": "features", "peer": P}              its output for formula image 0
    {"do": "generate", "images": N, "length": L}  seconds and ids of open_clip's default search for formula images 0..N-1
    {"do": "export"}                           writes a model folder for `coca --model`
    {"do": "drop", "peer": P}                  forgets a peer and its memory
    {"do": "versions"}

P is one of torch_f32, torch_autocast, torch_bf16, onnxruntime_f32, onnxruntime_int8, openvino_f32, openvino_bf16, openvino_int8.
"""
import contextlib, gc, json, os, sys, time, warnings

NAME, THREADS, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)                                           # whatever libraries print goes to standard error

import numpy as np
import torch
import open_clip

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "testdata", "reference"))
import formula

torch.set_num_threads(THREADS)
torch.set_grad_enabled(False)
MODEL = formula.fill(open_clip.create_model(NAME))
SIZE = MODEL.visual.image_size[0]
IMAGES = formula.images(range(1), SIZE)


class Pooled(torch.nn.Module):
    """The visual tower's pooled output and image tokens, as open_clip returns them."""

    def __init__(self, visual):
        super().__init__()
        self.visual = visual

    def forward(self, x):
        return self.visual(x)


def onnx_file():
    path = os.path.join(FOLDER, "onnx", "tower.onnx")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.backends.mha.set_fastpath_enabled(False)    # a fused operator that ONNX does not have
        torch.onnx.export(Pooled(MODEL.visual), (IMAGES,), path, input_names=["pixels"], dynamo=False, opset_version=17,
                          dynamic_axes={"pixels": {0: "batch"}})
        torch.backends.mha.set_fastpath_enabled(True)
    return path


def torch_f32():
    return lambda x: MODEL.visual(x)[0].numpy()


def torch_autocast():
    def run(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return MODEL.visual(x)[0].float().numpy()
    return run


def torch_bf16():
    import copy
    visual = copy.deepcopy(MODEL.visual).bfloat16()
    return lambda x: visual(x.bfloat16())[0].float().numpy()


def onnxruntime_of(file):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    session = onnxruntime.InferenceSession(file(), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"pixels": x.numpy()})[0]


def int8_file():
    """The tower with every matrix product in int8: weights per channel, activations scaled as they come."""
    path = os.path.join(FOLDER, "onnx", "tower_int8.onnx")
    if not os.path.exists(path):
        from onnxruntime.quantization import QuantType, quantize_dynamic
        quantize_dynamic(onnx_file(), path, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
    return path


def openvino(kind, file=onnx_file):
    import openvino as ov
    core = ov.Core()
    model = core.compile_model(core.read_model(file()), "CPU", {
        "INFERENCE_PRECISION_HINT": kind, "INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"})
    request = model.create_infer_request()
    return lambda x: request.infer([x.numpy()])[model.output(0)]


PEERS = {"torch_f32": torch_f32, "torch_autocast": torch_autocast, "torch_bf16": torch_bf16, "onnxruntime_f32": lambda: onnxruntime_of(onnx_file), "onnxruntime_int8": lambda: onnxruntime_of(int8_file),
         "openvino_f32": lambda: openvino("f32"), "openvino_bf16": lambda: openvino("bf16"),
         "openvino_int8": lambda: openvino("f32", int8_file)}
ready = {}


def peer(name):
    if name not in ready:
        ready[name] = PEERS[name]()
        ready[name](IMAGES)                               # warm
    return ready[name]


def pixels(n):
    return IMAGES if n == 1 else formula.images(range(n), SIZE)


def timed(f):
    began = time.perf_counter()
    result = f()
    return time.perf_counter() - began, result


def do(c):
    match c["do"]:
        case "tower":
            run, x = peer(c["peer"]), pixels(c.get("batch", 1))
            run(x)                                        # warm after the pause, as ours is
            return {"seconds": timed(lambda: run(x))[0]}
        case "features":
            return {"values": np.asarray(peer(c["peer"])(IMAGES)).reshape(-1).astype(float).tolist()}
        case "generate":
            x = pixels(c["images"])
            seconds, ids = timed(lambda: MODEL.generate(x, seq_len=c["length"], sot_token_id=49406, eos_token_id=49407))
            return {"seconds": seconds, "ids": ids.tolist()}
        case "export":
            from safetensors.torch import save_file
            save_file({k: v.contiguous().clone() for k, v in MODEL.state_dict().items()}, os.path.join(FOLDER, "open_clip_model.safetensors"))
            with open(os.path.join(FOLDER, "open_clip_config.json"), "w") as f:
                json.dump({"model_cfg": open_clip.get_model_config(NAME), "preprocess_cfg": {}}, f)
            return {}
        case "drop":
            ready.pop(c["peer"], None)
            gc.collect()
            return {}
        case "versions":
            from importlib.metadata import version
            return {p: version(p) for p in ("torch", "open_clip_torch", "transformers", "onnxruntime", "openvino")}


for line in sys.stdin:
    try:
        answer = do(json.loads(line))
    except Exception as e:
        answer = {"error": f"{type(e).__name__}: {e}"[:400]}
    print(json.dumps(answer), file=answers, flush=True)
