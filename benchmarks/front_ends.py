"""How long each front end of the registry takes for a second of audio, on one core.

python benchmarks/front_ends.py --corpus AUDIO_FOLDER --encoder ENCODER_FOLDER
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import soundfile
import torch

from serbench.api import SAMPLE_RATE_HZ
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry

FILES = 20


def main() -> None:
    """Print processor seconds per second of audio, over the first 20 files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of audio at 16 kHz")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of an encoder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(path for path in given.corpus.rglob("*") if path.suffix in {".wav", ".flac"})
    audio = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in files[:FILES]]
    seconds = sum(map(len, audio)) / SAMPLE_RATE_HZ
    plugins = load_plugins()
    for name, entry in load_registry(plugins).front_ends.items():
        cls = plugins.get("front_ends", entry.plugin)
        own = {"model": str(given.encoder)} if entry.plugin == "encoder-frames" else {}
        module = cls(cls.Params.model_validate({**entry.params, **own})).build()
        with torch.inference_mode():
            module(audio[0])
            start = time.process_time()
            for each in audio:
                module(each)
        print(f"{name:16} {(time.process_time() - start) / seconds:.4f}")


if __name__ == "__main__":
    main()
