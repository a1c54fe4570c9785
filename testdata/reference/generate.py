"""Makes testdata/golden/generate: what OpenCLIP's generate answers on toy models.

Run it with each of the two environments of generate.md; it recognises the
profile by the version of open_clip and writes <profile>.json. Each case is the
outcome of the real generate method. Cases in which rounding or the order of equal
numbers decides are dropped and counted, because the library leaves them open.
"""
import contextlib
import itertools
import json
import logging
import math
import pathlib
import random
import warnings

import open_clip
import torch
import transformers
from open_clip import coca_model

import generate_cases
from generate_toy import ToyCoCa, coarse, fine

MAIN = not open_clip.__version__.startswith("3.3")
PROFILE = "main" if MAIN else "3.3"
OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "generate"
FORMULAS = {"fine": fine, "coarse": coarse}
FAR_BELOW = -1e8  # scores under it belong to placeholders, whose order is moot

# Release 3.3.0 adds float32 numbers that both implementations have exactly, so
# that only equal numbers are ambiguous. The development branch rounds a softmax.
MARGIN = 1e-4 if MAIN else 0.0


class Watch:
    """Notes the smallest gap between numbers of which the order decided."""

    def __init__(self):
        self.gap = math.inf
        self.pools = None

    def note(self, gap):
        if gap > 0 or MARGIN == 0:
            self.gap = min(self.gap, gap)
        else:
            self.gap = 0.0

    @contextlib.contextmanager
    def topk(self):
        real = torch.topk

        def watched(x, k, *args, **kwargs):
            n = min(int(k) + 1, x.shape[-1])
            best = real(x.detach().double(), n, dim=-1)[0]
            gaps = best[..., :-1] - best[..., 1:]
            gaps = gaps[best[..., 1:] > FAR_BELOW]
            if gaps.numel():
                self.note(gaps.min().item())
            return real(x, k, *args, **kwargs)

        torch.topk = watched
        try:
            yield
        finally:
            torch.topk = real


def run(case, seeds, watch=None):
    """Returns the rows of generate, as lists."""
    model = ToyCoCa(case["vocab"], FORMULAS[case["formula"]], case["eot"], case["lift"])
    model.eval()
    kwargs = {k: v for k, v in case["options"].items() if k != "prompt"}
    kwargs["sot_token_id"] = case["vocab"] - 2
    kwargs["eos_token_id"] = case["eot"]
    if "prompt" in case["options"]:
        kwargs["text"] = torch.tensor([case["options"]["prompt"]] * len(seeds))
    with watch.topk() if watch else contextlib.nullcontext():
        out = model.generate(model.images(seeds), **kwargs)
    return out.tolist()


def mend():
    """Lets the development branch sample with transformers 5.

    Its wrapper is no PreTrainedModel, and lacks what _sample asks a model for since
    5.0: which implementation its experts have. It has none. Upstream mended it the
    same way later (pull request 1200). Beam search does not ask.
    """
    from open_clip.generation import MultimodalGenerationWrapper as Wrapper
    if not hasattr(Wrapper, "get_experts_implementation"):
        Wrapper.get_experts_implementation = lambda self: {}


# ---- scores and the hypotheses that were not returned ----


@contextlib.contextmanager
def record_33(pools, watch):
    """Notes the final hypotheses of each image, best first, of one group."""

    class Recorder(coca_model.BeamSearchScorer):
        def finalize(self, input_ids, *args, **kwargs):
            out = super().finalize(input_ids, *args, **kwargs)
            groups = self.num_beam_groups
            for i in range(len(self._beam_hyps) // groups):
                lists = [
                    [(score, ids.tolist()) for score, ids, _ in g.beams]
                    for g in self._beam_hyps[i * groups:(i + 1) * groups]
                ]
                # Equal numbers aside, groups do not differ.
                if any(other != lists[0] for other in lists):
                    watch.note(0.0)
                best = sorted(lists[0], key=lambda h: h[0])[::-1]
                for (a, _), (b, _) in itertools.pairwise(best):
                    watch.note(a - b)
                assert best[0][0] == max(h[0] for h in lists[0])
                pools.append([{"ids": ids, "score": score} for score, ids in best])
            return out

    real = coca_model.BeamSearchScorer
    coca_model.BeamSearchScorer = Recorder
    try:
        yield
    finally:
        coca_model.BeamSearchScorer = real


@contextlib.contextmanager
def record_main(pools, watch):
    from open_clip.generation import MultimodalGenerationWrapper as Wrapper
    from transformers.generation import GenerationMixin

    def beam_search(self, input_ids, logits_processor, stopping_criteria, generation_config, **kwargs):
        config = generation_config
        config.return_dict_in_generate = config.output_scores = config.output_logits = True
        config.num_return_sequences = beams = config.num_beams
        out = GenerationMixin._beam_search(
            self, input_ids, logits_processor, stopping_criteria, config, **kwargs
        )
        prompt = input_ids.shape[1]
        lengths = prompt + (out.beam_indices >= 0).sum(dim=1)
        all_hyps = [
            {"ids": ids[:n].tolist(), "score": score.item()}
            for ids, n, score in zip(out.sequences, lengths, out.sequences_scores)
        ]
        for i in range(0, len(all_hyps), beams):
            kept = [h for h in all_hyps[i:i + beams] if h["score"] > FAR_BELOW]
            for a, b in itertools.pairwise(kept):
                watch.note(a["score"] - b["score"])
            pools.append(kept)
        return out.sequences[::beams]

    heuristic = GenerationMixin._check_early_stop_heuristic

    def check(**kwargs):
        cur = kwargs["cur_len"] - kwargs["decoder_prompt_len"]
        best = kwargs["running_beam_scores"][:, :1] / cur
        worst = kwargs["beam_scores"].min(dim=1, keepdim=True)[0]
        gaps = (best - worst).abs()[kwargs["is_sent_finished"].all(dim=1) & (best[:, 0] > FAR_BELOW)]
        if gaps.numel():
            watch.note(gaps.min().item())
        return heuristic(**kwargs)

    Wrapper._beam_search = beam_search
    Wrapper._check_early_stop_heuristic = staticmethod(check)
    try:
        yield
    finally:
        del Wrapper._beam_search, Wrapper._check_early_stop_heuristic


record = record_main if MAIN else record_33


def outcome(case):
    """Fills in what generate answers; returns the smallest deciding gap."""
    watch = Watch()
    case["rows"] = run(case, case["seeds"], watch)
    if len(case["seeds"]) > 1:
        case["alone"] = [run(case, [s])[0] for s in case["seeds"]]
    if case["options"].get("generation_type", "beam_search") == "beam_search":
        pools = []
        with record(pools, watch):
            run(case, case["seeds"], watch)
        for row, pool in zip(case["rows"], pools):
            best = pool[0]["ids"]
            if row[:len(best)] != best:
                watch.note(0.0)  # a tie between groups
        if pools:  # a single beam is a greedy search, which scores nothing
            case["pools"] = pools
    return watch.gap


# ---- distributions that are sampled from ----


class Captured(Exception):
    pass


def distribution(case):
    """The probabilities that the first step would sample from."""

    def capture(probs, num_samples, **kwargs):
        raise Captured(probs[0].double())

    real, torch.multinomial = torch.multinomial, capture
    try:
        run(case, case["seeds"])
    except Captured as e:
        probs = e.args[0]
    finally:
        torch.multinomial = real
    kept = probs.nonzero()[:, 0].tolist()
    case["tokens"] = kept
    case["probs"] = [float(f"{probs[v]:.7g}") for v in kept]


def near_boundary(case):
    """Whether a probability mass comes so near top_p that rounding decides, or the
    order of equal logits does, which torch.sort leaves open."""
    options = case["options"]
    if options["generation_type"] != "top_p":
        return False
    ids = options.get("prompt", [case["vocab"] - 2])
    logits = torch.from_numpy(FORMULAS[case["formula"]](case["seeds"][0], ids, case["vocab"])).double()
    logits[case["eot"]] += case["lift"]
    if len(ids) < options["min_seq_len"]:
        logits[case["eot"]] = -math.inf
    p = options.get("repetition_penalty", 1.0)
    for v in set(ids):
        logits[v] = logits[v] * p if logits[v] < 0 else logits[v] / p
    if MAIN:
        logits = logits / options["temperature"]
        logits[logits < logits.topk(min(50, len(logits)))[0][-1]] = -math.inf
    if options["top_p"] >= 1:
        return False
    ranked = logits.sort()[0]
    mass = ranked.softmax(-1).cumsum(-1)[:-1]  # the greatest always stays
    dropped = int((mass <= 1 - options["top_p"]).sum())
    tie = dropped > 0 and ranked[dropped - 1] == ranked[dropped] > -math.inf
    return tie or (mass - (1 - options["top_p"])).abs().min().item() < 1e-5


# ---- options that are refused ----


def refusal(case):
    try:
        run(case, case["seeds"])
        return None
    except Exception as e:
        return f"{type(e).__name__}: {e}".splitlines()[0][:160]


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    if MAIN:
        mend()
    rng = random.Random(20)
    searches, dropped = [], 0
    for case in generate_cases.searches(rng, MAIN):
        gap = outcome(case)
        if gap <= MARGIN:
            dropped += 1
        else:
            searches.append(case)
    distributions, near = [], 0
    for case in generate_cases.distributions(rng, MAIN):
        if near_boundary(case):
            near += 1
            continue
        distribution(case)
        distributions.append(case)
    options = []
    for case in generate_cases.options(MAIN):
        case["refused"] = refusal(case)
        options.append(case)
    head = {
        "profile": PROFILE,
        "versions": {
            "open_clip": open_clip.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__.split("+")[0],
        },
        "margin": MARGIN,
        "dropped_searches": dropped,
        "dropped_distributions": near,
    }
    if MAIN:
        head["versions"]["open_clip_commit"] = generate_cases.MAIN_COMMIT
    write(OUT / f"{PROFILE}.json", head, searches=searches, distributions=distributions, options=options)
    print(f"{len(searches)} searches ({dropped} dropped), {len(distributions)} distributions "
          f"({near} dropped), {len(options)} option sets")


def write(path, head, **lists):
    """Writes JSON with a line for each case."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dump = lambda x: json.dumps(x, separators=(",", ":"))
    parts = [f"{dump(k)}:{dump(v)}" for k, v in head.items()]
    for name, cases in lists.items():
        parts.append(f"{dump(name)}:[\n" + ",\n".join(map(dump, cases)) + "\n]")
    path.write_text("{" + ",\n".join(parts) + "}\n")


if __name__ == "__main__":
    main()
