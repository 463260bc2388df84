"""The course as a newcomer meets it: course.py opens JupyterLab; a browser runs chapter 00, moves its lab and does an exercise;
then it moves the labs of the other chapters, in a notebook that holds nothing else (running the chapters is the notebooks' own test).

IMGOPT_CHROMIUM names the browser; with IMGOPT_SCREENSHOTS=FOLDER pictures of what it saw are kept there.
"""
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import nbformat
import numpy as np
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background may have been started with Ctrl-C ignored, and would hand that on
CHROMIUM = os.environ.get('IMGOPT_CHROMIUM') or next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
playwright = pytest.importorskip('playwright.sync_api', reason='needs the package playwright')
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason='no Chromium here: sudo apt-get install chromium, or set IMGOPT_CHROMIUM')]
FLAGS = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split()
HIDDEN = ('PYTEST_CURRENT_TEST', 'IN_TEST', 'IMGOPT_QUIET', 'IMGOPT_WORK', 'JUPYTER', 'JPY_')  # with the first ones labs show no controls
CHAPTER_SECONDS = 600


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    "(address with its token, work folder) of `course.py lab`, for somebody who has never used Jupyter."
    tmp = tmp_path_factory.mktemp('browser')
    env = {k: v for k, v in os.environ.items() if not k.startswith(HIDDEN)}
    env.update(IMGOPT_VENV=sys.prefix, JUPYTER_CONFIG_DIR=str(tmp/'config'), JUPYTER_DATA_DIR=str(tmp/'data'), IPYTHONDIR=str(tmp/'ipython'))
    cmd = [sys.executable, str(ROOT/'course.py'), 'lab', '--no-browser', '--port=0', '--work', str(tmp/'work')]
    start, log = time.time(), tmp/'log.txt'
    said = lambda: re.search(r'http://(localhost|127\.0\.0\.1):\d+/\S+\?token=\w+', log.read_text(errors='replace'))
    with open(log, 'w') as out: course = psutil.Popen(cmd, env=env, cwd=tmp, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        while not said() and course.poll() is None and time.time()-start < 60: time.sleep(.2)
        assert said(), log.read_text(errors='replace')
        print(f'\nJupyterLab serves after {time.time()-start:.1f} s')
        yield said().group(), tmp/'work'
    finally:
        family = [course] + course.children(recursive=True)
        course.send_signal(signal.SIGTERM if os.name == 'nt' else signal.SIGINT)
        left = psutil.wait_procs(family, timeout=30)[1]
        for o in left: o.kill()
    assert not left, f'still running after Ctrl-C: {left}'


@pytest.fixture(scope='module')
def page(server):
    "One browser session; it may talk to the course and to nobody else."
    own, strangers = urlsplit(server[0]).netloc, []
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=dict(width=1300, height=1000))
        page.on('request', lambda r: strangers.append(r.url) if urlsplit(r.url).netloc not in (own, '') else None)
        yield page
        browser.close()
    assert not strangers


@pytest.fixture(scope='module')
def chapter(server, page):
    "Chapter 00 in a workspace of its own, after Run All Cells: its code cells as they were saved."
    page.goto(re.sub(r'/lab/.*\?', '/lab/workspaces/test/tree/00_datasets.ipynb?', server[0]))
    page.locator('.jp-Notebook .jp-Cell').first.wait_for()
    idle(page)
    menu(page, 'Run', 'Run All Cells')
    start = time.time()
    while True:
        page.wait_for_timeout(1000)
        idle(page, CHAPTER_SECONDS)
        with page.expect_response(lambda r: r.request.method == 'PUT' and '/api/contents/' in r.url): menu(page, 'File', 'Save Notebook')
        cells = [c for c in nbformat.read(server[1]/'00_datasets.ipynb', 4).cells if c.cell_type == 'code' and c.source.strip()]
        errors = [(c.source[:60], o.ename, o.evalue) for c in cells for o in c.outputs if o.output_type == 'error']
        waiting = sum(not c.execution_count for c in cells)
        if errors or not waiting: break
        assert time.time()-start < CHAPTER_SECONDS, f'{waiting} of {len(cells)} cells have not run'
    print(f'\n{len(cells)-waiting} cells ran in {time.time()-start:.0f} s')
    assert not errors
    return cells


def idle(page, seconds=60): page.locator('#jp-bottom-panel').get_by_text(re.compile(r'\| Idle$')).wait_for(timeout=1000*seconds)


def menu(page, name, item):
    page.get_by_role('menuitem', name=name, exact=True).click()
    page.locator('.lm-Menu-item').filter(has=page.get_by_text(item, exact=True)).click()


def look(page, name):
    folder = os.environ.get('IMGOPT_SCREENSHOTS')
    if folder: page.screenshot(path=Path(folder)/f'{name}.png')


def scroll_to(page, thing):
    "Turn the wheel until `thing` is there: JupyterLab attaches a long notebook bit by bit."
    page.locator('.jp-WindowedPanel-outer').first.hover()
    page.mouse.wheel(0, -1e6)
    for _ in range(300):
        if thing.count(): break
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(50)
    thing.scroll_into_view_if_needed()
    return thing


def picture(image):
    "What the page shows, decoded."
    data = image.evaluate('''async o => { const b = new Uint8Array(await (await fetch(o.src)).arrayBuffer());
                                          return btoa(Array.from(b, c => String.fromCharCode(c)).join('')) }''')
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def after(page, image, act):
    "Seconds from `act` to another picture; more than 5 are too many."
    before, start = image.get_attribute('src'), time.perf_counter()
    act()
    page.wait_for_function('([o, before]) => o.src !== before && o.complete && o.naturalWidth', arg=[image.element_handle(), before], timeout=5000)
    return time.perf_counter()-start


def drag(page, image, handle, by):
    "Pull a slider's handle to the right by so many pixels, until the picture changes."
    box = handle.bounding_box()
    x, y = box['x'] + box['width']/2, box['y'] + box['height']/2
    page.mouse.move(x, y)
    page.mouse.down()
    after(page, image, lambda: page.mouse.move(x+by, y, steps=15))
    page.mouse.up()


def test_the_course_opens_on_its_index(server, page):
    page.goto(server[0])
    page.locator('.jp-Notebook .jp-MarkdownOutput').first.wait_for()
    idle(page)
    assert page.locator('.lm-DockPanel-tabBar .lm-TabBar-tabLabel').all_inner_texts() == ['index.ipynb']
    assert page.locator('.jp-Dialog, .Toastify__toast').count() == 0  # neither an error nor a question about news
    look(page, 'index')


def test_chapter_00_runs_without_errors_and_warnings(page, chapter):
    assert [(c.source[:60], o.text[:300]) for c in chapter for o in c.outputs if o.get('name') == 'stderr'] == []
    assert page.locator('.jp-Dialog').count() == 0


def test_the_lab_answers_and_its_call_makes_the_same_picture(page, chapter, tmp_path):
    lab = scroll_to(page, page.locator('.imgopt-lab'))
    image, call, note = lab.locator('img'), lab.locator('.imgopt-call'), lab.get_by_text('no picture is labelled')
    row = lambda name: lab.locator('.widget-inline-hbox').filter(has=page.get_by_text(name, exact=True))
    called_with = lambda text: call.filter(has_text=text).wait_for(timeout=5000)

    handle, first = row('noise').locator('.noUi-handle'), picture(image)
    handle.focus()
    waits = [after(page, image, lambda: handle.press('ArrowRight')) for _ in range(6)]
    print('\nfrom the key to the new picture: ' + ', '.join(f'{1000*s:.0f}' for s in waits) + ' ms')
    called_with('noise=0.3,')
    second = picture(image)
    assert (second != first).any()
    after(page, image, lambda: row('label').locator('select').select_option('animal'))
    called_with("label='animal'")
    assert (picture(image) != second).any()
    look(page, 'lab')

    drag(page, image, handle, 45)
    dragged = float(row('noise').locator('.widget-readout').inner_text())
    assert dragged > .3
    called_with(f'noise={dragged:g},')

    # settings that leave no picture: a note instead of a traceback, and the lab goes on
    empty = dict(label='plant', style='noto', noise=.05, imbalance=100)
    for name, value in dict(empty, seed=first_empty(empty)).items():
        if name in ('label', 'style'): row(name).locator('select').select_option(value)
        elif name == 'imbalance': row(name).locator('.noUi-handle').press('End')  # a slider over a few values, the last is 100
        else:
            row(name).locator('.widget-readout').fill(f'{value:g}')
            row(name).locator('.widget-readout').press('Enter')
    note.wait_for(timeout=5000)
    look(page, 'lab-note')
    after(page, image, lambda: row('label').locator('select').select_option('animal'))
    called_with("label='animal', style='noto', noise=0.05, imbalance=100,")
    note.wait_for(state='detached', timeout=5000)

    call.click()  # selects it, as the words above it say
    copied = page.evaluate('getSelection().toString()')
    done = subprocess.run([sys.executable, '-c', copied + '\nimport numpy\nnumpy.save("made.npy", picture)'], cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f'{copied}\n{done.stdout}'
    made, seen = np.load(tmp_path/'made.npy'), picture(image)
    assert made.shape == seen.shape and (made == seen).all()  # to the pixel


def first_empty(settings):
    "The first seed with which these settings leave no picture."
    from imgopt_nb.datasets import browse, load_dataset
    images = load_dataset('emoji10')
    for seed in range(100):
        try: browse(images, seed=seed, **settings)
        except ValueError: return seed
    pytest.fail('no seed leaves the class empty')


def test_an_exercise_is_checked_and_kept(server, page, chapter):
    cell = lambda text: page.locator('.jp-CodeCell').filter(has=page.locator('.cm-content', has_text=text))
    stub, check = cell('#| exercise 0.1'), cell("check('0.1', class_counts)")
    scroll_to(page, check)
    for body, verdict in (('np.unique(labels, return_counts=True)[1]', '✗ 0.1: '), ('np.bincount(labels, minlength=n_classes)', '✓ 0.1: right')):
        stub.locator('.cm-content').click()
        page.keyboard.press('ControlOrMeta+a')
        page.keyboard.insert_text(f'#| exercise 0.1\ndef class_counts(labels, n_classes): return {body}')
        page.keyboard.press('Shift+Enter')  # runs it and goes on to the check
        page.keyboard.press('Shift+Enter')
        check.locator('.jp-OutputArea-output', has_text=verdict).wait_for()
        assert len(check.locator('.jp-OutputArea-output').inner_text().strip().splitlines()) == 1
        look(page, f'exercise-{"wrong" if "✗" in verdict else "right"}')
    (progress,) = (server[1]/'progress').glob('*.json')
    kept = json.loads(progress.read_text(encoding='utf-8'))['0.1']
    assert kept['attempts'] == 2 and kept['passed']


# of each lab: imports, what it shows, the slider to move, the dropdown and the value to choose, and how the called picture is shown, if not as it is
SHOWN = '\n'.join(['import cv2, numpy', 'from imgopt_nb.trials import augmentation_view', 'from imgopt_nb.figures import encode',
                   'picture = cv2.imdecode(numpy.frombuffer(encode(augmentation_view(image, drawn), "jpg"), numpy.uint8), cv2.IMREAD_COLOR_RGB)'])
LABS = {
    'weights': ('import numpy as np\nfrom imgopt_nb.combining import weights_lab\n'
                'def three():\n    rng = np.random.default_rng(0)\n    y = rng.integers(0, 4, 300)\n    guess = lambda: rng.dirichlet(np.ones(4), 300)\n'
                '    return [np.eye(4)[y]*a + (1-a)*guess() for a in (.4, .3, .1)], y, ("strong", "middling", "weak")\n',
                'weights_lab(*three(), "three()")', 'middling', None),
    'pruning': ('from imgopt_nb.pruning import pruning_lab', 'pruning_lab()', 'sparsity', ('way', 'layer')),
    'boundary': ('from imgopt_nb.penalties import boundary_lab', 'boundary_lab()', 'L2 decay', None),
    'threshold': ('from imgopt_nb.metrics import threshold_lab', 'threshold_lab()', 'miss costs', None),
    'loss': ('from imgopt_nb.losses import loss_lab', 'loss_lab()', 'q (0: log)', None),
    'neighbour': ('from imgopt_nb.features import neighbour_lab\nfrom imgopt_nb.datasets import load_dataset\n', 'neighbour_lab(load_dataset("emoji10")[:1900:38], size=64, source=\'load_dataset("emoji10")[:1900:38]\')', 'neighbours', None),
    'valley': ('from imgopt_nb.optimizers import valley_lab', 'valley_lab()', 'steepness', ('rule', 'Adam')),
    'augmentation': ('from imgopt_nb.trials import augmentation_lab', 'augmentation_lab()', 'angle', ('flip', 'vertical'), SHOWN),
    'policy': ('from imgopt_nb.trials import policy_lab', 'policy_lab(seconds=3)', 'how much', ('policy', 'turn and shear')),
    'resize': ('from imgopt_nb.preprocessing import resize_lab', 'resize_lab()', 'size', ('kernel', 'cubic')),
    'denoise': ('from imgopt_nb.preprocessing import denoise_lab', 'denoise_lab()', 'amount', ('filter', 'bilateral')),
    'label': ('import numpy as np\nfrom imgopt_nb.cleaning import label_lab\nfrom imgopt_nb.datasets import load_dataset\n'
              'def opinions():\n    s = load_dataset("fashion_mnist", "test")[:400].flip_labels(.3, seed=1)\n'
              '    rng = np.random.default_rng(0)\n    sure = rng.random((400, 1))  # some judges are, some are not\n'
              '    return s, rng.dirichlet(np.ones(10), 400)*(1-sure) + sure*np.eye(10)[s.meta["true_label"]]\n',
              'label_lab(*opinions(), "opinions()")', 'margin', ('method', 'prune_by_class')),
    'issue': ('from imgopt_nb.cleaning import find_image_issues, issue_lab\nfrom imgopt_nb.datasets import load_dataset\n',
              'issue_lab(find_image_issues(load_dataset("emoji10")[:400], blurry=2000), \'find_image_issues(load_dataset("emoji10")[:400], blurry=2000)\')', 'page', None),
}

MATRIX = ('import numpy as np\nfrom imgopt_nb.metrics import confusion_lab\nfrom imgopt_nb.datasets import load_dataset\n'
          'images = load_dataset("emoji10")[::20]\nprobs = np.random.default_rng(0).dirichlet(np.ones(10), len(images)) + .3*np.eye(10)[images.labels]\n', 'confusion_lab(images, probs)')


@pytest.fixture(scope='module')
def labs(server, page):
    "A notebook with a lab in each cell, after Run All Cells."
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f'{imports}\n{show}') for imports, show, *_ in (*LABS.values(), MATRIX)],
                                  metadata=dict(kernelspec=dict(name='python3', display_name='python3', language='python')))
    nbformat.write(nb, server[1]/'labs.ipynb')
    page.goto(re.sub(r'/lab/.*\?', '/lab/workspaces/labs/tree/labs.ipynb?', server[0]))
    page.locator('.jp-Notebook .jp-Cell').first.wait_for()
    idle(page)
    menu(page, 'Run', 'Run All Cells')
    page.locator('.imgopt-lab img').first.wait_for(timeout=60000)
    page.wait_for_timeout(1000)
    idle(page, 120)


@pytest.mark.parametrize('name', LABS)
def test_every_lab_answers_and_its_call_makes_the_same_picture(page, labs, tmp_path, name):
    imports, _, slider, choice, *shown = LABS[name]
    lab = scroll_to(page, page.locator('.imgopt-lab').filter(has=page.get_by_text(slider, exact=True)))
    image, call = lab.locator('img'), lab.locator('.imgopt-call')
    row = lambda what: lab.locator('.widget-inline-hbox').filter(has=page.get_by_text(what, exact=True))
    handle, said = row(slider).locator('.noUi-handle'), call.inner_text()
    handle.focus()
    waits = [after(page, image, lambda: handle.press('ArrowRight')) for _ in range(2)]
    print('\nfrom the key to the new picture: ' + ', '.join(f'{1000*s:.0f}' for s in waits) + ' ms')
    if choice: after(page, image, lambda: row(choice[0]).locator('select').select_option(choice[1]))
    if name == 'augmentation': drag(page, image, handle, 30)
    page.wait_for_timeout(300)
    look(page, f'lab-{name}')
    copied = call.inner_text()
    assert copied != said and (not choice or repr(choice[1]) in copied)
    done = subprocess.run([sys.executable, '-c', f'{imports}\n{copied}\n' + ''.join(shown) + '\nimport numpy\nnumpy.save("made.npy", picture)'], cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f'{copied}\n{done.stdout}'
    made, seen = np.load(tmp_path/'made.npy'), picture(image)
    assert made.shape == seen.shape and (made == seen).all()  # to the pixel


def test_the_augmentation_lab_draws_at_random_and_takes_a_picture(page, labs, tmp_path):
    lab = scroll_to(page, page.locator('.imgopt-lab').filter(has=page.get_by_text('angle', exact=True)))
    image, call = lab.locator('img'), lab.locator('.imgopt-call')
    for _ in range(3): after(page, image, lambda: lab.get_by_role('button', name='Random draw').click())
    page.wait_for_timeout(300)
    assert 'dict' not in call.inner_text() and "'op'" in call.inner_text()
    assert len(lab.locator('.imgopt-geometry').inner_text().splitlines()) == 4 and len(lab.locator('.imgopt-colour').inner_text().splitlines()) == 4
    look(page, 'lab-augmentation-random')
    mine = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path/'mine.png'), mine)
    with page.expect_file_chooser() as chooser: lab.get_by_role('button', name='Your picture').click()
    after(page, image, lambda: chooser.value.set_files(str(tmp_path/'mine.png')))
    page.wait_for_timeout(300)
    assert "read_image('mine.png')" in call.inner_text()
    after(page, image, lambda: lab.get_by_role('button', name='Reset').click())


def test_the_policy_lab_trains(page, labs):
    lab = scroll_to(page, page.locator('.imgopt-lab').filter(has=page.get_by_text('how much', exact=True)))
    lab.get_by_role('button', name=re.compile('Train')).click()
    lab.locator('td').first.wait_for(timeout=60000)
    assert 'turn and shear' in lab.locator('table').inner_text()
    look(page, 'lab-policy-trained')


def test_a_click_on_the_confusion_matrix_shows_its_pictures(page, labs, tmp_path):
    lab = scroll_to(page, page.locator('.imgopt-lab').filter(has=page.get_by_text('true class', exact=True)))
    image, call = lab.locator('img'), lab.locator('.imgopt-call')
    said = call.inner_text()
    cells = lab.get_by_role('button').filter(has_text=re.compile(r'^\d+$')).all()
    titles = [re.fullmatch(r'(.+) called (.+): \d+', o.get_attribute('title')).groups() for o in cells]
    new = next(k for k, (true, predicted) in enumerate(titles) if true != predicted and f"true='{true}'" not in said and f"predicted='{predicted}'" not in said)
    print(f'\nfrom the click to the new picture: {1000*after(page, image, cells[new].click):.0f} ms')
    page.wait_for_timeout(300)
    look(page, 'lab-confusion')
    copied = call.inner_text()
    assert "true={!r}, predicted={!r}".format(*titles[new]) in copied
    subprocess.run([sys.executable, '-c', f'{MATRIX[0]}\n{copied}\nnp.save("made.npy", picture)'], cwd=tmp_path, check=True)
    assert (np.load(tmp_path/'made.npy') == picture(image)).all()


WATCHED = """
from imgopt_nb.datasets import load_dataset
from imgopt_nb.evaluation import open_tensorboard, tensorboard_cb
from imgopt_nb.loaders import make_dls
from imgopt_nb.training import make_learner
train, valid = load_dataset('fashion_mnist', 'train')[:200], load_dataset('fashion_mnist', 'test')[:60]
learn = make_learner(make_dls(train, valid, bs=32, device='cpu', seed=0), 'fast_net', seed=0)
with learn.no_bar(), learn.no_logging(): learn.fit(3, .02, cbs=tensorboard_cb('runs/first', every=2))
with open_tensorboard('runs') as server:
    print(server.url, flush=True)
    input()
"""


def test_tensorboard_shows_a_training(page, tmp_path):
    process = psutil.Popen([sys.executable, '-W', 'ignore', '-c', WATCHED], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    own, strangers = page.context.browser.new_page(viewport=dict(width=1300, height=1000)), []
    try:
        url = process.stdout.readline().strip()
        assert url.startswith('http://localhost:'), url
        family = process.children(recursive=True)
        own.on('request', lambda r: strangers.append(r.url) if urlsplit(r.url).netloc not in (urlsplit(url).netloc, '') else None)
        own.goto(url + '#scalars')
        for tag in ('epoch/accuracy', 'epoch/valid_loss', 'rates/lr'): own.get_by_text(f'tag: {tag}', exact=True).wait_for(timeout=30000)
        own.get_by_text('first', exact=True).first.wait_for(timeout=30000)
        own.wait_for_timeout(1000)
        look(own, 'tensorboard-scalars')
        own.goto(url + '#images')
        for tag in ('confusion', 'predictions'): own.get_by_text(tag, exact=True).first.wait_for(timeout=30000)
        pictures = own.locator('img')
        for _ in range(100):
            if sum(pictures.evaluate_all('all => all.map(o => o.complete && o.naturalWidth > 300)')) >= 2: break
            own.wait_for_timeout(200)
        assert sum(pictures.evaluate_all('all => all.map(o => o.complete && o.naturalWidth > 300)')) >= 2
        look(own, 'tensorboard-images')
        process.stdin.write('\n')
        process.stdin.flush()
        assert process.wait(60) == 0 and family and not psutil.wait_procs(family, timeout=10)[1]
    finally:
        own.close()
        for o in [*process.children(recursive=True), process] if process.is_running() else []: o.kill()
    assert not strangers
