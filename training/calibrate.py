"""Stage 2c: shifts and scales the match head so that its probability can be believed, on the tuning style alone.

    python3 training/calibrate.py RUN [--data .train/data]      rewrites RUN/model.pt

Log-odds become a odds + c, fitted on fxemoji's drawings and scenes, each with its own caption and with fifty wrong pictures:
one right and one wrong, and one right and fifty wrong, count alike. Orders by match stay as they are.
"""
import argparse
import json

import numpy as np
import torch

import data
import judge
from model import load
from train import Dev


def main():
    p = argparse.ArgumentParser()
    p.add_argument("run")
    p.add_argument("--data", default=".train/data")
    p.add_argument("--dev-style", default="fxemoji")
    p.add_argument("--dev-families", type=int, default=75)
    o = p.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load(f"{o.run}/model.pt").to(device)
    tokenizer = data.Tokenizer(open(f"{o.run}/vocab.txt").read().splitlines(), model.config.text_length)
    concepts = json.load(open(f"{o.data}/concepts.json"))
    styles, concept, pictures = data.load_drawings(o.data, "train")
    dev = torch.tensor([s == o.dev_style for s in styles])
    tuning = Dev(o, concepts, tokenizer, (concept[dev], data.premultiply(pictures[dev])))
    odds = [judge.match_pairs(model, x, ids, device) for x, ids in ((tuning.x, tuning.ids), (tuning.scene_x, tuning.scene_ids))]
    a, c = judge.fit(np.concatenate(odds))
    print({"a": a, "c": c, "before": [judge.calibration(x) for x in odds], "after": [judge.calibration(a * x + c) for x in odds]})
    file = torch.load(f"{o.run}/model.pt", map_location="cpu")
    weight, bias = (file["state_dict"][f"itm_score.fc.{k}"] for k in ("weight", "bias"))
    weight.mul_(a)
    bias.mul_(a).add_(torch.tensor([-c / 2, c / 2]))
    torch.save(file, f"{o.run}/model.pt")


if __name__ == "__main__":
    main()
