"""What lets a stage move between machines: its averaged weights in float16 and where it was, in files of at most 15 MB.

The optimizer's state stays behind: a resumed stage warms up anew, and goes on where its schedule was.
"""
import glob
import io
import os

import torch

PART = 15 * 1000 * 1000


def save(folder, model, step, seconds):
    half = lambda v: v.detach().half().cpu() if v.is_floating_point() else v.cpu()
    file = io.BytesIO()
    torch.save({"weights": {k: half(v) for k, v in model.state_dict().items()}, "step": step, "seconds": seconds}, file)
    whole = file.getvalue()
    for i, at in enumerate(range(0, len(whole), PART)):
        with open(f"{folder}/checkpoint.{i}.part", "wb") as part:
            part.write(whole[at : at + PART])
    for path in sorted(glob.glob(f"{folder}/checkpoint.*.part")):
        os.replace(path, path[: -len(".part")])


def load(folder):
    """-> weights in float32, step, seconds."""
    whole = b"".join(open(path, "rb").read() for path in sorted(glob.glob(f"{folder}/checkpoint.[0-9]")))
    file = torch.load(io.BytesIO(whole), map_location="cpu")
    return {k: v.float() if v.is_floating_point() else v for k, v in file["weights"].items()}, file["step"], file["seconds"]


def with_new_words(state, old, tokenizer):
    """Weights for a vocabulary that has grown: a new word begins as the mean of the pieces that spelled it."""
    key = "text_embeddings.word_embeddings.weight"
    before = type(tokenizer)(old, tokenizer.length)
    known = state[key]
    new = [known[before.pieces(w)].mean(0) for w in tokenizer.words[len(old) :]]
    return {**state, key: torch.cat([known, torch.stack(new)]) if new else known}
