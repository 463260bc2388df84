"""python run_notebooks.py [NAME...]: run the notebooks in nbs/ from top to bottom, one after the other, each in a process of its own
without a network. NAME picks those whose file name starts with it (02, index, 9). Nothing is written into the notebooks.
"""
import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.sax.saxutils import quoteattr

from offline import cut_off

ROOT = Path(__file__).resolve().parents[2]
ONE = 'import sys; from nbdev.test import nbdev_test; nbdev_test(sys.argv[1], verbose=len(sys.argv) > 2)'


def run_one(nb, verbose=False):
    "(exit code, seconds, what it printed)"
    env = {k: v for k, v in os.environ.items() if k not in ('IMGOPT_WORK', 'IN_TEST')}
    _, cmd, env = cut_off([sys.executable, '-c', ONE, str(nb)] + ['verbose'] * verbose, env)
    start = time.time()
    done = subprocess.run(cmd, env=env, cwd=str(nb.parent), stdin=subprocess.DEVNULL, stdout=None if verbose else subprocess.PIPE,
                          stderr=None if verbose else subprocess.STDOUT)
    return done.returncode, time.time() - start, (done.stdout or b'').decode('utf-8', 'replace')


def write_report(path, rows):
    cases = ''.join('<testcase name=%s time="%.2f">%s</testcase>' % (quoteattr(n), s, '<failure/>' if c else '') for n, c, s in rows)
    counts = 'tests="%d" failures="%d" errors="0" skipped="0"' % (len(rows), sum(bool(c) for _, c, _ in rows))
    Path(path).write_text('<testsuites><testsuite name="notebooks" %s>%s</testsuite></testsuites>' % (counts, cases), encoding='utf-8')


def record(rows):
    from imgopt_nb.scoreboard import append_line, hardware_stamp
    for name, seconds in rows: append_line(ROOT/'results'/'notebook_seconds.jsonl', dict(notebook=name, seconds=round(seconds, 1), stamp=hardware_stamp()))


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('names', nargs='*', metavar='NAME')
    p.add_argument('--nbs', default=str(ROOT/'nbs'), help='folder of the notebooks')
    p.add_argument('--verbose', action='store_true', help='show what the notebooks print')
    p.add_argument('--junitxml', help='write a report there')
    p.add_argument('--record', action='store_true', help='append the seconds to results/notebook_seconds.jsonl, which the front page reads')
    args = p.parse_args(argv)
    nbs = sorted(Path(args.nbs).resolve().glob('*.ipynb'))
    if args.names: nbs = [o for o in nbs if any(o.name.startswith(n) for n in args.names)]
    if not nbs: sys.exit('no notebook in %s matches %s' % (args.nbs, ' '.join(args.names) or '*.ipynb'))
    print('each notebook alone, the network cut off by', cut_off([])[0], flush=True)
    rows = []
    for nb in nbs:
        print('%-32s' % nb.stem, end='\n' if args.verbose else '', flush=True)
        code, seconds, text = run_one(nb, args.verbose)
        print('%7.1f s  %s' % (seconds, 'FAILED' if code else 'ok'), flush=True)
        if code: print(text, flush=True)
        rows.append((nb.stem, code, seconds))
    failed = sum(bool(o[1]) for o in rows)
    print('%-32s%7.1f s' % ('all', sum(o[2] for o in rows)))
    print('%d passed, %d failed' % (len(rows) - failed, failed), flush=True)
    if args.junitxml: write_report(args.junitxml, rows)
    if args.record: record([(n, s) for n, c, s in rows if not c])
    return int(failed > 0)


if __name__ == '__main__': sys.exit(main())
