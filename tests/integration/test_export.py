"What is committed is what the notebooks say."
from pathlib import Path

import nbformat

from imgopt_nb.export_tests import compare_export, directives, export_fresh

ROOT = Path(__file__).resolve().parents[2]


def test_a_fresh_export_equals_what_is_committed(tmp_path):
    files = export_fresh(ROOT, tmp_path)
    cells = {p: nbformat.read(p, 4).cells for p in (ROOT/'nbs').glob('*.ipynb')}
    notebooks = [p for p, cs in cells.items() if any(c.cell_type == 'code' and 'export' in directives(c.source) for c in cs)]
    modules = [f for f in files if f.startswith('imgopt_nb/') and not f.endswith(('__init__.py', '_modidx.py'))]
    assert len(modules) == len(notebooks) > 0, 'each notebook that exports wrote its module'
    assert any(f.startswith('tests/test_') for f in files), 'tests were written'
    differences = compare_export(ROOT, tmp_path)
    assert not differences, '\n'.join(differences)


def test_notebooks_are_committed_with_outputs_and_without_errors():
    for path in sorted((ROOT/'nbs').glob('*.ipynb')):
        nb = nbformat.read(path, 4)
        outputs = [o for c in nb.cells if c.cell_type == 'code' for o in c.outputs]
        assert outputs, f'{path.name} has no outputs: run `nbdev-test nbs/{path.name} --save`, then `nbdev-clean`'
        assert not [o for o in outputs if o.output_type == 'error'], f'{path.name} holds an error'
        big = [k for o in outputs for k, v in o.get('data', {}).items() if k in ('image/png', 'image/jpeg') and len(v)*3/4 > 60_000]
        assert not big, f'{path.name} holds a figure of more than 60 KB'
        assert path.stat().st_size < 2_500_000, f'{path.name} is larger than 2.5 MB'
