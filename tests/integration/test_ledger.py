"Every equation is checked, every exercise has a solution and a checker."
from pathlib import Path

import nbformat

from imgopt_nb.export_tests import directives, ledger

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2]/'nbs').glob('*.ipynb'))


def test_equations_and_exercises_pair_up():
    assert NOTEBOOKS
    problems = ledger(NOTEBOOKS)
    assert not problems, '\n'.join(problems)


def test_a_chapter_has_what_every_chapter_has():
    chapters = {}  # number: the directives of its code cells, all parts (02a, 02b, ...) together
    for path in NOTEBOOKS:
        if not path.name[:2].isdigit() or path.name[0] == '9': continue
        cells = nbformat.read(path, 4).cells
        text = '\n'.join(c.source for c in cells if c.cell_type == 'markdown')
        code = [directives(c.source) for c in cells if c.cell_type == 'code']
        chapters.setdefault(path.name[:2], []).extend(code)
        assert cells[0].source.startswith('# ') and '\n> ' in cells[0].source, f'{path.name}: title and subtitle'
        assert 'no network' in cells[0].source and 'minute' in cells[0].source, f'{path.name}: what it costs'
        assert 'prediction' in text, f'{path.name}: a prediction to make'
        assert any('test' in d for d in code), f'{path.name}: tests'
        collapsed = [c for c in cells if 'solution' in directives(c.source) and c.cell_type == 'code']
        assert all(c.metadata.get('jupyter', {}).get('source_hidden') for c in collapsed), f'{path.name}: solutions are collapsed'
    for number, code in chapters.items():
        assert sum('exercise' in d for d in code) >= 4, f'chapter {number}: at least 4 exercises'
        assert any('checks' in d for d in code), f'chapter {number}: checks'
