"""python offline.py CMD...: run CMD with the network cut off and pass on its exit code.

On Linux where `unshare -rn` is allowed, CMD gets a network of its own with nothing but loopback in it (and is root in there).
Elsewhere Python processes get a guard that refuses every address but loopback; other programs are not held back.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

ME = str(Path(__file__).resolve())
GUARD = '''
import socket, sys

def _check(address):
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, bytes): host = host.decode('ascii', 'replace')
    here = ('', 'localhost', '::1', '0.0.0.0', '::', socket.gethostname())
    if not isinstance(host, str) or host in here or host.startswith('127.'): return
    raise OSError('network is cut off in this test')

def _guarded(name):
    real = getattr(socket.socket, name)
    def call(self, address, *args):
        if self.family in (socket.AF_INET, socket.AF_INET6): _check(address)
        return real(self, address, *args)
    return call

class _Socket(socket.socket):
    connect, connect_ex = _guarded('connect'), _guarded('connect_ex')

def _getaddrinfo(host, *args, _real=socket.getaddrinfo, **kw):
    _check(host)
    return _real(host, *args, **kw)

socket.socket, socket.SocketType, socket.getaddrinfo = _Socket, _Socket, _getaddrinfo
'''


def loopback_up():
    "What `ip link set lo up` does."
    import fcntl
    import socket
    import struct
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags, = struct.unpack('16xH', fcntl.ioctl(s, 0x8913, struct.pack('16sH14x', b'lo', 0))[:18])  # SIOCGIFFLAGS
        fcntl.ioctl(s, 0x8914, struct.pack('16sH14x', b'lo', flags | 1))                               # SIOCSIFFLAGS, IFF_UP


@lru_cache(maxsize=None)
def can_unshare():
    if sys.platform != 'linux' or not shutil.which('unshare'): return False
    probe = ['unshare', '-rn', sys.executable, ME, '--inside', sys.executable, '-c', '']
    try: return subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired): return False


@lru_cache(maxsize=None)
def guard_folder():
    folder = tempfile.mkdtemp(prefix='imgopt-offline-')
    Path(folder, 'sitecustomize.py').write_text(GUARD, encoding='utf-8')
    return folder


def cut_off(cmd, env=None):
    "(how it is done, command, environment) that run `cmd` without a network."
    env = dict(os.environ if env is None else env)
    if can_unshare(): return 'a network namespace of its own', ['unshare', '-rn', sys.executable, ME, '--inside'] + list(cmd), env
    env['PYTHONPATH'] = os.pathsep.join([guard_folder()] + [o for o in [env.get('PYTHONPATH')] if o])
    return "a guard in Python's socket module", list(cmd), env


def main(cmd):
    if not cmd: sys.exit(__doc__)
    if cmd[0] == '--inside':
        loopback_up()
        os.execvp(cmd[1], cmd[1:])
    how, cmd, env = cut_off(cmd)
    print('the network is cut off by', how, flush=True)
    if os.name != 'nt': os.execvpe(cmd[0], cmd, env)
    sys.exit(subprocess.call(cmd, env=env))


if __name__ == '__main__': main(sys.argv[1:])
