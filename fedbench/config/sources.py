"""What a result depends on beside its settings: the code of user classes, and files of data."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from fedbench.config.kinds import is_user_class
from fedbench.config.spec import Spec

INSTALLED = tuple(Path(place) for place in sysconfig.get_paths().values())
LIBRARIES = ("site-packages", "dist-packages")
COUNTED = "defined"  # class variable of every Spec that changes when a cell runs again
PLAIN = (bool, int, float, complex, str, bytes, tuple, frozenset, type(None))


def is_installed(file: str | Path) -> bool:
    """Return whether a file belongs to Python or to an installed package."""
    path = Path(file)
    inside = any(path.is_relative_to(place) for place in INSTALLED)
    return inside or any(name in path.parts for name in LIBRARIES)


def code_digest(classes: Iterable[type]) -> str:
    """Return a digest of the source code behind user classes, empty where there are none.

    It covers the modules that define the classes and their bases, as methods call helpers there,
    and the modules that those import, directly or not, also within functions. Of a notebook, which
    has no file, it covers the methods and what they use. Python, fedbench, installed packages and
    data files are not covered.
    """
    texts = _reached(classes)
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        digest.update(name.encode() + text)
    return digest.hexdigest() if texts else ""


def files_digest(parts: Iterable[Spec]) -> str:
    """Return a digest of the files that fields called `path` name, empty where there are none."""
    found: list[str] = []
    for part in parts:
        try:
            path = Path(getattr(part, "path", "")).expanduser()
            stat = path.stat()
            if path.is_file():
                found.append(_content(path, stat.st_mtime_ns, stat.st_size))
        except (OSError, TypeError, ValueError, RuntimeError):
            continue  # no file that can be read, which the run itself says
    return hashlib.sha256("\n".join(found).encode()).hexdigest() if found else ""


@lru_cache(maxsize=64)
def _content(path: Path, written: int, size: int) -> str:
    """The digest of a file, which is read again where it was written since."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def users_modules(classes: Iterable[type]) -> list[ModuleType]:
    """Return the loaded modules behind user classes that are files of the user's own."""
    found = (sys.modules.get(name) for name in sorted(_reached(classes)) if _is_users(name))
    return [module for module in found if module is not None and module.__name__ != "__main__"]


def _reached(classes: Iterable[type]) -> dict[str, bytes]:
    """The code behind user classes, by module; see `code_digest`."""
    bases = {base for cls in classes for base in cls.__mro__ if is_user_class(base)}
    waiting = {base.__module__ for base in bases if not _is_python(base.__module__)}
    texts: dict[str, bytes] = {}
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if file is None:  # a notebook's
            own = sorted((base for base in bases if base.__module__ == name), key=_name)
            texts[name], used = _cells(own)
        else:
            texts[name] = file.read_bytes()
            used = set() if is_installed(file) else _imports(texts[name], _package(name, file))
        waiting |= {each for each in used if _is_users(each)} - set(texts)
    return texts


def _is_python(module: str) -> bool:
    return module.partition(".")[0] in (*sys.stdlib_module_names, "pydantic", "pydantic_core")


def _is_users(module: str) -> bool:
    """Whether a module is a file of the user's own."""
    top = module.partition(".")[0]
    if top in ("fedbench", "fedbench_widgets") or _is_python(module):
        return False
    above, file = _file(top), _file(module)
    return file is not None and not is_installed(file) and not (above and is_installed(above))


def _file(module: str) -> Path | None:
    """The file of a module, which is not imported for that."""
    known = sys.modules.get(module)
    if known is not None:
        file = getattr(known, "__file__", None)
    else:
        spec = _spec(module)
        file = spec.origin if spec is not None and spec.has_location else None
    return Path(file) if file is not None and Path(file).is_file() else None


def _spec(module: str) -> ModuleSpec | None:
    parent = module.rpartition(".")[0]
    places = None
    if parent:
        above = sys.modules.get(parent)
        spec = None if above is not None else _spec(parent)
        places = getattr(above, "__path__", spec and spec.submodule_search_locations)
        if places is None:  # not a package
            return None
    return PathFinder.find_spec(module, places)


def _package(module: str, file: Path) -> str:
    return module if file.name == "__init__.py" else module.rpartition(".")[0]


@lru_cache(maxsize=256)
def _imports(source: bytes, package: str) -> frozenset[str]:
    """The modules that a source may import: `from a import b` may mean a.b, and runs a as well."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):  # a compiled module, or a file that was edited meanwhile
        return frozenset()
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            try:
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:
                continue
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    found.add(package)
    return frozenset(part for name in found for part in _and_parents(name))


def _and_parents(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]


def _cells(classes: Iterable[type]) -> tuple[bytes, set[str]]:
    """The code of classes without a file and of what they use, and the modules that this uses."""
    waiting: list[object] = list(classes)
    seen: set[int] = set()
    texts: list[str] = []
    modules: set[str] = set()
    while waiting:
        thing = waiting.pop(0)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, type):
            texts.append(_name(thing))
            for name, member in sorted(vars(thing).items()):
                for wrapped in ("fget", "func", "__func__"):  # of properties and class methods
                    member = getattr(member, wrapped, member)
                if isinstance(member, FunctionType) and member.__module__ == thing.__module__:
                    waiting.append(member)
                elif isinstance(member, PLAIN) and name[0] != "_" and name != COUNTED:
                    texts.append(f"{name} = {member!r}")
        elif isinstance(thing, FunctionType):
            texts.append(_source(thing))
            for name in sorted(_names(thing.__code__) & set(thing.__globals__)):
                used = thing.__globals__[name]
                place = used.__name__ if isinstance(used, ModuleType) else None
                if isinstance(used, type | FunctionType):
                    place = used.__module__
                if isinstance(used, PLAIN):
                    texts.append(f"{name} = {used!r}")
                elif place == thing.__module__:
                    waiting.append(used)
                elif place is not None:
                    modules.update(_and_parents(place))
    return "\n".join(texts).encode(), modules


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _source(function: FunctionType) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = function.__code__
        plain = [each for each in code.co_consts if isinstance(each, PLAIN)]
        return f"{_name(function)} {code.co_code.hex()} {code.co_names} {plain}"


def _name(thing: type | FunctionType) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"
