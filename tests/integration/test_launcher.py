"The launcher course.py: always in a copy of the project's skeleton, never with a network, never in the real work/ or .venv."
import ast
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background may have been started with Ctrl-C ignored, and would hand that on
posix = pytest.mark.skipif(os.name == 'nt', reason='POSIX only')
CHAPTERS = ['index', '00_datasets', '02_augmentation', '92_export_tests', '_scratch']


@pytest.fixture(scope='session')
def template(tmp_path_factory):
    "A venv with pip and a JupyterLab that only says how it was called."
    venv = tmp_path_factory.mktemp('template')/'venv'
    subprocess.run([getattr(sys, '_base_executable', sys.executable), '-m', 'venv', str(venv)], check=True)
    site = next(venv.glob('Lib/site-packages' if os.name == 'nt' else 'lib/python3*/site-packages'))
    (site/'jupyterlab').mkdir()
    (site/'jupyterlab'/'__init__.py').touch()
    (site/'jupyterlab'/'__main__.py').write_text(
        'import json, os, sys, time\n'
        'try:\n'
        '    print(json.dumps(dict(args=sys.argv[1:], cwd=os.getcwd(), env=dict(os.environ), pid=os.getpid())), flush=True)\n'
        '    time.sleep(60)\n'
        'except KeyboardInterrupt: print("bye", flush=True)\n')
    return venv


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ('course.py', 'settings.ini', 'setup.py', 'pyproject.toml', 'constraints.txt'): shutil.copy(ROOT/name, tmp_path/name)
    (tmp_path/'nbs').mkdir()
    for name in CHAPTERS: (tmp_path/'nbs'/(name + '.ipynb')).write_text('{"%s": 1}' % name)
    monkeypatch.setenv('IMGOPT_VENV', str(tmp_path/'.venv'))
    monkeypatch.setenv('IMGOPT_MIN_FREE_GB', '0')
    monkeypatch.delenv('IMGOPT_TORCH_INDEX', raising=False)
    return tmp_path


@pytest.fixture
def course(project): return load(project)


def load(project):
    spec = importlib.util.spec_from_file_location('course_under_test', project/'course.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Fake:
    "Stands in for `run`: `-m venv` copies the template, pip does nothing or what `pip` says."
    def __init__(self, template, pip=lambda: 0): self.template, self.pip, self.calls = template, pip, []

    def __call__(self, cmd, env=None, cwd=None, keep=()):
        cmd = [str(o) for o in cmd]
        self.calls.append(cmd[1:])
        if cmd[1:3] == ['-m', 'venv']: shutil.copytree(self.template, cmd[3], symlinks=True, dirs_exist_ok=True)
        return self.pip() if cmd[1:3] == ['-m', 'pip'] else 0

    def made(self): return sum(o[:2] == ['-m', 'venv'] for o in self.calls)
    def installs(self): return [o[3:] for o in self.calls if o[:3] == ['-m', 'pip', 'install']]


@pytest.fixture
def fake(course, template, monkeypatch):
    f = Fake(template)
    monkeypatch.setattr(course, 'run', f)
    monkeypatch.setattr(course, 'verify', lambda venv, extra: '')
    return f


def stderr_line(capsys):
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and 'Traceback' not in err, err
    return err


# ------------------------------------------------------------------------------------------------ what it runs on

def test_parses_on_python_36(): ast.parse((ROOT/'course.py').read_text(encoding='utf-8'), feature_version=(3, 6))


def test_old_python(course, monkeypatch, capsys):
    with monkeypatch.context() as m:
        m.setattr(course.sys, 'version_info', (3, 8, 18, 'final', 0))
        code = course.main(['lab'])
    assert code == 2
    assert stderr_line(capsys) == 'course.py needs Python 3.10 or newer; this is 3.8.18. Try: python3.11 course.py lab\n'


def old_pythons():
    root = Path(os.environ.get('PYENV_ROOT') or Path.home()/'.pyenv')
    found = [o for v in ('3.6', '3.7', '3.8', '3.9') for o in sorted(root.glob('versions/%s.*/bin/python' % v))[:1]]
    return [str(o) for o in found] or [o for o in map(shutil.which, ('python3.8', 'python3.9')) if o]


@pytest.mark.parametrize('verb', [['lab'], [], ['reset', '02']])
def test_real_old_python(project, verb):
    pythons = old_pythons()
    if not pythons: pytest.skip('no Python older than 3.10 here')
    for python in pythons:
        done = subprocess.run([python, 'course.py'] + verb, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 2 and done.stderr.startswith(b'course.py needs Python 3.10') and done.stderr.count(b'\n') == 1


@pytest.mark.parametrize('module', ['venv', 'ensurepip'])
def test_no_venv_module(course, fake, monkeypatch, capsys, module):
    monkeypatch.setattr(course, 'importable', lambda name: name != module)
    assert course.main(['lab']) == 2
    assert 'venv' in stderr_line(capsys) and not fake.calls


def test_little_disk(course, fake, project, monkeypatch, capsys):
    monkeypatch.delenv('IMGOPT_MIN_FREE_GB')
    monkeypatch.setattr(course.shutil, 'disk_usage', lambda path: namedtuple('usage', 'free')(1.5e9))
    assert course.main(['lab']) == 2
    assert '1.5 GB free' in stderr_line(capsys) and not fake.calls and not (project/'.venv').exists()
    monkeypatch.setenv('IMGOPT_MIN_FREE_GB', 'lots')
    assert course.main(['lab']) == 2
    assert 'number' in stderr_line(capsys)
    monkeypatch.setenv('IMGOPT_MIN_FREE_GB', '1')
    course.ensure_env('course')
    assert fake.made() == 1


# ------------------------------------------------------------------------------------------------ the environment

def test_first_and_second_run(course, fake, project):
    python = course.ensure_env('course')
    assert python.exists() and python.is_relative_to(project/'.venv')
    first, calls = fake.installs(), len(fake.calls)
    assert fake.made() == 1 and any(o.startswith('setuptools') for o in first[0]) and '--no-build-isolation' in first[1]
    assert '.[course]' in first[1] and str(project/'constraints.txt') in first[1]
    start = time.perf_counter()
    assert course.ensure_env('course') == python
    assert len(fake.calls) == calls and time.perf_counter() - start < 1


def test_a_second_run_starts_quickly_as_a_process(course, fake, project):
    course.ensure_env('course')
    start = time.perf_counter()
    subprocess.run([sys.executable, '-c', 'import course; course.ensure_env("course")'], cwd=project, check=True)
    assert time.perf_counter() - start < 5


def test_dev_includes_course_and_is_kept(course, fake, project):
    course.ensure_env('course')
    course.ensure_env('dev')
    n = len(fake.calls)
    course.ensure_env('course')
    assert len(fake.calls) == n and fake.made() == 1
    edit(project/'settings.ini', 'timm>=1.0.15,<2', 'timm>=1.0.16,<2')
    course.ensure_env('course')
    assert '.[dev]' in fake.installs()[-1]


def edit(path, old, new):
    text = path.read_text(encoding='utf-8')
    assert old in text
    path.write_text(text.replace(old, new), encoding='utf-8')


@pytest.mark.parametrize('name,old,new,again', [
    ('settings.ini', 'timm>=1.0.15,<2', 'timm>=1.0.16,<2', True), ('settings.ini', 'nbdev>=3.3', 'nbdev>=3.4', True),
    ('constraints.txt', '#', '##', True), ('setup.py', 'zip_safe=False', 'zip_safe=True', True),
    ('settings.ini', 'description = A course', 'description = The course', False)])
def test_what_makes_it_install_again(course, fake, project, name, old, new, again):
    course.ensure_env('course')
    n = len(fake.installs())
    edit(project/name, old, new)
    course.ensure_env('course')
    assert (len(fake.installs()) > n) is again and fake.made() == 1


def test_a_moved_project_installs_again(course, fake, project, tmp_path_factory, monkeypatch):
    course.ensure_env('course')
    monkeypatch.setattr(course, 'HERE', tmp_path_factory.mktemp('moved'))
    assert not course.ready(project/'.venv', 'course')


def test_damaged_settings(course, fake, project, capsys):
    (project/'.venv').mkdir()
    course.ensure_env('course')
    (project/'settings.ini').write_text('no section here\n')
    assert course.main(['lab']) == 2
    assert 'settings.ini' in stderr_line(capsys)


def cpu_steps(course, fake, args):
    course.ensure_env('course', **args)
    return [o for o in fake.installs() if '--index-url' in o]


@pytest.mark.skipif(sys.platform != 'linux', reason='the CPU index matters on Linux')
def test_cpu(course, fake, monkeypatch):
    monkeypatch.setenv('IMGOPT_TORCH_INDEX', 'https://mirror.example/cpu')
    (step,) = cpu_steps(course, fake, dict(cpu=True))
    assert 'torch' in step and 'torchvision' in step and 'https://mirror.example/cpu' in step and '--no-deps' in step


@pytest.mark.skipif(sys.platform != 'linux', reason='the CPU index matters on Linux')
def test_cpu_is_remembered_and_an_installed_torch_is_kept(course, fake, project):
    assert len(cpu_steps(course, fake, dict(cpu=True))) == 1
    edit(project/'constraints.txt', '#', '##')
    assert len(cpu_steps(course, fake, {})) == 2
    dist_info(course, project, 'torch-2.15.0')
    edit(project/'constraints.txt', '##', '#')
    assert len(cpu_steps(course, fake, dict(cpu=True))) == 2


def dist_info(course, project, name, finished=True):
    folder = course.site_packages(project/'.venv')/(name + '.dist-info')
    folder.mkdir()
    (folder/'METADATA').touch()
    if finished: (folder/'INSTALLER').write_text('pip')
    return folder


def no_python(venv, course): course.venv_python(venv).unlink()
def no_pip(venv, course): shutil.rmtree(course.site_packages(venv)/'pip')
def other_minor(venv, course): edit(venv/'pyvenv.cfg', 'version = 3.', 'version = 2.')
def no_config(venv, course): (venv/'pyvenv.cfg').unlink()
def only_stamp(venv, course): emptied(venv, course), (venv/'imgopt.json').write_text('{}')
def dead_python(venv, course): no_python(venv, course), course.venv_python(venv).write_text('no program')


def emptied(venv, course):
    shutil.rmtree(venv)
    venv.mkdir()


@pytest.mark.parametrize('harm', [no_python, no_pip, other_minor, no_config, only_stamp, dead_python, emptied])
def test_a_broken_venv_is_made_anew(course, fake, project, capsys, harm):
    course.ensure_env('course')
    harm(project/'.venv', course)
    edit(project/'constraints.txt', '#', '##')
    course.ensure_env('course')
    assert fake.made() == 2 and course.ready(project/'.venv', 'course') and 'making it anew' in capsys.readouterr().out
    assert not list(project.glob('.venv.old*'))


def test_a_missing_python_is_seen_though_the_stamp_fits(course, fake, project):
    course.ensure_env('course')
    no_python(project/'.venv', course)
    course.ensure_env('course')
    assert fake.made() == 2


@pytest.mark.parametrize('stamp', ['', '[]', '{"extras": ', '\x00', 'null'])
def test_a_damaged_stamp(course, fake, project, stamp):
    course.ensure_env('course')
    (project/'.venv'/'imgopt.json').write_text(stamp)
    course.ensure_env('course')
    assert fake.made() == 1 and course.ready(project/'.venv', 'course')


@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_what_is_no_venv_is_left_alone(course, fake, project, capsys, kind):
    venv = project/'.venv'
    if kind == 'folder': venv.mkdir()
    thesis = venv if kind == 'file' else venv/'thesis.tex'
    thesis.write_text('years of work')
    assert course.main(['lab']) == 2
    assert 'ove it away' in stderr_line(capsys) and thesis.read_text() == 'years of work' and not fake.calls


def test_pip_fails_then_goes_on(course, fake, project, capsys):
    fake.pip = lambda: 1
    assert course.main(['lab']) == 2
    assert 'goes on where it stopped' in stderr_line(capsys) and not course.ready(project/'.venv', 'course')
    half, whole = dist_info(course, project, 'triton-3', finished=False), dist_info(course, project, 'tqdm-4')
    (half.parent/'~riton').mkdir()
    fake.pip = lambda: 0
    course.ensure_env('course')
    assert fake.made() == 1 and not half.exists() and whole.exists() and not (half.parent/'~riton').exists()


def test_ctrl_c_during_pip(course, fake, project, capsys):
    def interrupt(): raise KeyboardInterrupt
    fake.pip = interrupt
    assert course.main(['lab']) == 130
    assert 'goes on' in stderr_line(capsys)
    fake.pip = lambda: 0
    course.ensure_env('course')
    assert fake.made() == 1


def test_libraries_that_do_not_work(course, fake, project, monkeypatch, capsys):
    monkeypatch.setattr(course, 'verify', lambda venv, extra: 'ImportError: half a torch')
    assert course.main(['lab']) == 2
    assert 'half a torch' in stderr_line(capsys) and fake.made() == 1
    assert course.main(['lab']) == 2, 'made anew once, then it gives up'
    assert 'half a torch' in stderr_line(capsys) and fake.made() == 2
    answers = iter(['ImportError: half a torch', ''])
    monkeypatch.setattr(course, 'verify', lambda venv, extra: next(answers))
    course.ensure_env('course')
    assert fake.made() == 3 and course.ready(project/'.venv', 'course')


def test_a_missing_system_library_does_not_cost_an_installation(course, fake, project, monkeypatch, capsys):
    monkeypatch.setattr(course, 'verify', lambda venv, extra: 'ImportError: libGL.so.1: cannot open shared object file: No such file')
    for _ in range(2):
        assert course.main(['lab']) == 2
        assert 'apt install libgl1' in stderr_line(capsys)
    assert fake.made() == 1


def test_verify_for_real(course, template, monkeypatch):
    monkeypatch.setattr(course, 'LIBRARIES', dict(course=['json'], dev=[]))
    assert "No module named 'imgopt_nb'" in course.verify(template, 'course')


def test_nothing_leaks_into_the_venv(course, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', 'elsewhere')
    monkeypatch.setenv('PYTHONHOME', 'elsewhere')
    env = course.clean_env(Path('somewhere'))
    assert 'PYTHONPATH' not in env and 'PYTHONHOME' not in env and env['PYTHONNOUSERSITE'] == '1'
    assert env['PATH'].startswith(str(course.venv_python(Path('somewhere')).parent))


# ------------------------------------------------------------------------------------------------ the lock

HOLD = 'import course, time\nfrom pathlib import Path\nwith course.lock(Path(".venv.lock")) as fd:\n    print("held", flush=True)\n    %s\n'


def hold(project, then='time.sleep(60)'):
    p = subprocess.Popen([sys.executable, '-c', HOLD % then], cwd=project, stdout=subprocess.PIPE)
    assert p.stdout.readline().strip() == b'held'
    return p


def is_free(course, project):
    with open(project/'.venv.lock', 'a+') as f: return course.try_lock(f.fileno())


def test_the_lock_dies_with_its_process(course, project):
    p = hold(project)
    assert not is_free(course, project)
    p.kill()
    p.wait()
    p.stdout.close()
    assert is_free(course, project)


@posix
def test_an_orphaned_pip_keeps_the_lock(course, project):
    orphan = 'course.run([course.sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"], keep=(fd,))'
    p = hold(project, orphan)
    pid = int(p.stdout.readline())
    p.kill()
    p.wait()
    p.stdout.close()
    try: assert not is_free(course, project)
    finally: os.kill(pid, signal.SIGKILL)
    end = time.time() + 10
    while not is_free(course, project): assert time.time() < end


RACE = '''
import course, pathlib, time
def install(venv, extra, cpu, fd):
    with open("log", "a") as f: f.write("start ")
    time.sleep(1)
    with open("log", "a") as f: f.write("end ")
    return ""
course.install = install
def make_venv(venv):
    import shutil
    shutil.copytree(%r, str(venv), symlinks=True, dirs_exist_ok=True)
course.make_venv = make_venv
course.ensure_env("course")
'''


def test_two_at_once_install_once(project, template):
    cmd = [sys.executable, '-c', RACE % str(template)]
    both = [subprocess.Popen(cmd, cwd=project, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [p.communicate(timeout=60)[0] for p in both]
    assert [p.returncode for p in both] == [0, 0] and (project/'log').read_text() == 'start end '
    assert sum('waiting' in o for o in said) == 1


# ------------------------------------------------------------------------------------------------ lab and reset

@pytest.fixture
def lab(course, project, monkeypatch):
    "Run `lab` up to the point where it would turn into JupyterLab."
    seen = []
    monkeypatch.setattr(course, 'ensure_env', lambda extra, cpu=False: seen.append((extra, cpu)) or Path(sys.executable))
    monkeypatch.setattr(course, 'become', lambda cmd, env, cwd: seen.append((list(map(str, cmd)), env, cwd)) or 0)

    def go(*args):
        del seen[:]
        assert course.main(['lab'] + list(args)) == 0
        return seen
    return go


def names(folder): return sorted(o.name for o in folder.iterdir() if not o.name.startswith('.'))


def test_lab_copies_the_chapters(lab, project):
    lab()
    assert names(project/'work') == ['00_datasets.ipynb', '02_augmentation.ipynb', 'index.ipynb']
    assert set(json.loads((project/'work'/'.copied.json').read_text())) == set(names(project/'work'))
    assert not list((project/'work').glob('.*.part'))


def test_lab_never_overwrites_and_says_what_is_newer(lab, project, capsys):
    lab()
    mine, source = project/'work'/'02_augmentation.ipynb', project/'nbs'/'02_augmentation.ipynb'
    mine.write_text('my answers')
    lab()
    assert 'newer' not in capsys.readouterr().out
    source.write_text('second edition')
    (project/'nbs'/'03_learners.ipynb').write_text('a new chapter')
    for _ in range(2):
        lab()
        assert '02_augmentation has a newer version: `python course.py reset 02` fetches it (your file is kept)' in capsys.readouterr().out
    assert mine.read_text() == 'my answers' and (project/'work'/'03_learners.ipynb').read_text() == 'a new chapter'


@pytest.mark.parametrize('damage', [None, b'', b'[]', b'{"02_augm', b'\xff\xfe\x00', b'{"02_augmentation.ipynb": 7}'])
def test_lab_with_a_damaged_memory(lab, project, damage):
    lab()
    mine, memory = project/'work'/'02_augmentation.ipynb', project/'work'/'.copied.json'
    mine.write_text('my answers')
    memory.unlink() if damage is None else memory.write_bytes(damage)
    lab()
    assert mine.read_text() == 'my answers'


def test_lab_passes_arguments_on(lab, project):
    (extra, cpu), (cmd, env, cwd) = lab('--cpu', '--no-browser', '--work', str(project/'my work'), '--port', '8899')
    assert (extra, cpu) == ('course', True) and cmd[1:3] == ['-m', 'jupyterlab'] and cmd[-3:] == ['--no-browser', '--port', '8899']
    assert '--ServerApp.root_dir=%s' % (project/'my work') in cmd and '--LabApp.default_url=/lab/tree/index.ipynb' in cmd
    assert env['IMGOPT_WORK'] == str(project/'my work') and cwd == project/'my work' and not {'--cpu', '--work'} & set(cmd)


def test_lab_opens_a_notebook_by_name(lab):
    _, (cmd, _, _) = lab('02_augmentation.ipynb')
    assert cmd[-1] == '02_augmentation.ipynb' and not any('default_url' in o for o in cmd)


def test_work_is_a_file_or_has_no_name(course, lab, project, capsys):
    (project/'work').write_text('?')
    assert course.main(['lab']) == 2 and 'is a file' in stderr_line(capsys)
    for args in (['lab', '--work'], ['lab', '--work', '--port'], ['reset', '02', '--work=']):
        assert course.main(args) == 2 and '--work needs a folder' in stderr_line(capsys)


@posix
def test_lab_for_real_ends_with_ctrl_c(course, fake, project):
    course.ensure_env('course')
    p = subprocess.Popen([sys.executable, 'course.py', 'lab', '--no-browser'], cwd=project, text=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    p.stdout.readline()
    said = json.loads(p.stdout.readline())
    assert said['args'][-1] == '--no-browser' and Path(said['cwd']) == project/'work' and said['env']['IMGOPT_WORK'] == str(project/'work')
    assert said['pid'] == p.pid, 'the launcher has turned into JupyterLab'
    os.killpg(p.pid, signal.SIGINT)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 0 and 'bye' in out and 'Traceback' not in err


@pytest.mark.parametrize('word', ['02', '2', '02_augmentation', '02_augmentation.ipynb'])
def test_reset_keeps_the_old_file(course, lab, project, word):
    lab()
    mine = project/'work'/'02_augmentation.ipynb'
    for answer in ('first', 'second', 'third'):  # within one second
        mine.write_text(answer)
        assert course.main(['reset', word]) == 0
        assert mine.read_text() == '{"02_augmentation": 1}'
    kept = list((project/'work').glob('02_augmentation.old-*.ipynb'))
    assert sorted(o.read_text() for o in kept) == ['first', 'second', 'third']


def test_reset_several_and_elsewhere(course, project, capsys):
    assert course.main(['reset', 'index', '0', '02', '--work', str(project/'there')]) == 0
    assert names(project/'there') == ['00_datasets.ipynb', '02_augmentation.ipynb', 'index.ipynb'] and not (project/'work').exists()


def test_a_chapter_in_parts(course, lab, project, capsys):
    for name in ('01a_cleaning', '01b_preprocessing'): (project/'nbs'/f'{name}.ipynb').write_text(name)
    lab()
    assert {'01a_cleaning.ipynb', '01b_preprocessing.ipynb'} <= set(names(project/'work'))
    for word, parts in (('01', 2), ('1', 2), ('01b', 1)):
        assert course.main(['reset', word]) == 0
        assert capsys.readouterr().out.count('is fresh again') == parts


def test_reset_ends_the_hint(course, lab, project, capsys):
    lab()
    (project/'nbs'/'02_augmentation.ipynb').write_text('second edition')
    course.main(['reset', '02'])
    capsys.readouterr()
    lab()
    assert 'newer' not in capsys.readouterr().out


@pytest.mark.parametrize('args', [['77'], ['augment'], [], ['02', 'nonsense'], ['92'], ['../02'], ['--all']])
def test_reset_of_what_is_not_there(course, project, capsys, args):
    assert course.main(['reset'] + args) == 2
    line = stderr_line(capsys)
    assert '--all' in args or '02_augmentation' in line
    assert not (project/'work').exists()


# ------------------------------------------------------------------------------------------------ the other verbs

def test_help_and_unknown_verbs(course, capsys):
    for args in ([], ['--help'], ['-h'], ['help'], ['lab', '--help'], ['test', '-h']):
        assert course.main(args) == 0 and 'python course.py lab' in capsys.readouterr().out
    assert course.main(['resett']) == 2 and 'Did you mean "reset"?' in stderr_line(capsys)
    assert course.main(['xyzzy']) == 2 and 'lab, test' in stderr_line(capsys)


@pytest.mark.parametrize('verb', ['bench', 'experiments'])
def test_verbs_of_the_package(course, monkeypatch, verb):
    seen = []
    monkeypatch.setattr(course, 'ensure_env', lambda extra, cpu=False: Path(sys.executable))
    monkeypatch.setattr(course, 'become', lambda cmd, env, cwd: seen.append(cmd[1:]) or 3)
    assert course.main([verb, '02', '--help']) == 3 and seen == [['-m', 'imgopt_nb.cli', verb, '02', '--help']]


def test_export(course, monkeypatch, capsys):
    seen = []
    monkeypatch.setenv('IN_TEST', '1')
    monkeypatch.setattr(course, 'ensure_env', lambda extra, cpu=False: Path(sys.executable))
    monkeypatch.setattr(course, 'run', lambda cmd, env: seen.append((cmd[1:], env)) or 0)
    assert course.main(['export']) == 0 and len(seen) == 2 and all('IN_TEST' not in env for _, env in seen)
    monkeypatch.setattr(course, 'run', lambda cmd, env: seen.append(1) or 4)
    assert course.main(['export']) == 4 and len(seen) == 3, 'the second step is left out when the first fails'
    assert course.main(['export', 'all']) == 2


def test_test_sums_up(course, project, monkeypatch, capfd):
    (project/'test_a.py').write_text('import pytest\ndef test_1(): pass\ndef test_2(): pass\ndef test_3(): pytest.skip("no")\n')
    (project/'test_b.py').write_text('def test_1(): pass\ndef test_2(): assert False\n')
    pytest_ = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider']
    steps = {'export': pytest_ + ['test_b.py'], 'tests': pytest_ + ['test_a.py'],
             'notebooks': [sys.executable, '-c', 'raise SystemExit(9)'], 'browser': ['never run']}
    monkeypatch.setattr(course, 'plan', lambda python: steps)
    monkeypatch.setattr(course, 'ensure_env', lambda extra, cpu=False: Path(sys.executable))
    monkeypatch.setattr(course, 'find_chromium', lambda: None)
    assert course.main(['test']) == 1
    out = capfd.readouterr().out
    assert out.splitlines()[-1] == '3 passed, 2 failed, 2 skipped' and 'apt-get install chromium' in out
    rows = {o.split()[0]: o.split()[1] for o in out.splitlines()[-6:-2]}
    assert rows == {'export': 'FAILED', 'tests': 'ok', 'notebooks': 'FAILED', 'browser': 'skipped'}
    assert course.main(['test', 'browser']) == 0 and capfd.readouterr().out.splitlines()[-1] == '0 passed, 0 failed, 1 skipped'
    steps['tests'][-1] = 'test_b.py::test_1'
    assert course.main(['test', '-k', 'tests']) == 0 and capfd.readouterr().out.splitlines()[-1] == '1 passed, 0 failed'
    assert course.main(['test', 'nonsense']) == 2


def test_the_plan_covers_every_integration_test(course):
    steps = course.plan('python')
    assert list(steps) == ['export', 'tests', 'notebooks', 'ledger', 'browser']
    for cmd in steps.values():
        assert all((ROOT/o).exists() for o in map(str, cmd) if o.endswith(('offline.py', 'run_notebooks.py')))


def test_chromium(course, project, monkeypatch):
    monkeypatch.setenv('IMGOPT_CHROMIUM', sys.executable)
    assert course.find_chromium() == sys.executable
    monkeypatch.setenv('IMGOPT_CHROMIUM', str(project/'none'))
    assert course.find_chromium() is None
    monkeypatch.delenv('IMGOPT_CHROMIUM')
    monkeypatch.setattr(course.shutil, 'which', lambda name: '/x/' + name if name == 'google-chrome' else None)
    assert course.find_chromium() == '/x/google-chrome'


def test_run_stops_its_child(course, project):
    code = 'import course, sys\n' \
           'try: course.run([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"])\n' \
           'except KeyboardInterrupt: sys.exit(130)'
    if os.name == 'nt': pytest.skip('POSIX only')
    p = subprocess.Popen([sys.executable, '-c', code], cwd=project, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    child = int(p.stdout.readline())
    os.killpg(p.pid, signal.SIGINT)
    assert p.wait(20) == 130
    p.stdout.close()
    with pytest.raises(ProcessLookupError): os.kill(child, 0)


# ------------------------------------------------------------------------------------------------ no network

NET = 'import socket, sys\nwith socket.create_server(("127.0.0.1", 0)) as s: socket.create_connection(s.getsockname()).close()\n' \
      'try: socket.create_connection(("192.0.2.1", 80), timeout=2)\n' \
      'except TimeoutError: sys.exit(5)\nexcept OSError: sys.exit(7)\nsys.exit(6)'


@pytest.mark.parametrize('how', ['namespace', 'guard'])
def test_offline(how, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT/'tests'/'integration'))
    import offline
    if how == 'guard': monkeypatch.setattr(offline, 'can_unshare', lambda: False)
    elif not offline.can_unshare(): pytest.skip('this system allows no network namespace')
    said, cmd, env = offline.cut_off([sys.executable, '-c', NET])
    assert ('guard' in said) == (how == 'guard')
    assert subprocess.run(cmd, env=env).returncode == 7, 'loopback works, another address is refused at once, the exit code comes through'
