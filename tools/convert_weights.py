#!/usr/bin/env python
"""Rewrite a checkpoint's weights as a plain file: python tools/convert_weights.py IN --to safetensors|pyth

IN is a local path or URL of any format that the trainer reads (torch.save files of VideoMAE, timm, PySlowFast, XViT;
TorchScript archives; JAX .npz; safetensors; *.index.json of several files); nothing in it is executed. Names stay as
they are, but for wrappers' prefixes and JAX, which gets timm's. With --inspect the content is printed, and nothing is
written unless --to is given too.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlparse

import torch
from safetensors.torch import save

from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, UserError
from slowfast.utils.io import atomic_write
from slowfast.weights import read_checkpoint, state_dict_of
from slowfast.weights.fetch import INDEX_SUFFIX

TEXT_SHOWN = 100  # characters of a setting


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="IN", help="checkpoint: local path or URL")
    parser.add_argument("--to", choices=WRITERS, help="format of the new file")
    parser.add_argument("--out", type=Path, help="new file (default: IN's name, in this folder for a URL)")
    parser.add_argument("--inspect", action="store_true", help="print what IN holds")
    parser.add_argument("--sha256", default="", help="hex digest that IN must have")
    parser.add_argument("--cache_dir", default="", help="folder for downloads (default: ~/.torch/iopath_cache)")
    args = parser.parse_args(argv)
    if not args.to and not args.inspect:
        parser.error("nothing to do: give --to, --inspect or both")
    return args


def main(argv=None):
    args = parse_args(argv)
    content = read_checkpoint(args.source, sha256=args.sha256, cache_dir=args.cache_dir)
    state = state_dict_of(content, args.source)
    if args.inspect:
        print("\n".join(describe(content, state)))
    if args.to:
        out = args.out or default_out(args.source, args.to)
        if out.exists():
            raise UserError(f"{out} exists already; name another file with --out or remove it.")
        atomic_write(out, lambda file: WRITERS[args.to](state, file))
        print(f"{out}: {len(state)} tensors, {sum(tensor.numel() for tensor in state.values()):,} values")
    return EXIT_DONE


def describe(content, state):
    """Lines that show what a checkpoint holds: its entries beside the weights, and every tensor."""
    for name, value in content.items():
        if not torch.is_tensor(value):
            yield f"# {name}: {_summary(value)}"
    width = max(map(len, state))
    for name, tensor in state.items():
        yield f"{name:<{width}}  {'x'.join(map(str, tensor.shape)) or 'scalar'}  {_dtype(tensor)}"
    types = Counter(map(_dtype, state.values()))
    values = sum(tensor.numel() for tensor in state.values())
    yield f"{len(state)} tensors, {values:,} values; {', '.join(f'{count} {name}' for name, count in types.items())}"


def default_out(source, suffix):
    """IN's name with the new suffix: beside a local IN, in the current folder for a URL."""
    url = urlparse(str(source))
    path = Path(Path(url.path).name) if url.scheme and url.netloc else Path(source).expanduser()
    name = path.name[: -len(INDEX_SUFFIX)] if path.name.endswith(INDEX_SUFFIX) else path.name
    return path.with_name(f"{Path(name).stem}.{suffix}")


def write_safetensors(state, file):
    # contiguous copies, since the format knows no tensors that share memory
    file.write(save({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}))


def write_pyth(state, file):
    torch.save({"model_state": state}, file)


WRITERS = {"safetensors": write_safetensors, "pyth": write_pyth}


def _summary(value):
    """A setting in one line: what a dictionary holds (or a namespace, whose names are attributes), or the value."""
    if not isinstance(value, dict):
        return repr(value)[:TEXT_SHOWN]
    names = [str(name) for name in value or getattr(value, "__dict__", ())]
    return f"{len(names)} entries: {', '.join(names)}"[:TEXT_SHOWN]


def _dtype(tensor):
    return str(tensor.dtype).removeprefix("torch.")


if __name__ == "__main__":
    sys.exit(run_command(main))
