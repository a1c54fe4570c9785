"""Toy captioners, whose logits are a formula of the history.

They let the real generate method of OpenCLIP run without weights, and a second
implementation run on exactly the same model. The twin of this file is
generate/toy_test.go.
"""
import numpy as np
import torch
from open_clip.coca_model import CoCa

MASK = (1 << 64) - 1


def mix(z):
    """The finaliser of SplitMix64, on Python integers."""
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def fine(seed, ids, vocab):
    """Logits in [-6, 10), multiples of 2^-20: exact in float32, seldom equal."""
    h = mix(seed)
    for x in ids:
        h = mix(h ^ x + 1)
    raw = [mix(h ^ v << 32) >> 40 for v in range(vocab)]
    return (np.array(raw, dtype=np.float64) / (1 << 20) - 6).astype(np.float32)


def coarse(seed, ids, vocab):
    """Logits in [-5, 15.02], multiples of 0.01: sums often tie."""
    acc = 6151 * seed + sum((x + 1) * (j + 3) * 7919 for j, x in enumerate(ids))
    v = np.arange(vocab, dtype=np.int64)
    return (((acc + 104729 * v + 31 * len(ids) * v * v) % 2003) / 100 - 5).astype(np.float32)


class ToyCoCa(CoCa):
    """CoCa with the towers cut out; generate is inherited.

    An image is a [1, 1, 1] tensor that holds the seed of its logits.
    """

    def __init__(self, vocab, formula, eot, lift):
        torch.nn.Module.__init__(self)
        self.pad_id = 0
        self.vocab = vocab
        self.formula = formula
        self.eot = eot
        self.lift = lift  # added to the logit of EOT, so that captions end
        self.calls = 0
        # What the development branch looks at: the vocabulary size, and a
        # decoder that it calls with image embeddings and token embeddings.
        self.text = torch.nn.Module()
        self.text.token_embedding = torch.nn.Embedding(vocab, 1)
        self.text_decoder = self.last_logits

    def images(self, seeds):
        return torch.tensor(seeds, dtype=torch.float64).view(-1, 1, 1, 1)

    def _encode_image(self, images, normalize=True):
        return images[:, 0, 0, 0], images[:, :, 0, 0]

    def _encode_text(self, text, normalize=True):
        return None, text

    def last_logits(self, seeds, ids):
        """[B, 1] seeds and [B, n] ids give [B, 1, V] logits of the last position."""
        self.calls += 1
        rows = [
            self.formula(int(seed), row, self.vocab)
            for seed, row in zip(seeds[:, 0].tolist(), ids.tolist())
        ]
        logits = np.stack(rows)
        logits[:, self.eot] += np.float32(self.lift)
        return torch.from_numpy(logits)[:, None, :]

    def forward(self, image, text=None, image_latent=None, image_embs=None, output_labels=False):
        return {"logits": self.last_logits(image_embs, text)}
