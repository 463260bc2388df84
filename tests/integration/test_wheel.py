"The wheel, built from a clean copy of the repository without a network, works in an environment of its own."
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEEN = '''
import importlib, pathlib, pkgutil, sys
import imgopt_nb
home = pathlib.Path(imgopt_nb.__file__).resolve().parent
assert home.is_relative_to(pathlib.Path(sys.prefix).resolve()), home
names = [o.name for o in pkgutil.iter_modules([str(home)])]
for name in names:
    module = importlib.import_module('imgopt_nb.' + name)
    assert pathlib.Path(module.__file__).resolve().parent == home, module.__file__
print(*sorted(names))
'''


def settings():
    ini = ConfigParser(delimiters=['='], interpolation=None)
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    return ini.defaults()


def env():
    return {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME')}


def source_files():
    "What a clone has, and what will be in it with the next commit."
    if not (ROOT/'.git').exists() or not shutil.which('git'): pytest.skip('needs a git checkout')
    # in a user namespace the checkout seems to belong to somebody else
    listed = subprocess.run(['git', '-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT,
                            stdout=subprocess.PIPE, check=True).stdout.decode()
    return [o for o in listed.split('\0') if o and (ROOT/o).is_file()]


def project_name(requirement): return re.match(r'[\w.-]+', requirement.strip()).group()


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    copy, out = tmp_path_factory.mktemp('copy'), tmp_path_factory.mktemp('out')
    for name in source_files():
        (copy/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT/name, copy/name)
    offline = ['--no-build-isolation', '--no-deps', '--no-index']
    done = subprocess.run([sys.executable, '-m', 'pip', 'wheel'] + offline + ['-w', str(out), str(copy)], env=env(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    (found,) = out.glob('*.whl')
    return found


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    "A new venv: the wheel from a file, the libraries from the environment these tests run in."
    venv = tmp_path_factory.mktemp('wheel')/'venv'
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(venv)], check=True)
    site = next(venv.glob('Lib/site-packages' if os.name == 'nt' else 'lib/python3*/site-packages'))
    # a plain path line: the .pth files in that folder, the editable install of this project among them, are not read
    (site/'libraries.pth').write_text(sysconfig.get_path('purelib') + '\n')
    python = venv/('Scripts/python.exe' if os.name == 'nt' else 'bin/python')
    # pip lives in the other folder, so it must not take the editable install there for the one to replace
    subprocess.run([sys.executable, '-m', 'pip', '--python', str(python), 'install', '-q', '--no-deps', '--no-index', '--ignore-installed',
                    str(wheel)], check=True, env=env())
    return python


def test_what_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = [o for o in source_files() if o.startswith('imgopt_nb/') and (o.endswith('.py') or o.startswith('imgopt_nb/data/'))]
    assert package and not set(package) - names
    assert not [o for o in names if not o.startswith(('imgopt_nb/', 'imgopt_nb-'))], 'only the package is in it'


def test_its_metadata(wheel):
    z = zipfile.ZipFile(wheel)
    (name,) = [o for o in z.namelist() if o.endswith('.dist-info/METADATA')]
    text = z.read(name).decode()
    wanted = [o for o in settings()['requirements'].splitlines() if o]
    plain = [o.split(': ')[1] for o in text.splitlines() if o.startswith('Requires-Dist') and 'extra ==' not in o]
    assert sorted(project_name(o) for o in plain) == sorted(project_name(o) for o in wanted)
    assert 'Requires-Python: >=' + settings()['min_python'] in text
    assert 'Provides-Extra: course' in text and 'Provides-Extra: dev' in text


def test_every_module_imports(installed, tmp_path):
    done = subprocess.run([str(installed), '-c', SEEN], cwd=tmp_path, env=env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {o.stem for o in (ROOT/'imgopt_nb').glob('*.py')} - {'__init__'}


def test_console_script(installed, tmp_path):
    script = installed.parent/('imgopt.exe' if os.name == 'nt' else 'imgopt')
    done = subprocess.run([str(script), '--help'], cwd=tmp_path, env=env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    assert 'usage' in done.stdout.lower()
