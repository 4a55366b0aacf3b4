"""Starts the server: `python -m transformer --model_name NAME --predictor_host HOST ...`."""

from __future__ import annotations

import logging
import os
import sys

from transformer import log, release, server, settings


def main() -> None:
    """Ends with status 2 and a line on what is wrong with the arguments or the release."""
    given = settings.parse()
    try:
        release.load(given.release, given.model)
        listening = server.listen(given.port)
    except release.ReleaseError as error:
        sys.exit(_refuse(str(error)))
    except OSError as error:
        sys.exit(_refuse(f"--http_port {given.port}: {os.strerror(error.errno or 0)}"))
    log.configure()
    logger = logging.getLogger("transformer")
    for warning in given.warnings:
        logger.warning(warning)
    port = listening.getsockname()[1]
    where = f"port {port}, predictor {given.predictor} ({given.protocol})"
    logger.info("serving %s on %s", given.model, where)
    server.serve(given, listening)


def _refuse(message: str) -> int:
    print(f"transformer: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
