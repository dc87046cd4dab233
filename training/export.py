"""Stage 3a: the trained weights as an official VLMo checkpoint in float16, with vocab.txt.

    python3 training/export.py .train/run .train/result
"""
import os
import shutil
import sys

import torch

source, target = sys.argv[1:3]
os.makedirs(target, exist_ok=True)
file = torch.load(f"{source}/model.pt", map_location="cpu")
file["state_dict"] = {
    k: (v.half() if v.is_floating_point() else v).contiguous().clone() for k, v in file["state_dict"].items()
}
torch.save(file, f"{target}/vlmo_demo.pt")
shutil.copy(f"{source}/vocab.txt", f"{target}/vocab.txt")
n = sum(v.numel() for v in file["state_dict"].values())
print(f"{target}/vlmo_demo.pt: {n / 1e6:.2f} M parameters, {os.path.getsize(f'{target}/vlmo_demo.pt') / 1e6:.1f} MB")
