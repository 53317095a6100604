"""Runs a command on a pseudo-terminal: terminal.py both|stdout|stderr COLUMNS COMMAND..."""
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios

streams, columns, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
master, slave = os.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
# Newlines as they were written: without the carriage returns that a terminal adds.
attributes = termios.tcgetattr(slave)
attributes[1] &= ~termios.OPOST
termios.tcsetattr(slave, termios.TCSANOW, attributes)
child = subprocess.Popen(
    command,
    stdin=slave,
    stdout=sys.stderr if streams == "stderr" else slave,
    stderr=sys.stderr if streams == "stdout" else slave,
)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
os.close(slave)


def hang_up(*_):
    """The terminal is closed, as when its window or connection is."""
    os.close(master)
    child.send_signal(signal.SIGHUP)
    child.send_signal(signal.SIGWINCH)


signal.signal(signal.SIGHUP, hang_up)
while True:
    try:
        seen = os.read(master, 65536)
    except OSError:
        # No process has the terminal open any more, or it has hung up.
        break
    if seen == b"":
        break
    sys.stdout.buffer.write(seen)
    sys.stdout.buffer.flush()
sys.exit(child.wait())
