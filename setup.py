"""Installs the `slowfast` package and the projects; `pip install -e .` is enough to run everything in tools/."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
REQUIREMENTS = [line for line in (HERE / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]

setup(
    name="slowfast",
    version="0.1.0",
    description="A config-driven trainer for video action recognition",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["slowfast", "slowfast.*", "projects", "projects.*"]),
    package_data={"projects": ["**/*.yaml", "**/*.json", "**/*.txt"], "slowfast": ["**/*.html"]},
    install_requires=REQUIREMENTS,
    extras_require={
        "dev": ["pytest>=7.4", "pytest-xdist>=3.7", "ruff>=0.15", "bitsandbytes>=0.46"],
        "torchcodec": ["torchcodec>=0.2"],
        "8bit": ["bitsandbytes>=0.46"],
    },
)
