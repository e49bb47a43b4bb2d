"""All adapters: the modules of this folder, and what outside packages bring by the entry point `aftershock.adapters`.

The command line's choices, the docs table and the test parameters all come from `adapters()`: nothing else to edit.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

import aftershock.adapters as folder
from aftershock.adapters.base import CANONICAL, Adapter, Export, Fidelity, StatusTable
from aftershock.errors import AdapterError

GROUP = "aftershock.adapters"
_NOT_ADAPTERS = {"base", "registry", "mapping"}


@cache
def adapters() -> Mapping[str, Adapter]:
    """Every adapter by name. Raises `AdapterError` for one that breaks its contract or a name given twice."""
    found: dict[str, Adapter] = {}
    for module in _modules():
        adapter = adapter_of(module)
        if adapter.name in found:
            raise AdapterError(
                adapter.name, "name", f"there are two adapters of this name, the other in {module.__name__}"
            )
        found[adapter.name] = adapter
    return dict(sorted(found.items()))


def adapter_of(module: ModuleType) -> Adapter:
    """The adapter that a module holds, checked."""
    name = module.__name__.rpartition(".")[2]
    for part, kind in (
        ("TOOL", str),
        ("DOCS", str),
        ("FIDELITY", Fidelity),
        ("STATUS", StatusTable),
        ("EXPORTS", tuple),
    ):
        if not isinstance(getattr(module, part, None), kind):
            raise AdapterError(name, part, f"is missing or no {kind.__name__}")
    if not module.__doc__:
        raise AdapterError(name, "docstring", "is missing: name the vendor's endpoint or file")
    for export in module.EXPORTS:
        _check_export(name, export)
    return Adapter(
        name=name,
        tool=module.TOOL,
        docs=module.DOCS,
        about=inspect.cleandoc(module.__doc__),
        fidelity=module.FIDELITY,
        status=module.STATUS,
        exports=module.EXPORTS,
        version=_version(module),
    )


def _version(module: ModuleType) -> str:
    """Changes with the adapter's source and that of the modules of this folder it draws on: known files are then read again."""
    sources: dict[str, str] = {}
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if one.__name__ in sources:
            continue
        sources[one.__name__] = inspect.getsource(one)
        package = re.escape(folder.__name__)
        imported = re.findall(rf"from {package}\.(\w+) import", sources[one.__name__])
        for names in re.findall(rf"from {package} import \(?([\w, \n]+)", sources[one.__name__]):
            imported += re.findall(r"\b_\w+", names)
        waiting += [
            importlib.import_module(f"{folder.__name__}.{name}") for name in imported if name not in _NOT_ADAPTERS
        ]
    text = "".join(sources[name] for name in sorted(sources))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _modules() -> list[ModuleType]:
    inside = [
        importlib.import_module(f"{folder.__name__}.{info.name}")
        for info in pkgutil.iter_modules(folder.__path__)
        if info.name not in _NOT_ADAPTERS and not info.name.startswith("_")
    ]
    return inside + [point.load() for point in entry_points(group=GROUP)]


def _check_export(adapter: str, export: Export) -> None:
    unknown = sorted(set(export.select) - set(CANONICAL))
    if unknown:
        raise AdapterError(adapter, f"export {export.name}", f"selects unknown table(s): {', '.join(unknown)}")
    if "steps" in export.select and "runs" not in export.select:
        raise AdapterError(adapter, f"export {export.name}", "selects steps without the runs they belong to")
    if not (export.requires or export.one_of or export.claims):
        raise AdapterError(
            adapter, f"export {export.name}", "nothing to recognise it by: give `requires`, `one_of` or `claims`"
        )
    if export.form in ("sqlite", "xml", "text") and export.reader is None:
        raise AdapterError(adapter, f"export {export.name}", f"a {export.form} export needs a `reader`")
