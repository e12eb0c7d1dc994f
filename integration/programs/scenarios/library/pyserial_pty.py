"""pySerial, on a pseudo-terminal

``read()`` and ``write()`` wait in ``select.select``.
"""

import os
import pty
import select
import tty

import serial

NEEDS = ("pyserial",)
SELECT = True


def program(here):
    other, mine = pty.openpty()
    tty.setraw(mine)

    def device():
        for _ in range(2):
            select.select([other], [], [])
            line = os.read(other, 100)
            here.sleep(0.3)
            os.write(other, line.upper())

    with serial.Serial(os.ttyname(mine), timeout=5) as port:
        got = []
        for line in (b"one\n", b"two\n"):
            port.write(line)
            if not got:
                here.spawn(device)
            got.append(port.readline())
        port.timeout = 0.2
        assert port.read() == b""
    os.close(other)
    os.close(mine)
    assert got == [b"ONE\n", b"TWO\n"], got
