"""Compile books and numbers if a C compiler is found; without one they stay Python."""

from typing import Any

from setuptools import Extension, setup


def _extensions() -> list[Any]:
    try:
        from Cython.Build import cythonize  # noqa: PLC0415 - an installation without build isolation may lack it
    except ImportError:
        return []
    native = Extension(
        "perps_actors.market._native",
        ["perps_actors/market/_native.pyx"],
        extra_compile_args=["-O3"],
    )
    extensions: list[Any] = cythonize([native], build_dir="build", language_level=3)
    for extension in extensions:
        extension.optional = True
    return extensions


setup(ext_modules=_extensions())
