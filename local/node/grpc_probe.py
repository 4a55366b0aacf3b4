"""The command of a gRPC probe: `grpc_probe.py ADDRESS SERVICE`."""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub


def main() -> int:
    address, service = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        try:
            answer = HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=10)
        except grpc.RpcError as error:
            print(error)
            return 1
    return 0 if answer.status == HealthCheckResponse.SERVING else 1


if __name__ == "__main__":
    sys.exit(main())
