"""Join ES modules into the single text that anywidget loads from a Blob URL."""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import\s+\{([^}]*)\}\s+from\s+"(\./[^"]+|\.\./[^"]+)";?[ \t]*$', re.M)
_EXPORT = re.compile(r"^export\s+((?:async\s+)?(?:function\*?|class|const|let)\s+([\w$]+))", re.M)
_OTHER = re.compile(r"^(?:import\b|export\s+(?!default\b)).*$", re.M)


def load(path: Path) -> str:
    """Read an ES module and inline its relative static imports, each module once.

    Every imported module becomes a function scope of its own that returns its exports, so equal
    names in two modules never meet. Only `import { a, b as c } from "./x.js"` and exported
    declarations are understood; anything else raises ValueError with the file and the line.
    """
    modules: dict[Path, str] = {}
    entry = _inline(path.resolve(), modules, ())
    stray = _EXPORT.search(entry)
    if stray:
        entry = _EXPORT.sub(r"\1", entry)
    return "\n".join([*modules.values(), entry])


def style(*paths: Path) -> str:
    """Read and join style sheets, in the order given."""
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def _inline(path: Path, modules: dict[Path, str], trail: tuple[Path, ...]) -> str:
    """Return the text of `path` with its imports bound to the scopes collected in `modules`."""
    if path in trail:
        raise ValueError(f"circular import: {' -> '.join(p.name for p in (*trail, path))}")

    def bind(match: re.Match[str]) -> str:
        target = (path.parent / match[2]).resolve()
        if target not in modules:
            text = _inline(target, modules, (*trail, path))
            names = ", ".join(name for _, name in _EXPORT.findall(text))
            body = _EXPORT.sub(r"\1", text)
            if re.search(r"^export\b", body, re.M):
                raise ValueError(f"{target.name}: an imported module cannot export a default")
            scope = f"$module{len(modules)}"
            modules[target] = (
                f"// {target.name}\nconst {scope} = (() => {{\n{body}\n"
                f"return {{ {names} }};\n}})();"
            )
        scope = f"$module{list(modules).index(target)}"
        names = re.sub(r"\s+as\s+", ": ", match[1].strip())
        return f"const {{ {names} }} = {scope};"

    text = _IMPORT.sub(bind, path.read_text(encoding="utf-8"))
    for line in _OTHER.findall(_EXPORT.sub(r"\1", text)):
        raise ValueError(f"{path.name}: cannot inline {line!r}")
    return text
