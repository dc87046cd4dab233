"""Exact search by PyTorch on the same card: matmul in float16 and topk, queries on the card, ids back on the host."""
import json, sys, time
import torch

rows, dimensions, k = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(1)
stored = torch.empty(rows, dimensions, dtype=torch.float16, device="cuda")
for first in range(0, rows, 1_000_000):
    some = torch.randn(min(1_000_000, rows - first), dimensions, device="cuda")
    stored[first:first + len(some)] = torch.nn.functional.normalize(some).half()
times = {}
for count in map(int, sys.argv[4:]):
    queries = torch.nn.functional.normalize(torch.randn(count, dimensions, device="cuda")).half()
    taken = []
    for turn in range(60):
        torch.cuda.synchronize()
        start = time.perf_counter()
        (queries @ stored.T).topk(k).indices.cpu()
        taken.append(1000 * (time.perf_counter() - start))
    times[count] = sorted(taken[10:])[25]
print(json.dumps({"card": torch.cuda.get_device_name(), "torch": torch.__version__, "times": times}))
