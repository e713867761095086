"""What a training step costs: ``python -m equiserve_models.body.cost`` prints CPU milliseconds a scan."""

from __future__ import annotations

import argparse
import time

import torch

from equiserve_models.body.recipes import RECIPES
from equiserve_models.training.allocator import keep_freed_memory


def milliseconds_a_scan(name: str, steps: int) -> tuple[float, float]:
    """Return CPU time of a whole training step and of making its scans, ms a scan.

    Args:
        name: Key of `RECIPES`.
        steps: Steps that are timed; one more warms up.
    """
    recipe = RECIPES[name]
    network, scans, loss_of = recipe.build(), recipe.scans(), recipe.loss()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    batch = torch.arange(recipe.plan.batch_size)
    started = time.process_time()
    for step in range(steps + 1):
        if step == 1:
            started = time.process_time()
        loss = loss_of(network, batch, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    whole = time.process_time() - started
    started = time.process_time()
    for step in range(steps):
        scans(len(batch), torch.Generator().manual_seed(step))
    making = time.process_time() - started
    return whole / steps / len(batch) * 1e3, making / steps / len(batch) * 1e3


def main(arguments: list[str] | None = None) -> None:
    """Print the cost of each recipe's step, or of one's."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.body.cost", description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument(
        "--return-memory", action="store_true", help="let glibc return freed memory, as it does by itself"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if not options.return_memory:
        keep_freed_memory()
    whole, making = milliseconds_a_scan(options.recipe, options.steps)
    print(f"{options.recipe}: {whole:.1f} ms CPU a scan, of which {making:.1f} ms make it")


if __name__ == "__main__":
    main()
