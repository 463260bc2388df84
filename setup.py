"Turns settings.ini into a setuptools build; the version stands in imgopt_nb/__init__.py."
import re
from configparser import ConfigParser
from pathlib import Path
from setuptools import setup

here = Path(__file__).parent
config = ConfigParser(delimiters=['='], interpolation=None)
config.read(here/'settings.ini', encoding='utf-8')
cfg = config['DEFAULT']

def lines(key): return [line for line in cfg.get(key, '').splitlines() if line.strip()]

name = cfg['name']
version = re.search(r'^__version__ = "([^"]+)"', (here/name/'__init__.py').read_text(encoding='utf-8'), re.M)[1]
course = lines('course_requirements')

setup(
    name=name, version=version, description=cfg['description'], author=cfg['author'], keywords=cfg['keywords'].split(),
    license=cfg['license'], license_files=['LICENSE', 'imgopt_nb/data/LICENSES.md'],
    long_description=(here/'README.md').read_text(encoding='utf-8'), long_description_content_type='text/markdown',
    python_requires=f">={cfg['min_python']}", packages=[name], package_data={name: ['data/*']}, zip_safe=False,
    install_requires=lines('requirements'), extras_require=dict(course=course, dev=course + lines('dev_requirements')),
    entry_points=dict(console_scripts=lines('console_scripts'), nbdev=[f'{name}={name}._modidx:d']),
    classifiers=['Programming Language :: Python :: 3', 'Framework :: Jupyter', 'Intended Audience :: Education',
                 'Topic :: Scientific/Engineering :: Image Recognition'])
