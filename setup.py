"""What pyproject.toml cannot say: the folder configs/ is a part of the package in the wheel."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["lowres_jax*"]), "lowres_jax.configs"],
    package_dir={"lowres_jax.configs": "configs"},
)
