# SPDX-License-Identifier: GPL-3.0-or-later
"""environment.yml (conda): the pip part as it stands, conda packages by their PyPI names, the rest reported."""

from __future__ import annotations

import re

from ...values.errors import EngineError
from ...values.resolution import Provenance, Unresolved
from ..found import Found
from ..names import conda_distribution
from . import requirements_txt, versions
from .pep508 import at, declared, requirement
from .tree import Tree, invalid

# An exported environment lists every library below Python; none of these holds Python code.
_LIBRARIES = frozenset(
    """
    bzip2 cairo cuda curl expat fontconfig freetype fribidi gettext gfortran giflib git-lfs glib gmp go graphite2
    gsl harfbuzz icu imagemagick intel-openmp julia krb5 lame lcms2 lerc lz4-c mkl-service mpc mpfr mpich nccl
    ncurses nspr nss openh264 openjpeg openmpi pango pcre pcre2 perl pixman proj4 python_abi pytorch-mutex qt
    qt-main r readline rust sqlite stan tbb tk tzdata unzip wget x264 xz yaml zeromq zip zlib zstd
    """.split()
)
_FAMILIES = re.compile(
    r"^(?:_|r-|bioconductor-|perl-|xorg-|gst-|gcc_|gxx_|gfortran_|binutils|sysroot|kernel-headers|cuda-|ld_impl"
    r"|lib(?!rosa|cst|sass|clang$|tmux|pysal|torrent$|rt$|opencv$))"
)
_SPEC = re.compile(r"^(?:[^\s:]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<rest>.*)$")
_BRACKET = re.compile(r"version\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,\]]+))")


def read(tree: Tree, relative: str, where: str | None = None) -> Found:
    """Return what an environment.yml declares; ``python`` becomes ``python_requires``.

    What PyPI does not have (compilers, libraries, R packages) is reported as unresolved.
    Raises EngineError (``requirements_invalid``) naming file and line.
    """
    reader = _Reader(tree, relative)
    for node in _dependencies(tree, relative, where):
        reader.node(node)
    return Found(tuple(reader.provenance), (), tuple(reader.warnings), tuple(reader.unresolved), reader.python_requires)


def convert(spec: str) -> tuple[str | None, str | None]:
    """Return ``(line, None)`` for a conda match specification, or ``(None, reason)``.

    ``python`` itself gives ``("python" + specifier, None)``.
    """
    match = _SPEC.match(spec.strip())
    if not match:
        return None, "is no conda package specification: write NAME or NAME=VERSION"
    name, rest = match.group("name"), match.group("rest").strip()
    bracket = re.match(r"^\[(.*)\]$", rest)
    if bracket:
        version = _BRACKET.search(bracket.group(1))
        rest = next((group for group in version.groups() if group), "") if version else ""
    specifier = versions.conda(rest)
    if specifier is None:
        return None, "gives alternative versions, which pip does not know: write one range"
    if name.lower() == "python":
        return f"python{specifier}", None
    bare = name.lower()
    target = None if bare in _LIBRARIES or _FAMILIES.match(bare) else conda_distribution(bare)
    if target is None:
        return None, "is a conda package that PyPI does not have: provide it in the base image or the machine"
    return f"{target}{specifier}", None


def _dependencies(tree: Tree, relative: str, where: str | None) -> list:
    try:
        import yaml
    except ImportError:
        raise EngineError(
            "The Python package PyYAML is missing: install it for the Python that runs the module.",
            code="missing_library",
        ) from None
    text = tree.read(relative, where)
    try:
        # The node graph, not the data: it keeps the line of every entry.
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "syntax error"
        raise invalid(at(relative, mark and mark.line + 1), f"is not valid YAML: {reason}; correct it.") from None
    pairs = document.value if isinstance(document, yaml.MappingNode) else []
    listed = next((value for key, value in pairs if key.value == "dependencies"), None)
    if listed is None or (isinstance(listed, yaml.ScalarNode) and not listed.value):
        return []
    if not isinstance(listed, yaml.SequenceNode):
        raise invalid(
            at(relative, listed.start_mark.line + 1), "gives dependencies that are no list: write one entry a line."
        )
    return listed.value


class _Reader:
    def __init__(self, tree: Tree, relative: str):
        self._tree = tree
        self._file = relative
        self.provenance: list[Provenance] = []
        self.warnings: list[str] = []
        self.unresolved: list[Unresolved] = []
        self.python_requires: str | None = None

    def node(self, node) -> None:
        line = node.start_mark.line + 1
        if isinstance(node.value, str):
            self._package(node.value, line)
            return
        for key, value in node.value:
            if getattr(key, "value", None) != "pip" or not isinstance(value.value, list):
                raise invalid(at(self._file, line), "is neither a package nor a pip list: correct the entry.")
            entries = [(entry.start_mark.line + 1, entry.value) for entry in value.value]
            if not all(isinstance(text, str) for _unused, text in entries):
                raise invalid(at(self._file, line), "holds a pip entry that is no text: put it into quotes.")
            found = requirements_txt.read_lines(self._tree, self._file, entries)
            self.provenance += found.provenance
            self.warnings += found.warnings
            self.unresolved += found.unresolved

    def _package(self, spec: str, line: int) -> None:
        converted, reason = convert(spec)
        where = at(self._file, line)
        if spec.strip().split("=")[0].strip().lower() == "pip":
            return
        if converted is None:
            self.unresolved.append(Unresolved(spec, f"{where} {reason}.", line=line, file=self._file))
        elif converted == "python" or re.match(r"^python[=<>!~]", converted):
            version = converted.removeprefix("python")
            # conda's python==3.9 means any 3.9; PEP 440's means 3.9.0.
            exact = re.match(r"^==(\d+(?:\.\d+)?)$", version)
            self.python_requires = versions.python(exact.group(1)) if exact else version or None
        else:
            self.provenance.append(declared(requirement(converted, where), self._file, line))
