"""PROJECTS: packages outside slowfast that add keys and register models, data sets and tasks."""

import importlib

from slowfast.utils.errors import ConfigError


def import_projects(cfg):
    """Import every package of cfg.PROJECTS; a spawned process calls this before it builds anything.

    Returns:
        the modules, each once, in the order of PROJECTS.
    Raises:
        ConfigError: one line for each package that is not there.
    """
    return import_modules(cfg.PROJECTS)


def import_modules(names):
    """As `import_projects`, from the names themselves."""
    modules, problems = {}, []
    for name in names:
        try:
            modules[name] = _import(name)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return list(modules.values())


def _import(name):
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"PROJECTS: {name!r} is not a package name; write it with dots, such as 'projects.cast'")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            advice = "install the package or put its parent folder on PYTHONPATH"
        else:
            advice = f"'{name}' needs it; install it"
        raise ConfigError(f"PROJECTS: cannot import '{name}': {error}; {advice}") from None
    except ImportError as error:
        raise ConfigError(f"PROJECTS: cannot import '{name}': {error}") from error
