#!/usr/bin/env python
"""Compare this code's models with golden cases: python tools/check_parity.py CASE.json ...

Prints a line a case, or with --all_ways a line for each way of computing it. Exit code 0: all within tolerance;
1: a case misses; 2: a case cannot be read or built.
"""

import argparse
import sys
from itertools import product

import torch

from slowfast.models.layers.attention import IMPLEMENTATIONS
from slowfast.parity import check_case, read_case
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST, EXIT_USAGE, UserError

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", metavar="CASE.json", help="its tensors lie beside it in CASE.safetensors")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the computation (default: float32)")
    parser.add_argument("--attention", choices=IMPLEMENTATIONS, default="sdpa", help="attention kernel (default: sdpa)")
    parser.add_argument("--act_checkpoint", action="store_true", help="recompute activations in the backward pass")
    parser.add_argument("--all_ways", action="store_true", help="every dtype and kernel, recomputed or not")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    ways = [(args.dtype, args.attention, args.act_checkpoint)]
    if args.all_ways:
        ways = list(product(DTYPES, IMPLEMENTATIONS, (False, True)))
    return max(check(path, *way) for path in args.cases for way in ways)


def check(path, dtype, attention, act_checkpoint):
    """Compare one case in one way and print its line; the exit code."""
    try:
        result = check_case(read_case(path), dtype=DTYPES[dtype], attention=attention, act_checkpoint=act_checkpoint)
    except UserError as error:
        print(f"BAD  {path}: {' '.join(str(error).splitlines())}")
        return EXIT_USAGE
    way = ", ".join([dtype, attention, *(["recomputed"] if act_checkpoint else [])])
    print(f"{'PASS' if result.passed else 'MISS'} {path} ({way}): {result}")
    return EXIT_DONE if result.passed else EXIT_LOST


if __name__ == "__main__":
    sys.exit(run_command(main))
