"""Asks a gRPC server for its health, as a container's probe: `grpc_health.py ADDRESS SERVICE`."""

from __future__ import annotations

import sys

import grpc

_SERVING = b"\x08\x01"
"""A HealthCheckResponse whose status is SERVING."""


def main() -> int:
    address, service = sys.argv[1], sys.argv[2].encode()
    request = b"\x0a" + bytes([len(service)]) + service if service else b""
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer = check(request, timeout=10)
        except grpc.RpcError as error:
            print(error)
            return 1
    return 0 if answer == _SERVING else 1


if __name__ == "__main__":
    sys.exit(main())
