"""The cases of generate.py, drawn by a seed before anything is compared."""

MAIN_COMMIT = "89fb801f1e6087880e951fc8354b8a2077b79c6d"

VOCABS = [11, 11, 17, 23, 40, 300]


def base(rng, batch, **options):
    vocab = options.pop("vocab", None) or rng.choice(VOCABS)
    formula = options.pop("formula", None) or rng.choice(["fine", "fine", "fine", "coarse"])
    limit = 2000 if formula == "coarse" else 1 << 31
    return {
        "vocab": vocab,
        "formula": formula,
        # Mostly the last id. Another one moves the place of EOT among ties and
        # filters.
        "eot": vocab - 1 if rng.random() < 0.8 else rng.randrange(1, vocab - 2),
        "lift": rng.choice([0, 0, 2, 4, 6]),
        "seeds": [rng.randrange(1, limit) for _ in range(batch)],
        "options": options,
    }


def lengths(rng):
    seq_len = rng.choice([6, 8, 10, 12, 16, 20, 30, 30])
    return {"seq_len": seq_len, "min_seq_len": rng.choice([0, 1, 3, min(5, seq_len - 1), seq_len - 1])}


def prompt(rng, vocab, n, eot):
    """SOT and n-1 other ids, the last of them neither EOT nor the pad id."""
    ids = [vocab - 2] + [rng.randrange(vocab) for _ in range(n - 1)]
    while n > 1 and ids[-1] in (0, eot):
        ids[-1] = rng.randrange(vocab)
    return ids


def extras(rng, options):
    if rng.random() < 0.35:
        options["repetition_penalty"] = rng.choice([0.7, 1.1, 1.3, 2.0])
    if rng.random() < 0.2:
        options["fixed_output_length"] = True


def beams(rng, main, n):
    for i in range(n):
        options = lengths(rng) if rng.random() < 0.8 else {}
        if main:
            options["num_beams"] = rng.choice([1, 2, 3, 4, 6, 6])
        else:
            groups, size = divmod(i % 9, 3)
            options["num_beam_groups"] = groups + 1
            options["num_beams"] = (groups + 1) * (size + 1)
            if options["num_beams"] == 1:  # refused
                options["num_beams"], options["num_beam_groups"] = rng.choice([(6, 3), (6, 2), (6, 1), (8, 1)])
        extras(rng, options)
        width = options["num_beams"] // options.get("num_beam_groups", 1)
        vocab = rng.choice([v for v in VOCABS if v > 2 * width + 1])
        case = base(rng, rng.choice([1, 1, 3]), vocab=vocab, **options)
        if rng.random() < (0.4 if main else 0.1):
            most = case["options"].get("seq_len", 30) - 1
            case["options"]["prompt"] = prompt(rng, vocab, rng.randint(1, min(6, most)), case["eot"])
        yield case


def greedy(rng, main, n):
    """Sampling that leaves one candidate."""
    for i in range(n):
        options = lengths(rng)
        if main or i % 3:
            options |= {"generation_type": "top_k", "top_k": 1}
        else:
            options |= {"generation_type": "top_p", "top_p": 0.0}
        if rng.random() < 0.3:
            options["temperature"] = rng.choice([0.5, 2.0])
        extras(rng, options)
        if not main and rng.random() < 0.3:
            options["max_seq_len"] = rng.choice([1, 2, 3, 5, options["seq_len"] - 1, options["seq_len"]])
        case = base(rng, rng.choice([1, 1, 3]), **options)
        if i % 2:
            most = options["seq_len"] - 1 if main else options["seq_len"] + 2
            ids = prompt(rng, case["vocab"], rng.randint(1, most), case["eot"])
            if i % 10 == 1:
                ids[-1] = rng.choice([0, case["eot"]])
            case["options"]["prompt"] = ids
        yield case


def searches(rng, main):
    yield from beams(rng, main, 300 if main else 480)
    yield from greedy(rng, main, 100 if main else 240)


def distributions(rng, main):
    for i in range(300):
        options = {"temperature": rng.choice([0.3, 0.7, 1.0, 1.5, 4.0]), "min_seq_len": rng.choice([0, 5])}
        if i % 2:
            options |= {"generation_type": "top_k", "top_k": rng.choice([1, 2, 3, 5, 10, 50, 500] + [0] * main)}
        else:
            options |= {"generation_type": "top_p", "top_p": rng.choice([0.0, 0.1, 0.5, 0.9, 0.99, 1.0] + [1.2] * main)}
        if rng.random() < 0.3:
            options["repetition_penalty"] = rng.choice([0.7, 1.3])
        vocab = rng.choice([11, 40, 100, 300, 2500 if i % 10 == 0 else 60])
        case = base(rng, 1, vocab=vocab, **options)
        if rng.random() < 0.5:
            case["options"]["prompt"] = prompt(rng, vocab, rng.randint(1, 8), case["eot"])
        yield case


def options(main):
    """Option sets, refused and allowed ones."""
    sets = [
        {},
        {"seq_len": 5},
        {"seq_len": 6},
        {"seq_len": 4, "min_seq_len": 4},
        {"min_seq_len": -1},
        {"seq_len": 1, "min_seq_len": 0},
        {"seq_len": 2, "min_seq_len": 1},
        {"num_beams": 1, "num_beam_groups": 1},
        {"num_beams": 2, "num_beam_groups": 1},
        {"num_beams": 4, "num_beam_groups": 4},
        {"num_beams": 0},
        {"num_beams": -2, "num_beam_groups": 1},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": -1.0},
        {"repetition_penalty": 0.5},
        {"generation_type": "greedy"},
        {"generation_type": "top_k", "top_k": 0},
        {"generation_type": "top_k", "top_k": -3},
        {"generation_type": "top_k", "top_k": 3},
        {"generation_type": "top_k", "top_k": 10**6},
        {"generation_type": "top_k", "num_beams": 1, "num_beam_groups": 0},
        {"generation_type": "top_k", "top_p": 7.0},
        {"generation_type": "top_k", "seq_len": 1, "min_seq_len": 0},
        {"generation_type": "top_p", "top_p": -0.1},
        {"generation_type": "top_p", "top_p": 1.1},
        {"generation_type": "top_p", "top_p": 0.0},
        {"generation_type": "top_p", "top_p": 1.0},
        {"generation_type": "top_p", "top_k": 0},
        {"generation_type": "top_p", "temperature": 0.0},
        {"generation_type": "top_k", "temperature": 0.0},
        {"generation_type": "top_k", "top_k": 2, "temperature": -1.0},
        {"temperature": 0.0},
        {"top_k": 0, "top_p": 7.0},
        {"prompt": [9, 3, 4, 5, 6, 7, 8], "seq_len": 7},
        {"generation_type": "top_k", "prompt": [9, 3, 4, 5, 6, 7, 8], "seq_len": 7},
        {"generation_type": "top_k", "prompt": [9, 3, 4, 5, 6, 7, 8], "seq_len": 8},
        {"num_beams": 7, "num_beam_groups": 3},
        {"num_beams": 2, "num_beam_groups": 3},
        {"num_beam_groups": 0},
        {"num_beam_groups": -3},
    ]
    for s in sets:
        yield {"vocab": 11, "formula": "fine", "eot": 10, "lift": 0, "seeds": [4711], "options": s}
