"""The peers of the benchmarks: PyTorch, open_clip, ONNX Runtime and OpenVINO with formula-defined weights.

    python peers.py MODEL THREADS FOLDER

Reads commands, one JSON object a line, from standard input and answers each with one line on standard output.

    {"do": "tower", "peer": P, "batch": B}     seconds of one run through the visual tower
    {"do": "features", "peer": P}              its output for formula image 0
    {"do": "generate", "images": N, "length": L}  seconds and ids of open_clip's default search for formula images 0..N-1
    {"do": "train", "peer": P, "batch": B}     seconds, losses and largest memory of one training step: losses, gradients, AdamW
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


training = {}


def texts(n):
    """Captions of 8 to 14 words, as long as COCO's; train.go has the same."""
    context, vocabulary = open_clip.get_model_config(NAME)["text_cfg"]["context_length"], open_clip.get_model_config(NAME)["text_cfg"]["vocab_size"]
    rows = torch.zeros(n, context, dtype=torch.long)
    for i in range(n):
        words = [320 + (i * 7919 + j * 104729) % 40000 for j in range(8 + i % 7)]
        rows[i, :len(words) + 2] = torch.tensor([vocabulary - 2] + words + [vocabulary - 1])
    return rows


def train(peer, batch):
    """One step as open_clip_train makes it, without clipping and schedule."""
    if not training:
        named = [(n, p) for n, p in MODEL.named_parameters() if p.requires_grad]
        plain = lambda n, p: p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n or "logit_scale" in n
        training["optimizer"] = torch.optim.AdamW([
            {"params": [p for n, p in named if plain(n, p)], "weight_decay": 0.}, {"params": [p for n, p in named if not plain(n, p)], "weight_decay": 0.2}],
            lr=1e-5, betas=(0.9, 0.98), eps=1e-6)
        training["loss"] = open_clip.CoCaLoss(caption_loss_weight=2.0, clip_loss_weight=1.0)
        training["batch"] = formula.images(range(batch), SIZE), texts(batch)
        MODEL.train()

    def step():
        images, ids = training["batch"]
        training["optimizer"].zero_grad()
        with torch.enable_grad():
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=peer == "torch_autocast"):
                out = MODEL(images, ids)
                losses = training["loss"](**out, output_dict=True)
            sum(losses.values()).backward()
        training["optimizer"].step()
        MODEL.logit_scale.clamp_(0, 4.605170185988092)
        return [losses["contrastive_loss"].item(), losses["caption_loss"].item()]
    seconds, losses = timed(step)
    with open("/proc/self/status") as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) * 1024
    return {"seconds": seconds, "losses": losses, "peak": peak}


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
        case "train":
            return train(c["peer"], c["batch"])
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
