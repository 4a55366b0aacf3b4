"""Compile an exported program to an AOTInductor package: `compile.py PROGRAM OUT [--device cuda]`.

It needs PyTorch and nothing else, so that it runs in NVIDIA's PyTorch container, which has the same
PyTorch as the Triton container of the same version. The package is for the kind of processor that
compiles it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch.export.passes import move_to_device_pass


def main() -> None:
    """Compile, and run the package once on the program's own example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path, help="file of torch.export.save")
    parser.add_argument("out", type=Path, help="package to write, *.pt2")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    if not shutil.which(os.environ.get("CXX", "g++")):
        parser.exit(2, "compile.py: no C++ compiler on PATH: install g++\n")
    with tempfile.TemporaryDirectory(dir=arguments.out.absolute().parent) as scratch:
        # Caches default to a folder in the name of the user, who has no name in a container.
        for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TMPDIR", "HOME"):
            os.environ[name] = scratch
        tempfile.tempdir = scratch
        compile_program(arguments.program, arguments.out, arguments.device)
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes", flush=True)


def compile_program(program: Path, out: Path, device: str) -> None:
    """Write the package of a program. Raises what PyTorch raises."""
    exported = torch.export.load(program)
    if device != "cpu":
        exported = move_to_device_pass(exported, device)
    print(f"PyTorch {torch.__version__} compiles {program} for {device}", flush=True)
    # PyTorch documents these two under this name; there is no other.
    torch._inductor.aoti_compile_and_package(exported, package_path=str(out.absolute()))
    package: Any = torch._inductor.aoti_load_package(str(out))
    arguments, named = exported.example_inputs
    with torch.inference_mode():
        package(*arguments, **named)


if __name__ == "__main__":
    main()
