#!/usr/bin/env python
"""Compare this code's models with golden cases: python tools/check_parity.py CASE.json ...

Prints a line a case. Exit code 0: all within tolerance; 1: a case misses; 2: a case cannot be read or built.
"""

import argparse
import sys

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
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    code = EXIT_DONE
    for path in args.cases:
        try:
            result = check_case(read_case(path), dtype=DTYPES[args.dtype], attention=args.attention)
        except UserError as error:
            print(f"BAD  {path}: {' '.join(str(error).splitlines())}")
            code = EXIT_USAGE
            continue
        print(f"{'PASS' if result.passed else 'MISS'} {path} ({args.dtype}, {args.attention}): {result}")
        if not result.passed:
            code = max(code, EXIT_LOST)
    return code


if __name__ == "__main__":
    sys.exit(run_command(main))
