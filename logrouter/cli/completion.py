"""`logrouter completion`: a script that completes commands and flags in bash, zsh or fish."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Final

from logrouter.component import names

_SHELLS: Final = ("bash", "zsh", "fish")
_NESTED: Final = ("spool", "dlq")
"""Commands that have commands of their own."""
_BASH = """\
# logrouter completion for bash. Add to ~/.bashrc:  eval "$(logrouter completion bash)"
_logrouter() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    if [[ " ${{COMP_WORDS[*]:0:COMP_CWORD}} " == *" -- "* ]]; then  # an app and what is its
        if [ "$previous" = -- ]; then COMPREPLY=($(compgen -c -- "$current")); fi
        return
    fi
    case "$previous" in
        -c|--config|-o|--output|--junit|--socket) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --directory) COMPREPLY=($(compgen -d -- "$current")); return ;;
    esac
    case "$COMP_CWORD ${{COMP_WORDS[*]:1:COMP_CWORD-1}}" in
{words}
    esac
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{flags}
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands} {own}" -- "$current"))
    else
        COMPREPLY=($(compgen -W "{own}" -- "$current"))
    fi
}}
complete -o default -F _logrouter logrouter
"""
_BASH_LINE = """\
        {pattern}) COMPREPLY=($(compgen -W "{words}" -- "$current")); return ;;"""
_ZSH = """\
#compdef logrouter
# logrouter completion for zsh. Add to ~/.zshrc, after compinit:  eval "$(logrouter completion zsh)"
_logrouter() {{
    local -a known
    local app=${{words[(i)--]}}
    if (( app < CURRENT )); then shift $app words; (( CURRENT -= app )); _normal; return; fi
    if (( CURRENT == 2 )); then known=({described}); _describe command known; fi
    case "$words[CURRENT-1]" in
        -c|--config|-o|--output|--junit|--socket) _files; return ;;
        --directory) _files -/; return ;;
    esac
    case "$((CURRENT - 1)) $words[2,CURRENT-1]" in
{words}
    esac
    case "$words[2] $words[3]" in
{flags}
    esac
    compadd -- {own}
}}
compdef _logrouter logrouter
"""
_ZSH_LINE = """\
        {pattern}) compadd -- {words}; {files}return ;;"""
_FISH_HEAD = "# logrouter completion for fish: logrouter completion fish > ~/.config/fish/completions/logrouter.fish\n"


def main(argv: Sequence[str]) -> int:
    """Print the script for a shell."""
    print(script(make_parser().parse_args(argv).shell), end="")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of its words."""
    from logrouter.cli import _options

    parser = _options.parser("completion", "Print a script that completes logrouter's commands and flags in a shell.")
    parser.add_argument("shell", choices=_SHELLS)
    return parser


def script(shell: str) -> str:
    """The completion script for a shell."""
    from logrouter.cli import summaries
    from logrouter.cli._route import make_parser as make_main_parser

    own = _flags(make_main_parser())
    commands = summaries()
    if shell == "fish":
        return _FISH_HEAD + "\n".join(_fish(own, commands)) + "\n"
    line = _BASH_LINE if shell == "bash" else _ZSH_LINE
    words = [
        line.format(pattern=f'"{len(before) + 1} {" ".join(before)}"', words=" ".join(offered), files="")
        for before, offered in _words().items()
    ]
    flags = []
    for path, known in _all_flags().items():
        pattern = f'"{" ".join(path)}"' if len(path) > 1 else f'"{path[0]} "*'
        files = "_files; " if path == ("test",) else ""
        flags.append(line.format(pattern=pattern, words=" ".join(known), files=files))
    parts = {"own": " ".join(own), "words": "\n".join(words), "flags": "\n".join(flags)}
    if shell == "bash":
        return _BASH.format(commands=" ".join(commands), **parts)
    described = " ".join(f"'{name}:{text}'" for name, text in commands.items())
    return _ZSH.format(described=described, **parts)


def _words() -> dict[tuple[str, ...], Iterable[str]]:
    """What is offered after these words, where there are a few to choose from."""
    from logrouter.cli import describe, init

    offered: dict[tuple[str, ...], Iterable[str]] = {
        ("completion",): _SHELLS,
        ("describe",): describe.KINDS,
        ("init",): init.kinds(),
    }
    offered |= {("describe", kind): names(folder) for kind, folder in describe.KINDS.items()}
    return offered | {(name,): nested_flags(name) for name in _NESTED}


def _all_flags() -> dict[tuple[str, ...], dict[str, str]]:
    """Of each command, and each command of one."""
    from logrouter.cli import commands

    found: dict[tuple[str, ...], dict[str, str]] = {}
    for name in _NESTED:
        found |= {(name, inner): flags for inner, flags in nested_flags(name).items()}
    for name in commands():
        if name not in _NESTED:
            found[name,] = _flags(import_module(f"logrouter.cli.{name}").make_parser())
    return found


def nested_flags(name: str) -> dict[str, dict[str, str]]:
    """Command of a command that has some → its flags."""
    actions = import_module(f"logrouter.cli.{name}").make_parser()._actions  # argparse has no public way to list them
    (commands,) = [action.choices for action in actions if isinstance(action, argparse._SubParsersAction)]
    return {command: _flags(parser) for command, parser in commands.items()}


def _fish(own: dict[str, str], commands: Mapping[str, str]) -> Iterator[str]:
    """Its lines: fish asks each whether it counts where the cursor is."""
    for name, text in commands.items():
        yield f"complete -c logrouter -n __fish_use_subcommand -a {name} -d '{text}'"
    yield from _fish_flags("__fish_use_subcommand", own)
    for before, offered in _words().items():
        listed = " ".join(offered)
        condition = f"{_seen(before)}; and not __fish_seen_subcommand_from {listed}"
        yield f'complete -c logrouter -f -n "{condition}" -a "{listed}"'
    for path, flags in _all_flags().items():
        yield from _fish_flags(f'"{_seen(path)}"', flags)


def _seen(words: Iterable[str]) -> str:
    return "; and ".join(f"__fish_seen_subcommand_from {word}" for word in words)


def _fish_flags(condition: str, flags: Mapping[str, str]) -> Iterator[str]:
    return (f"complete -c logrouter -n {condition} -l {flag[2:]} -d '{text}'" for flag, text in flags.items())


def _flags(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Long flag → what it does, in one line of plain words."""
    found = {}
    for action in parser._actions:  # argparse has no public way to list them
        for option in action.option_strings:
            if option.startswith("--"):
                found[option] = re.split(r"[:;(]", action.help or "")[0].strip().replace("'", "")
    return found
