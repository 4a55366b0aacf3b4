"""Services as rules of the kernel: a pod's connection goes straight to a ready pod of the Service.

The rules are in the network namespace of each pod, at the hook for outgoing packets. Only the first
packet of a connection is looked up, and answers come back over the bridge.

pyroute2 encodes the rules. It has no transaction of several of them (each of its commands is one of
its own), so `install` sends the batch itself: connections never see a part of the rules.
"""

from __future__ import annotations

import functools
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

from pyroute2.netlink import NETLINK_NETFILTER, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFPROTO_IPV4,
    NFT_MSG_DELRULE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWTABLE,
    Cmp,
    Meta,
    Regs,
    nft_chain_msg,
    nft_rule_msg,
    nft_table_msg,
)
from pyroute2.nftables.expressions import genex, ipv4addr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from local.node.sandbox.messages import Service

__all__ = ["encode", "install"]

_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_OUTPUT_HOOK, _DNAT_PRIORITY = 3, -100
_TRANSPORT_HEADER, _DESTINATION_PORT = 2, 2
_INCREMENTAL, _DNAT = 0, 1
_TABLE, _CHAIN = "services", "output"
_RULES = {"table": _TABLE, "chain": _CHAIN}
_PROTOCOLS = {"TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP}


def encode(services: Iterable[Service], refusal: tuple[str, int]) -> bytes:
    """A batch that replaces the rules by those of these Services.

    A Service without targets leads to `refusal`, where nothing listens: the connection is refused
    at once. Of N rules of a Service the first takes every Nth connection, the second every (N-1)th
    of the rest, and so on, so that each target gets its turn.
    """
    hook = [("NFTA_HOOK_HOOKNUM", _OUTPUT_HOOK), ("NFTA_HOOK_PRIORITY", _DNAT_PRIORITY)]
    chain = {"table": _TABLE, "name": _CHAIN, "hook": {"attrs": hook}, "type": "nat"}
    return b"".join(
        [
            _frame(_BATCH_BEGIN),
            _message(nft_table_msg, NFT_MSG_NEWTABLE, NLM_F_CREATE, name=_TABLE),
            _message(nft_chain_msg, NFT_MSG_NEWCHAIN, NLM_F_CREATE, **chain),
            _message(nft_rule_msg, NFT_MSG_DELRULE, 0, **_RULES),
            *(_rules(service, refusal) for service in services),
            # The same again, for the answer: the kernel acknowledges a message of the batch, and
            # not its end.
            _message(nft_table_msg, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK, name=_TABLE),
            _frame(_BATCH_END),
        ]
    )


# Encoding takes most of the time of a change, and few Services change at once.
@functools.lru_cache(maxsize=4096)
def _rules(service: Service, refusal: tuple[str, int]) -> bytes:
    """The rules of one Service."""
    targets = service.targets or (refusal,)
    return b"".join(
        _message(
            nft_rule_msg,
            NFT_MSG_NEWRULE,
            NLM_F_CREATE | NLM_F_APPEND,
            **_RULES,
            expressions=list(_expressions(service, len(targets) - place, target)),
        )
        for place, target in enumerate(targets)
    )


def install(batch: bytes) -> None:
    """Apply a batch in this process's network namespace, all of it or nothing. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        kernel.settimeout(10)
        kernel.send(batch)
        # Errors come first, then the acknowledgement of the last message, whose code is 0.
        (code,) = struct.unpack_from("=i", kernel.recv(1 << 16), 16)
    if code:
        raise OSError(-code, os.strerror(-code), "nftables")


def _message(kind: Any, command: int, flags: int, **attributes: Any) -> bytes:
    message = kind()
    message["header"]["type"] = NFNL_SUBSYS_NFTABLES << 8 | command
    message["header"]["flags"] = NLM_F_REQUEST | flags
    message["nfgen_family"] = NFPROTO_IPV4
    message["attrs"] = [(kind.name2nla(name), value) for name, value in attributes.items()]
    message.encode()
    return bytes(message.data)


def _frame(kind: int) -> bytes:
    message = nfgen_msg()
    message["header"]["type"] = kind
    message["header"]["flags"] = NLM_F_REQUEST
    message["res_id"] = NFNL_SUBSYS_NFTABLES
    message.encode()
    return bytes(message.data)


def _expressions(service: Service, turn: int, target: tuple[str, int]) -> Iterator[Any]:
    """Every `turn`th connection to the Service that comes to this rule goes to the target."""
    yield from ipv4addr(dst=service.address)
    yield genex("meta", {"dreg": Regs.NFT_REG_1, "key": Meta.NFT_META_L4PROTO})
    yield _equals(bytes([_PROTOCOLS[service.protocol]]))
    place = {"base": _TRANSPORT_HEADER, "offset": _DESTINATION_PORT, "len": 2}
    yield genex("payload", {"dreg": Regs.NFT_REG_1, **place})
    yield _equals(struct.pack(">H", service.port))
    if turn > 1:
        counter = genex("ng", {"dreg": Regs.NFT_REG_1, "modulus": turn, "type": _INCREMENTAL})
        counter["attrs"][0] = ("NFTA_EXPR_NAME", "numgen")  # Its attributes have the short name.
        yield counter
        yield _equals(bytes(4))
    yield _load(Regs.NFT_REG_1, socket.inet_aton(target[0]))
    yield _load(Regs.NFT_REG_2, struct.pack(">H", target[1]))
    registers = {"reg_addr_min": Regs.NFT_REG_1, "reg_proto_min": Regs.NFT_REG_2}
    yield genex("nat", {"type": _DNAT, "family": NFPROTO_IPV4, **registers})


def _equals(value: bytes) -> Any:
    data = {"attrs": [("NFTA_DATA_VALUE", value)]}
    return genex("cmp", {"sreg": Regs.NFT_REG_1, "op": Cmp.NFT_CMP_EQ, "data": data})


def _load(register: int, value: bytes) -> Any:
    return genex("immediate", {"dreg": register, "data": {"attrs": [("NFTA_DATA_VALUE", value)]}})
