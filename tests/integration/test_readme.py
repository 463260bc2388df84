"The README's Python examples run, in order, in a process of their own; its links lead somewhere."
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT/'README.md').read_text(encoding='utf-8')


def test_python_examples_run(tmp_path):
    blocks = re.findall(r'^```python\n(.*?)^```', TEXT, re.S | re.M)
    assert len(blocks) >= 3, 'one example for each door'
    (tmp_path/'readme.py').write_text('\n'.join(blocks), encoding='utf-8')
    done = subprocess.run([sys.executable, 'readme.py'], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r'\d+ \d+ \d+% of the training labels', done.stdout) and "'cat': 1" in done.stdout


def test_links_and_pictures_are_there():
    targets = [t for t in re.findall(r'\]\(([^)#]+)\)', TEXT) if '://' not in t]
    assert any(t.startswith('README_files/') for t in targets), 'a picture'
    missing = [t for t in targets if not (ROOT/t).exists()]
    assert not missing, missing


def test_both_commands_stand_in_it():
    for command in ('python course.py lab', 'python course.py test'): assert command in TEXT
