"""`logrouter completion`: a script that completes commands and flags in bash, zsh or fish."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Final

_SHELLS: Final = ("bash", "zsh", "fish")
_NESTED: Final = ("spool", "dlq")
"""Commands that have commands of their own."""
_OWN: Final = ("test",)
"""Other commands that have flags of their own beside those of the config; they also take files."""
_BASH = """\
# logrouter completion for bash. Add to ~/.bashrc:  eval "$(logrouter completion bash)"
_logrouter() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    case "$previous" in
        -c|--config|--output|--junit) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --directory) COMPREPLY=($(compgen -d -- "$current")); return ;;
        completion) COMPREPLY=($(compgen -W "{shells}" -- "$current")); return ;;
        describe) COMPREPLY=($(compgen -W "{described_kinds}" -- "$current")); return ;;
        init) COMPREPLY=($(compgen -W "{starters}" -- "$current")); return ;;
    esac
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{nested}
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands} {flags}" -- "$current"))
{nested_commands}
    else
        COMPREPLY=($(compgen -W "{flags}" -- "$current"))
    fi
}}
complete -o default -F _logrouter logrouter
"""
_BASH_COMMANDS = """\
    elif [ "$COMP_CWORD $previous" = "2 {name}" ]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$current"))"""
_BASH_FLAGS = """\
        {pattern}) COMPREPLY=($(compgen -W "{flags}" -- "$current")); return ;;"""
_ZSH = """\
#compdef logrouter
# logrouter completion for zsh. Add to ~/.zshrc:  eval "$(logrouter completion zsh)"
_logrouter() {{
    local -a commands flags
    commands=({described})
    flags=({flags})
    if (( CURRENT == 2 )); then _describe command commands; fi
    case "$words[CURRENT-1]" in
        -c|--config|--output|--junit) _files; return ;;
        --directory) _files -/; return ;;
        completion) compadd {shells}; return ;;
        describe) compadd {described_kinds}; return ;;
        init) compadd {starters}; return ;;
    esac
{nested_commands}
    case "$words[2] $words[3]" in
{nested}
    esac
    compadd -- $flags
}}
compdef _logrouter logrouter
"""
_ZSH_COMMANDS = """\
    if [[ "$CURRENT $words[2]" == "3 {name}" ]]; then compadd {commands}; return; fi"""
_ZSH_FLAGS = """\
        {pattern}) compadd -- {flags}; {files}return ;;"""
_FISH_HEAD = "# logrouter completion for fish: logrouter completion fish > ~/.config/fish/completions/logrouter.fish\n"


def main(argv: Sequence[str]) -> int:
    """Print the script for a shell."""
    from logrouter.cli import _options

    parser = _options.parser("completion", "Print a script that completes logrouter's commands and flags in a shell.")
    parser.add_argument("shell", choices=_SHELLS)
    print(script(parser.parse_args(argv).shell), end="")
    return 0


def script(shell: str) -> str:
    """The completion script for a shell."""
    from logrouter.cli import summaries
    from logrouter.cli._route import make_parser

    flags = _flags(make_parser())
    commands = summaries()
    words = {"flags": " ".join(flags), "shells": " ".join(_SHELLS), **_words()}
    if shell == "bash":
        return _BASH.format(commands=" ".join(commands), **words, **_nested(_BASH_COMMANDS, _BASH_FLAGS))
    if shell == "zsh":
        described = " ".join(f"'{name}:{text}'" for name, text in commands.items())
        return _ZSH.format(described=described, **words, **_nested(_ZSH_COMMANDS, _ZSH_FLAGS))
    lines = [f"complete -c logrouter -n __fish_use_subcommand -a {name} -d '{text}'" for name, text in commands.items()]
    lines += [f"complete -c logrouter -l {flag[2:]} -d '{text}'" for flag, text in flags.items()]
    return _FISH_HEAD + "\n".join([*lines, *_fish_nested()]) + "\n"


def _words() -> dict[str, str]:
    """What commands take that have a few words to choose from."""
    from logrouter.cli import describe, init

    return {"described_kinds": " ".join(describe.KINDS), "starters": " ".join(init.kinds())}


def nested_flags(name: str) -> dict[str, dict[str, str]]:
    """Command of a command that has some → its flags."""
    actions = import_module(f"logrouter.cli.{name}").make_parser()._actions  # argparse has no public way to list them
    (commands,) = [action.choices for action in actions if isinstance(action, argparse._SubParsersAction)]
    return {command: _flags(parser) for command, parser in commands.items()}


def _nested(commands_line: str, flags_line: str) -> dict[str, str]:
    """What bash and zsh are told of these: their commands, and a line with the flags of each."""
    all_flags = {name: nested_flags(name) for name in _NESTED}
    commands = [commands_line.format(name=name, commands=" ".join(flags)) for name, flags in all_flags.items()]
    lines = [
        flags_line.format(pattern=f'"{name} {command}"', flags=" ".join(flags), files="")
        for name, commands_of_it in all_flags.items()
        for command, flags in commands_of_it.items()
    ]
    lines += [
        flags_line.format(pattern=f'"{name} "*', flags=" ".join(_own_flags(name)), files="_files; ") for name in _OWN
    ]
    return {"nested_commands": "\n".join(commands), "nested": "\n".join(lines)}


def _fish_nested() -> list[str]:
    lines = []
    for name in _NESTED:
        commands = nested_flags(name)
        names = " ".join(commands)
        chosen = f"__fish_seen_subcommand_from {name}; and not __fish_seen_subcommand_from {names}"
        lines.append(f'complete -c logrouter -f -n "{chosen}" -a "{names}"')
        for command, flags in commands.items():
            condition = f'"__fish_seen_subcommand_from {name}; and __fish_seen_subcommand_from {command}"'
            lines += [f"complete -c logrouter -n {condition} -l {flag[2:]} -d '{text}'" for flag, text in flags.items()]
    for name in _OWN:
        condition = f'"__fish_seen_subcommand_from {name}"'
        own = _own_flags(name).items()
        lines += [f"complete -c logrouter -n {condition} -l {flag[2:]} -d '{text}'" for flag, text in own]
    return lines


def _own_flags(name: str) -> dict[str, str]:
    return _flags(import_module(f"logrouter.cli.{name}").make_parser())


def _flags(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Long flag → what it does, in one line of plain words."""
    found = {}
    for action in parser._actions:  # argparse has no public way to list them
        for option in action.option_strings:
            if option.startswith("--"):
                found[option] = (action.help or "").partition(":")[0]
    return found
