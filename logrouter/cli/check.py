"""`logrouter check`: find every mistake in the config, before it runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def main(argv: Sequence[str]) -> int:
    """Check the config. Exit 0 where it is right, 78 where it is not."""
    from logrouter.cli import _options
    from logrouter.runtime.preflight import check_places, warnings_about_places

    parser = _options.parser("check", "Check the config, and say everything that is wrong with it.")
    _options.add_config_options(parser)
    settings = _options.load(parser.parse_args(argv))
    check_places(settings)
    _options.show_warnings([*settings.warnings, *warnings_about_places(settings)])
    parts = [
        _counted(settings.sources, "source"),
        _counted(settings.steps, "step"),
        _counted(settings.routes, "route"),
        _counted(settings.sinks, "sink"),
    ]
    print(f"the config is right: {', '.join(parts)}")
    return 0


def _counted(parts: Collection[object], name: str) -> str:
    number = len(parts)
    names = f" ({', '.join(parts)})" if isinstance(parts, dict) and parts else ""
    return f"{number} {name}{'' if number == 1 else 's'}{names}"
