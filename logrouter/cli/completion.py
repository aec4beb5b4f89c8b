"""`logrouter completion`: a script that completes commands and flags in bash, zsh or fish."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

_BASH = """\
# logrouter completion for bash. Add to ~/.bashrc:  eval "$(logrouter completion bash)"
_logrouter() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    case "$previous" in
        -c|--config|--output) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --directory) COMPREPLY=($(compgen -d -- "$current")); return ;;
        completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$current")); return ;;
        describe) COMPREPLY=($(compgen -W "source step sink" -- "$current")); return ;;
    esac
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{spool}
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands} {flags}" -- "$current"))
    elif [ "$COMP_CWORD $previous" = "2 spool" ]; then
        COMPREPLY=($(compgen -W "{spool_commands}" -- "$current"))
    else
        COMPREPLY=($(compgen -W "{flags}" -- "$current"))
    fi
}}
complete -o default -F _logrouter logrouter
"""
_BASH_FLAGS = """\
        "spool {name}") COMPREPLY=($(compgen -W "{flags}" -- "$current")); return ;;"""
_ZSH = """\
#compdef logrouter
# logrouter completion for zsh. Add to ~/.zshrc:  eval "$(logrouter completion zsh)"
_logrouter() {{
    local -a commands flags
    commands=({described})
    flags=({flags})
    if (( CURRENT == 2 )); then _describe command commands; fi
    case "$words[CURRENT-1]" in
        -c|--config|--output) _files; return ;;
        --directory) _files -/; return ;;
        completion) compadd bash zsh fish; return ;;
        describe) compadd source step sink; return ;;
    esac
    if [[ "$CURRENT $words[2]" == "3 spool" ]]; then compadd {spool_commands}; return; fi
    case "$words[2] $words[3]" in
{spool}
    esac
    compadd -- $flags
}}
compdef _logrouter logrouter
"""
_ZSH_FLAGS = """\
        "spool {name}") compadd -- {flags}; return ;;"""
_FISH_HEAD = "# logrouter completion for fish: logrouter completion fish > ~/.config/fish/completions/logrouter.fish\n"


def main(argv: Sequence[str]) -> int:
    """Print the script for a shell."""
    from logrouter.cli import _options

    parser = _options.parser("completion", "Print a script that completes logrouter's commands and flags in a shell.")
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])
    print(script(parser.parse_args(argv).shell), end="")
    return 0


def script(shell: str) -> str:
    """The completion script for a shell."""
    from logrouter.cli import summaries
    from logrouter.cli._route import make_parser

    flags = _flags(make_parser())
    commands = summaries()
    if shell == "bash":
        return _BASH.format(commands=" ".join(commands), flags=" ".join(flags), **_spool(_BASH_FLAGS))
    if shell == "zsh":
        described = " ".join(f"'{name}:{text}'" for name, text in commands.items())
        return _ZSH.format(described=described, flags=" ".join(flags), **_spool(_ZSH_FLAGS))
    lines = [f"complete -c logrouter -n __fish_use_subcommand -a {name} -d '{text}'" for name, text in commands.items()]
    lines += [f"complete -c logrouter -l {flag[2:]} -d '{text}'" for flag, text in flags.items()]
    return _FISH_HEAD + "\n".join([*lines, *_fish_spool()]) + "\n"


def _spool_flags() -> dict[str, dict[str, str]]:
    """Command of `logrouter spool` → its flags."""
    from logrouter.cli.spool import make_parser

    actions = make_parser()._actions  # argparse has no public way to list them
    (commands,) = [action.choices for action in actions if isinstance(action, argparse._SubParsersAction)]
    return {name: _flags(parser) for name, parser in commands.items()}


def _spool(line: str) -> dict[str, str]:
    """What bash and zsh are told of it: its commands, and a line with the flags of each."""
    commands = _spool_flags()
    lines = [line.format(name=name, flags=" ".join(flags)) for name, flags in commands.items()]
    return {"spool_commands": " ".join(commands), "spool": "\n".join(lines)}


def _fish_spool() -> list[str]:
    commands = _spool_flags()
    names = " ".join(commands)
    chosen = f"__fish_seen_subcommand_from spool; and not __fish_seen_subcommand_from {names}"
    lines = [f'complete -c logrouter -f -n "{chosen}" -a "{names}"']
    for name, flags in commands.items():
        condition = f'"__fish_seen_subcommand_from spool; and __fish_seen_subcommand_from {name}"'
        lines += [f"complete -c logrouter -n {condition} -l {flag[2:]} -d '{text}'" for flag, text in flags.items()]
    return lines


def _flags(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Long flag → what it does, in one line of plain words."""
    found = {}
    for action in parser._actions:  # argparse has no public way to list them
        for option in action.option_strings:
            if option.startswith("--"):
                found[option] = (action.help or "").partition(":")[0]
    return found
