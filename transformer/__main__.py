"""Start the server: `python -m transformer --model_name NAME --predictor_host HOST ...`."""

from __future__ import annotations

import logging
import os
import sys

from release.schema import ReleaseError
from transformer import log, memory, served_release, server, settings


def main() -> None:
    """Serve until SIGTERM. Exits with status 2 if the arguments or the release are wrong."""
    options = settings.parse()
    try:
        release = served_release.load(options)
        listening = server.listen(options.port)
    except ReleaseError as error:
        sys.exit(_refuse(str(error)))
    except OSError as error:
        sys.exit(_refuse(f"--http_port {options.port}: {os.strerror(error.errno or 0)}"))
    memory.return_freed_memory()
    log.configure()
    logger = logging.getLogger("transformer")
    for warning in options.warnings:
        logger.warning(warning)
    port = listening.getsockname()[1]
    predictor = f"{options.predictor} ({options.protocol})"
    logger.info("serving %s on port %s, predictor %s", options.model, port, predictor)
    server.serve(options, release, listening)


def _refuse(message: str) -> int:
    print(f"transformer: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
