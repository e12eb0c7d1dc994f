"""PySNMP, on a Net-SNMP agent

PySNMP runs in an asyncio event loop, which waits in a selector while other greenlets run.
"""

import asyncio

from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    get_cmd,
)

NEEDS = ("pysnmp",)
SERVER = "snmpd"
LOCATION = "1.3.6.1.2.1.1.6.0"


async def ask(address):
    host, _, port = address.partition(":")
    engine = SnmpEngine()
    target = await UdpTransportTarget.create((host, int(port)))
    found = []
    for _ in range(3):
        await asyncio.sleep(0.2)
        asked = ObjectType(ObjectIdentity(LOCATION))
        error, _, _, values = await get_cmd(
            engine, CommunityData("public"), target, ContextData(), asked
        )
        assert error is None, error
        found.append(str(values[0][1]))
    engine.close_dispatcher()
    return found


def program(here):
    (answers,) = here.together(lambda: asyncio.run(ask(here.address)))
    assert answers == ["loopback"] * 3, answers
