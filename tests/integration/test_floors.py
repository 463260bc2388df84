"Modules on the numpy floor import neither torch nor what takes long; the others import at all."
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import imgopt_nb

NUMPY_FLOOR = ['figures', 'scoreboard', 'exercises', 'reading', 'imagesets', 'datasets', 'cleaning', 'preprocessing', 'geometry', 'colour', 'operations', 'augmentation']
HEAVY = ['torch', 'torchvision', 'fastai', 'timm', 'sklearn', 'scipy', 'pandas', 'matplotlib', 'ipywidgets', 'IPython', 'PIL']
MODULES = sorted(m.name for m in pkgutil.iter_modules([str(Path(imgopt_nb.__file__).parent)]) if not m.name.startswith('_'))


@pytest.mark.parametrize('name', NUMPY_FLOOR)
def test_the_numpy_floor_stays_light(name):
    code = f'import sys, imgopt_nb.{name}; print([m for m in {HEAVY} if m in sys.modules])'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == '[]', done.stdout + done.stderr


def test_every_module_imports_and_exports_what_it_says():
    assert set(NUMPY_FLOOR) < set(MODULES)
    code = f'import importlib\nfor n in {MODULES}:\n m = importlib.import_module("imgopt_nb." + n)\n assert all(hasattr(m, a) for a in m.__all__), n'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
