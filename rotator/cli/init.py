"""Implements `rotator init`: asks, or takes options, and writes a first configuration that loads."""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rotator.cli.answers import Answers
from rotator.cli.exits import CommandError, Exit
from rotator.cli.interview import Interview
from rotator.cli.options import Output
from rotator.cli.printing import print_json, print_lines
from rotator.cli.writing import put_in_place
from rotator.settings import ConfigError, ConfigProblem, Draft, check
from rotator.settings.first_configuration import FirstConfiguration
from rotator.settings.list_writing import appended
from rotator.vault.policy import rotator_policy

_CONFIG, _POLICY = "config.yaml", "vault-policy.hcl"


@dataclass(frozen=True, slots=True)
class InitOptions:
    """The arguments of `rotator init`."""

    folder: Path
    given: Mapping[str, str] = field(default_factory=dict)  # the answers, by the name of the option
    new: bool = False
    yes: bool = False
    force: bool = False


def write_first(options: InitOptions, output: Output) -> Exit:
    """Asks, writes, prints what comes next, and returns the exit code.

    Raises:
        CommandError: an answer is missing or wrong, or a file is there already; nothing was written.
        ConfigError: what the answers make does not load; nothing was written.
        Interrupted: Ctrl-C was pressed; nothing was written.
    """
    config = options.folder / _CONFIG
    if config.exists() and not options.force:  # before anybody answers questions
        raise CommandError(f"{config} is there already; nothing was written: add --force to replace it")
    first = FirstConfiguration(options.folder.absolute())
    answers = Answers(first, options.given, asks=not options.yes and sys.stdin.isatty())
    interview = Interview(first, answers)
    interview.hold(new=options.new)
    if answers.problems:
        raise CommandError("\n".join(("nothing was written:", *(f"  {each}" for each in answers.problems))), Exit.USAGE)
    texts = _texts(first, interview, options.folder)
    there = [str(path) for path in texts if path.exists()]
    if there and not options.force:
        raise CommandError(f"{', '.join(there)}: there already; nothing was written: add --force to replace")
    draft = {path.resolve(): text for path, text in texts.items()}
    check(config, os.environ, Draft(draft, secrets_may_lack=True))
    put_in_place(texts, replace=options.force)
    _print(config, texts, interview.account, output)
    return Exit.DONE


def _texts(first: FirstConfiguration, interview: Interview, folder: Path) -> dict[Path, str]:
    """Returns the files to write, the configuration last."""
    texts: dict[Path, str] = {}
    vault, path = first.data["vault"], first.data["targets"][0]["path"]
    if "embedded" not in vault:  # that one gets its policies from rotator
        readable = f"{path.rpartition('/')[0]}/*" if "/" in path else path
        mount, prefix = vault.get("mount", "secret"), vault.get("state_prefix", "rotator/state")
        texts[folder / _POLICY] = rotator_policy(mount, prefix, [readable], first.keys_in_vault())
    if interview.targets_folder:
        file = folder / interview.targets_folder / f"{interview.account}.csv"
        texts[file] = appended(file.suffix, "", first.data.pop("targets"))
        first.data["include"] = [interview.targets_folder]
    texts[folder / _CONFIG] = first.text()
    return texts


def _print(config: Path, texts: Iterable[Path], account: str, output: Output) -> None:
    missing = _missing(config)
    at = shlex.quote(str(config))
    then = [
        f"rotator check-config -c {at}",
        f"rotator check-provider {account} -c {at}",
        f"rotator plan -c {at}",
    ]
    if output is Output.JSON:
        print_json(
            {
                "written": [str(path) for path in texts],
                "missing": [asdict(problem) for problem in missing],
                "next": then,
            }
        )
        return
    lines = [f"written: {path}" for path in texts]
    if any(path.name == _POLICY for path in texts):
        lines += ["", "give rotator its rights in Vault:", f"  vault policy write rotator {config.parent / _POLICY}"]
    if missing:
        lines += ["", "missing so far:", *(f"  {problem.key}: {problem.sentence}" for problem in missing)]
    print_lines(*lines, "", "then:", *(f"  {each}" for each in then))


def _missing(config: Path) -> tuple[ConfigProblem, ...]:
    """Returns what is not there yet that the configuration refers to."""
    try:
        check(config, os.environ)
    except ConfigError as error:
        return error.problems
    return ()
