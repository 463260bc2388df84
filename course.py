"""The one launcher of this course. Standard library only; Linux, macOS, Windows; Python 3.10 or newer.

    python course.py lab                  open the course in JupyterLab, on your own copies of the chapters in work/
    python course.py lab --cpu            the same with the small CPU-only PyTorch (needs 4 GB of disk instead of 13; matters on Linux)
    python course.py reset 02             fetch chapter 02 afresh; your file is kept beside it
    python course.py test                 run every check there is, offline, and sum them up
    python course.py test notebooks       run only some steps: export, tests, notebooks, ledger, browser
    python course.py bench augmentation   compare this package with what people would use instead
    python course.py experiments 02       run the long experiments of chapter 02; resumable, results go into results/
    python course.py export               after editing nbs/: write imgopt_nb/, tests/ and README.md

The first run makes an environment of its own in .venv (about 3 GB to download, 7 GB on disk, 13 GB while installing);
nothing else is touched.
`lab` passes what it does not know on to JupyterLab: python course.py lab --no-browser --port 8899
lab and reset take --work DIR (default: work/), lab and test take --cpu.
Variables: IMGOPT_VENV=folder of the environment; IMGOPT_TORCH_INDEX=mirror of the CPU wheels of PyTorch;
IMGOPT_CHROMIUM=browser for the browser test; IMGOPT_MIN_FREE_GB=disk to insist on before installing, 0 for none.
"""
import contextlib
import difflib
import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WINDOWS = os.name == 'nt'
LIBRARIES = {'course': 'torch torchvision fastai cv2 ipywidgets matplotlib sklearn timm jupyterlab ipykernel hypothesis cleanlab imagehash skimage'.split(),
             'dev': 'nbdev nbconvert pytest playwright'.split()}
CPU_WHEELS = 'https://download.pytorch.org/whl/cpu'
SYSTEM_LIBRARY = r'(lib(GL|gthread|glib|SM|ICE|X|xcb)[\w.+-]*): cannot open shared object'

class Stop(Exception):
    "Ends the run with one line for the user."
    def __init__(self, message, code=2):
        super().__init__(message)
        self.code = code

def say(*lines):
    for line in lines: print(line, flush=True)

# ---------------------------------------------------------------- running things

def venv_dir(): return Path(os.environ.get('IMGOPT_VENV') or HERE/'.venv').absolute()
def venv_python(venv): return venv/('Scripts/python.exe' if WINDOWS else 'bin/python')

def clean_env(venv=None, **more):
    "The user's environment without what would leak into the venv's Python."
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME', '__PYVENV_LAUNCHER__')}
    env.update(PYTHONNOUSERSITE='1', PIP_DISABLE_PIP_VERSION_CHECK='1', PIP_USER='0')
    if venv: env.update(VIRTUAL_ENV=str(venv), PATH=str(venv_python(venv).parent) + os.pathsep + env.get('PATH', ''))
    env.update(more)
    return env

def run(cmd, env=None, cwd=None, keep=()):
    "Run `cmd` with live output and return its exit code; when this run is stopped, `cmd` ends too."
    child = subprocess.Popen([str(o) for o in cmd], env=env, cwd=str(cwd or HERE), pass_fds=() if WINDOWS else keep)
    try: return child.wait()
    except BaseException:
        try: child.wait(10)  # Ctrl-C has reached it as well
        except BaseException: child.kill()
        child.wait()
        raise

def ask(cmd):
    "Run `cmd` silently: exit code, what it printed, the last line of its errors."
    done = subprocess.run([str(o) for o in cmd], env=clean_env(), cwd=tempfile.gettempdir(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = [o.decode('utf-8', 'replace').strip() for o in (done.stdout, done.stderr)]
    return done.returncode, out, err.splitlines()[-1] if err else ''

def become(cmd, env, cwd):
    "Turn into `cmd`, so that Ctrl-C and kill reach it and nothing is left behind."
    cmd = [str(o) for o in cmd]
    sys.stdout.flush()
    if WINDOWS: return run(cmd, env, cwd)
    os.chdir(str(cwd))
    os.execve(cmd[0], cmd, env)

def write(path, text):
    "Write atomically: a temporary file beside it, then a rename."
    data = text if isinstance(text, bytes) else text.encode('utf-8')
    part = path.with_name('.%s.%d.part' % (path.name, os.getpid()))
    part.write_bytes(data)
    os.replace(str(part), str(path))

def sha(path): return hashlib.sha256(path.read_bytes()).hexdigest()

def read_json(path):
    "The dict in `path`; empty when it is missing or damaged."
    try: found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError): return {}
    return found if isinstance(found, dict) else {}

# ---------------------------------------------------------------- the environment

def need_python():
    if sys.version_info < (3, 10):
        raise Stop('course.py needs Python 3.10 or newer; this is %d.%d.%d. Try: python3.11 course.py lab' % tuple(sys.version_info[:3]))

def importable(name): return importlib.util.find_spec(name) is not None

def need_venv_module():
    if importable('venv') and importable('ensurepip'): return
    fix = 'Try: sudo apt install python3-venv (or python3.%d-venv)' % sys.version_info[1]
    raise Stop('This Python lacks the modules venv and ensurepip. %s, then run the same command again.' %
               (fix if sys.platform == 'linux' else 'Install Python from python.org'))

def site_packages(venv):
    return next(iter(venv.glob('Lib/site-packages' if WINDOWS else 'lib/python3*/site-packages')), venv/'none')

def has_torch(venv): return any(site_packages(venv).glob('torch-*.dist-info'))

def need_disk(venv, cpu):
    small = cpu or sys.platform != 'linux' or has_torch(venv) or read_json(venv/'imgopt.json').get('cpu')
    try: need = float(os.environ.get('IMGOPT_MIN_FREE_GB') or (4 if small else 13))  # 7 stay; downloads and pip's cache
    except ValueError: raise Stop('IMGOPT_MIN_FREE_GB must be a number of gigabytes, e.g. 6')
    there = next(o for o in [venv] + list(venv.parents) if o.is_dir())
    free = shutil.disk_usage(str(there)).free / 1e9
    if free >= need: return
    tip = '' if small else ', or take the smaller CPU-only PyTorch with --cpu (4 GB)'
    raise Stop('Installing needs about %g GB of disk and %s has %.1f GB free. Make room%s; IMGOPT_MIN_FREE_GB=0 goes ahead anyway.'
               % (need, there, free, tip))

@contextlib.contextmanager
def lock(path):
    "One process at a time. The system frees the lock when its holder dies, and on POSIX once an orphaned pip has ended too."
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(str(path), 'a+') as f:
        if not try_lock(f.fileno()):
            say('Another run is installing into the same environment; waiting until it is done ...')
            while not try_lock(f.fileno()): time.sleep(.3)
        yield f.fileno()

def try_lock(fd):
    try:
        if WINDOWS:
            import msvcrt
            os.lseek(fd, 0, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as e: return e.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # a disk without locks: go on without

def pyvenv(venv):
    try: text = (venv/'pyvenv.cfg').read_text(encoding='utf-8')
    except (OSError, ValueError): return {}
    return dict(re.findall(r'^(\w+)\s*=\s*(.*?)\s*$', text, re.M))

def fingerprint(venv):
    "Changes when what is installed would have to change: requirements, constraints, build files, Python, the project's place."
    from configparser import ConfigParser, Error
    ini = ConfigParser(delimiters=['='], interpolation=None)
    try: ini.read(str(HERE/'settings.ini'), encoding='utf-8')
    except (Error, ValueError) as e: raise Stop('settings.ini cannot be read: %s. Try: git checkout settings.ini' % str(e).splitlines()[0])
    keys = [(k, v) for k, v in sorted(ini.defaults().items()) if 'require' in k or k in ('name', 'min_python', 'console_scripts')]
    files = [sha(HERE/o) if (HERE/o).exists() else '' for o in ('constraints.txt', 'setup.py', 'pyproject.toml')]
    cfg, real = pyvenv(venv), os.path.realpath(str(venv_python(venv)))
    return hashlib.sha256(json.dumps([keys, files, cfg.get('version'), cfg.get('home'), real, str(HERE)]).encode()).hexdigest()

def ready(venv, extra):
    stamp = read_json(venv/'imgopt.json')
    return (extra in stamp.get('extras', ()) and venv_python(venv).exists() and os.path.isdir(pyvenv(venv).get('home', ''))
            and stamp.get('fingerprint') == fingerprint(venv))

def trouble(venv):
    "What is wrong with the venv, or ''."
    if not venv_python(venv).exists(): return 'its Python is missing'
    made = re.match(r'\d+\.\d+', pyvenv(venv).get('version', ''))
    try: code, out, _ = ask([venv_python(venv), '-I', '-c', 'import sys, pip; print("%d.%d" % sys.version_info[:2])'])
    except OSError: return 'its Python does not run'
    if code or not made: return 'its Python or its pip does not run'
    if out != made.group(): return 'it was made by Python %s and now runs Python %s' % (made.group(), out)
    if tuple(map(int, out.split('.'))) < (3, 10): return 'its Python %s is too old' % out
    return ''

def remove(venv):
    old = venv.with_name('%s.old-%d' % (venv.name, os.getpid()))
    try: os.replace(str(venv), str(old))
    except OSError: raise Stop('%s is in use. Close JupyterLab and whatever else runs from it, then again.' % venv)
    shutil.rmtree(str(old), ignore_errors=True)

def make_venv(venv):
    need_venv_module()
    say('making %s with Python %d.%d.%d' % ((venv.name,) + tuple(sys.version_info[:3])))
    venv.mkdir(parents=True, exist_ok=True)
    write(venv/'imgopt.json', '{}')  # ours, even if the next line is cut short
    base = getattr(sys, '_base_executable', None) or sys.executable
    if run([base, '-m', 'venv', venv], clean_env()) or trouble(venv):
        raise Stop('The environment could not be made (the message is above). Check the disk, then run the same command again.')

def install(venv, extra, cpu, fd):
    "pip's steps; they need no network when nothing is missing."
    site, limits = site_packages(venv), ['-c', HERE/'constraints.txt'] if (HERE/'constraints.txt').exists() else []
    for left in list(site.glob('~*')) + [o for o in site.glob('*.dist-info') if not (o/'INSTALLER').exists()]:
        shutil.rmtree(str(left), ignore_errors=True)  # a killed pip left it; pip would take it for installed
    light, size = cpu and sys.platform == 'linux', 'about 3 GB to download, 7 GB on disk, 3 minutes on a fast line'
    if light or sys.platform != 'linux': size = 'about 1 GB to download, 3 GB on disk'
    if has_torch(venv): size = 'what is there already is kept'
    steps = [('pip and its build tools', ['pip>=24', 'setuptools>=77', 'wheel>=0.43'])]
    if light and not has_torch(venv):
        index = os.environ.get('IMGOPT_TORCH_INDEX') or CPU_WHEELS
        steps.append(('PyTorch for the CPU (about 0.3 GB)', ['--no-deps', 'torch', 'torchvision', '--index-url', index]))
    steps.append(('the libraries of the course (%s)' % size, ['--no-build-isolation', '-e', '.[%s]' % extra]))
    for i, (what, args) in enumerate(steps, 1):
        say('%d/%d installing %s' % (i, len(steps) + 1, what))
        if run([venv_python(venv), '-m', 'pip', 'install'] + args + limits, clean_env(venv), keep=(fd,)):
            raise Stop("The installation stopped (pip's own message is above). Check the network and the disk, "
                       'then run the same command again: it goes on where it stopped.')
    say('%d/%d trying the libraries out (the first time takes a while)' % (len(steps) + 1, len(steps) + 1))
    return verify(venv, extra)

def verify(venv, extra):
    "Import the main libraries; '' or what went wrong."
    names = LIBRARIES['course'] + (LIBRARIES['dev'] if extra == 'dev' else []) + ['imgopt_nb']
    code, _, err = ask([venv_python(venv), '-I', '-c', 'import sys, importlib\nfor o in sys.argv[1:]: importlib.import_module(o)'] + names)
    return (err or 'exit code %d' % code) if code else ''

def ensure_env(extra, cpu=False):
    "A venv with the course's libraries in it; returns its Python. Costs milliseconds when it is there and fits."
    need_python()
    venv = venv_dir()
    if ready(venv, extra): return venv_python(venv)
    if not venv_python(venv).exists(): need_venv_module()
    need_disk(venv, cpu)
    try:
        with lock(venv.with_name(venv.name + '.lock')) as fd:
            if not ready(venv, extra): build_env(venv, extra, cpu, fd)
    except KeyboardInterrupt: raise Stop('Stopped. The next run of the same command goes on where this one was.', 130)
    return venv_python(venv)

def build_env(venv, extra, cpu, fd):
    for old in venv.parent.glob(venv.name + '.old-*'): shutil.rmtree(str(old), ignore_errors=True)
    stamp, fresh = read_json(venv/'imgopt.json'), not os.path.lexists(str(venv))
    extra, cpu = 'dev' if 'dev' in stamp.get('extras', ()) else extra, cpu or bool(stamp.get('cpu'))
    if not fresh:
        empty = venv.is_dir() and not any(venv.iterdir())
        if not (empty or (venv/'pyvenv.cfg').exists() or (venv/'imgopt.json').exists()):
            raise Stop('%s is there and is no Python environment. Move it away, then run the same command again.' % venv)
        wrong = 'it is empty' if empty else trouble(venv)
        if wrong:
            say('The environment %s cannot be used (%s); making it anew.' % (venv.name, wrong))
            remove(venv)
            fresh = True
    if fresh: make_venv(venv)
    write(venv/'imgopt.json', json.dumps(dict(extras=stamp.get('extras', []), cpu=cpu)))  # no fingerprint yet: not ready
    wrong = install(venv, extra, cpu, fd)
    missing = re.search(SYSTEM_LIBRARY, wrong)
    if missing: raise Stop('The system lacks %s. Try: sudo apt install libgl1 libglib2.0-0, then again.' % missing.group(1))
    if wrong and not fresh:
        say('The libraries do not work (%s); making the environment anew.' % wrong)
        remove(venv)
        make_venv(venv)
        wrong = install(venv, extra, cpu, fd)
    if wrong: raise Stop('The libraries are installed but do not work: %s. Delete %s and run the same command again.' % (wrong, venv))
    settings = {'@jupyterlab/apputils-extension:notification': dict(fetchNews='false', checkForUpdates=False),
                '@jupyterlab/notebook-extension:tracker': dict(codeCellConfig=dict(lineWrap=True))}
    config = venv/'etc'/'jupyter'/'labconfig'
    config.mkdir(parents=True, exist_ok=True)
    write(config/'default_setting_overrides.json', json.dumps(settings))  # no question about news; long lines wrap
    stamp = dict(extras=['course', 'dev'] if extra == 'dev' else ['course'], cpu=cpu, fingerprint=fingerprint(venv))
    write(venv/'imgopt.json', json.dumps(stamp))
    say('The environment is ready.', '')

# ---------------------------------------------------------------- the student's copies

def chapters():
    "The notebooks a student gets: file name -> path."
    found = sorted((HERE/'nbs').glob('*.ipynb'))
    return {o.name: o for o in found if o.name == 'index.ipynb' or re.match(r'[0-8]\d[a-z]?_', o.name)}

def make_work(work):
    if os.path.lexists(str(work)) and not work.is_dir():
        raise Stop('%s is a file; the chapters need a folder there. Move it away or choose another with --work.' % work)
    work.mkdir(parents=True, exist_ok=True)

def copy_chapters(work):
    "Copy the chapters that are not there yet; never overwrite. Say which have a newer version."
    make_work(work)
    copied = read_json(work/'.copied.json')
    before = dict(copied)
    for name, source in chapters().items():
        if not os.path.lexists(str(work/name)):
            write(work/name, source.read_bytes())
            copied[name] = sha(source)
        elif copied.setdefault(name, sha(source)) != sha(source):
            if sha(work/name) == sha(source): copied[name] = sha(source)
            else: say('%s has a newer version: `python course.py reset %s` fetches it (your file is kept)'
                      % (source.stem, source.stem.split('_')[0]))
    if copied != before: write(work/'.copied.json', json.dumps(copied, indent=1))

def find_chapters(word):
    "01 means all parts of chapter 01 (01a, 01b), 1 the same, 01a only that part."
    names, stem = chapters(), word[:-6] if word.endswith('.ipynb') else word
    number = '%02d' % int(stem) if stem.isdecimal() else None
    prefix = lambda o: o.split('_')[0]
    hits = [o for o in names if o[:-6] == stem or prefix(o) == stem or (number and prefix(o).rstrip('abcdefgh') == number)]
    if not hits: raise Stop('There is no chapter "%s". There are: %s' % (word, ', '.join(o[:-6] for o in names) or 'none'))
    return hits

def aside(path):
    "A name beside `path` that nobody has yet."
    stem = '%s.old-%s' % (path.stem, time.strftime('%Y%m%d-%H%M%S'))
    names = (path.with_name(stem + more + path.suffix) for more in [''] + ['-%d' % i for i in range(2, 100)])
    return next(o for o in names if not os.path.lexists(str(o)))

def reset(args):
    work = work_dir(args)
    if not args: raise Stop('Which chapter? There are: %s' % ', '.join(o[:-6] for o in chapters()))
    names = list(dict.fromkeys(o for word in args for o in find_chapters(word)))
    make_work(work)
    copied = read_json(work/'.copied.json')
    for name in names:
        source, mine, kept = HERE/'nbs'/name, work/name, ''
        if os.path.lexists(str(mine)):
            old = aside(mine)
            os.replace(str(mine), str(old))
            kept = '; yours is kept as ' + old.name
        write(mine, source.read_bytes())
        copied[name] = sha(source)
        say('%s is fresh again%s' % (mine, kept))
    write(work/'.copied.json', json.dumps(copied, indent=1))
    return 0

# ---------------------------------------------------------------- the verbs

def flag(args, name):
    "Take the flag `name` out of `args`."
    found, args[:] = name in args, [o for o in args if o != name]
    return found

def work_dir(args):
    "Take --work DIR out of `args`."
    work = HERE/'work'
    for i, arg in enumerate(args):
        if arg == '--work' or arg.startswith('--work='):
            value = arg[7:] if '=' in arg else ''.join(args[i+1:i+2])
            if not value or value.startswith('-'): raise Stop('--work needs a folder, e.g. --work mine')
            work = Path(value).expanduser()
            del args[i:i + (1 if '=' in arg else 2)]
            break
    return work.absolute()

def lab(args):
    cpu, work = flag(args, '--cpu'), work_dir(args)
    python = ensure_env('course', cpu)
    copy_chapters(work)
    cmd = [python, '-m', 'jupyterlab', '--ServerApp.root_dir=%s' % work]
    if not any(o.endswith('.ipynb') for o in args) and (work/'index.ipynb').exists(): cmd += ['--LabApp.default_url=/lab/tree/index.ipynb']
    if hasattr(os, 'geteuid') and os.geteuid() == 0: cmd += ['--allow-root']
    say('Opening JupyterLab on %s. Ctrl-C here ends it.' % work)
    return become(cmd + args, clean_env(venv_dir(), IMGOPT_WORK=str(work)), work)

def imgopt(verb, args):
    return become([ensure_env('course'), '-m', 'imgopt_nb.cli', verb] + args, clean_env(venv_dir()), HERE)

def experiments(args): return imgopt('experiments', args)
def bench(args): return imgopt('bench', args)

def export(args):
    if args: raise Stop('export takes no arguments, and was given: %s' % ' '.join(args))
    python = ensure_env('dev')
    env = clean_env(venv_dir())
    env.pop('IN_TEST', None)  # nbdev exports nothing while it is set, and says nothing
    return run([python, '-c', 'from nbdev.doclinks import nbdev_export; nbdev_export()'], env) or \
        run([python, '-m', 'imgopt_nb.export_tests', 'readme'], env)

def find_chromium():
    "A Chromium for the browser test, or None."
    named = os.environ.get('IMGOPT_CHROMIUM')
    if named: return shutil.which(named) or (named if os.path.exists(named) else None)
    for name in 'chromium chromium-browser google-chrome google-chrome-stable chrome msedge'.split():
        if shutil.which(name): return shutil.which(name)
    places = ['/Applications/%s.app/Contents/MacOS/%s' % (o, o) for o in ('Google Chrome', 'Chromium', 'Microsoft Edge')]
    for folder in filter(None, map(os.environ.get, ('ProgramFiles', 'ProgramFiles(x86)', 'LocalAppData'))):
        places += [os.path.join(folder, o) for o in (r'Google\Chrome\Application\chrome.exe', r'Microsoft\Edge\Application\msedge.exe')]
    return next((o for o in places if os.path.exists(o)), None)

def plan(python):
    "The steps of `test`: name -> command."
    there, pytest = Path('tests')/'integration', [python, '-m', 'pytest', '-q', '--color=yes' if sys.stdout.isatty() else '--color=no']
    own = [there/('test_%s.py' % o) for o in ('export', 'ledger', 'browser')]
    return {'export': pytest + [own[0]],
            'tests': [python, there/'offline.py'] + pytest + ['tests'] + ['--ignore=%s' % o for o in own],
            'notebooks': [python, there/'run_notebooks.py'],
            'ledger': pytest + [own[1]],
            'browser': pytest + [own[2]]}

def counts(report, code):
    "(passed, failed, skipped) from a JUnit report; a step that dies counts as one failure."
    from xml.etree import ElementTree
    try: suites = list(ElementTree.parse(str(report)).iter('testsuite'))
    except (OSError, ElementTree.ParseError): suites = []
    total, failures, errors, skipped = [sum(int(o.get(k, 0)) for o in suites) for k in ('tests', 'failures', 'errors', 'skipped')]
    return total - failures - errors - skipped, failures + errors or int(code != 0), skipped

def test(args):
    cpu = flag(args, '--cpu')
    flag(args, '-k')
    steps = plan('python')
    names = [o for o in steps if not args or any(a in o for a in args)]
    if not names: raise Stop('No step of the test is called "%s". There are: %s' % (' '.join(args), ', '.join(steps)))
    python = ensure_env('dev', cpu)
    steps, rows = plan(python), []
    env = clean_env(venv_dir())
    for o in ('IMGOPT_WORK', 'IN_TEST', 'PYTEST_ADDOPTS'): env.pop(o, None)
    with tempfile.TemporaryDirectory() as tmp:
        for name in names:
            say('', '== %s ' % name + '=' * (70 - len(name)))
            if name == 'browser': env['IMGOPT_CHROMIUM'] = find_chromium() or ''
            if name == 'browser' and not env['IMGOPT_CHROMIUM']:
                say('skipped: there is no Chromium here. Try: sudo apt-get install chromium, or set IMGOPT_CHROMIUM=/path/to/chrome')
                rows.append((name, 'skipped', 0, (0, 0, 1)))
                continue
            start, report = time.time(), Path(tmp)/(name + '.xml')
            code = run(steps[name] + ['--junitxml=%s' % report], env)
            rows.append((name, 'FAILED' if code else 'ok', time.time() - start, counts(report, code)))
    say('', '%-12s%-10s%9s%9s%9s%9s' % ('step', 'result', 'seconds', 'passed', 'failed', 'skipped'))
    for name, result, seconds, n in rows: say('%-12s%-10s%9.1f%9d%9d%9d' % ((name, result, seconds) + n))
    passed, failed, skipped = [sum(o[3][i] for o in rows) for i in range(3)]
    say('', '%d passed, %d failed' % (passed, failed) + (', %d skipped' % skipped if skipped else ''))
    return int(failed > 0)

def dispatch(args):
    verbs = dict(lab=lab, test=test, export=export, experiments=experiments, bench=bench, reset=reset)
    verb, rest, ask_help = args[0] if args else 'help', list(args[1:]), ('help', '--help', '-h')
    if verb in ask_help or (verb in ('lab', 'test', 'export', 'reset') and rest and rest[0] in ask_help[1:]):
        print(__doc__.strip())
        return 0
    if verb in verbs: return verbs[verb](rest)
    near = difflib.get_close_matches(verb, verbs, 1, .5)
    raise Stop('There is no "%s".%s The verbs are: %s' % (verb, ' Did you mean "%s"?' % near[0] if near else '', ', '.join(verbs)))

def main(argv=None):
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'): stream.reconfigure(errors='replace')
    try:
        need_python()
        return dispatch(list(sys.argv[1:] if argv is None else argv))
    except Stop as e: message, code = str(e), e.code
    except KeyboardInterrupt: message, code = 'Stopped.', 130
    except OSError as e: message, code = 'The system refused: %s' % e, 2
    print(message, file=sys.stderr, flush=True)
    return code


if __name__ == '__main__': sys.exit(main())
