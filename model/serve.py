"""Start the engine on the pinned model: verify the files, then become vLLM's OpenAI server."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from model import fetch
from model import pin as pins

QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


def command(pin: pins.Pin, folder: Path, env: Mapping[str, str], extra: Sequence[str]) -> list[str]:
    """The engine's command line; what comes later wins, so `extra` can override the pin's arguments."""
    line = ["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    line += ["--served-model-name", env.get("SLUICE_MODEL_NAME") or pin.served_name]
    line += ["--port", env.get("SLUICE_ENGINE_PORT") or "8000"]
    if grace := env.get("SLUICE_SHUTDOWN_SECONDS"):  # vLLM's own default aborts every request at SIGTERM
        line += ["--shutdown-timeout", grace]
    if most := env.get("SLUICE_MAX_TOKENS"):
        line += bounded(int(most))
    if pin.adapters:
        line += ["--enable-lora", "--lora-modules", *[f"{name}={folder / at}" for name, at in pin.adapters.items()]]
    return [*line, *pin.args, *extra]


def bounded(most: int) -> list[str]:
    """vLLM's own bound on the tokens of every answer, also where nobody names one: it shortens, and refuses nothing."""
    return ["--override-generation-config", f'{{"max_new_tokens": {most}}}']


def verified(file: Path, env: Mapping[str, str]) -> tuple[pins.Pin, Path]:
    """The pin and its folder; PinError when the files differ, or the release asks for another model."""
    pin = pins.load(file)
    asked = env.get("SLUICE_MODEL_SHA256")
    if asked and asked != pin.sha256:
        raise pins.PinError(
            f"{file}: pins {pin.sha256[:12]}…, but the release asks for {asked[:12]}…: rebuild the image"
        )
    folder = fetch.placed(pin, file, env)
    pins.verify(pin, folder)
    return pin, folder


def main() -> None:
    try:
        pin, folder = verified(pins.chosen(), os.environ)
    except (pins.PinError, fetch.FetchError) as error:
        sys.exit(f"model: refused: {error}")
    line = command(pin, folder, os.environ, sys.argv[1:])
    line[0] = sys.executable
    # exec, so that the engine is process 1 of the container and gets SIGTERM itself
    os.execve(sys.executable, line, QUIET | dict(os.environ))  # noqa: S606


if __name__ == "__main__":
    main()
