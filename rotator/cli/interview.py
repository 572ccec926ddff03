"""What a first configuration has to say, question by question."""

import json
from functools import partial

from rotator.cli.answers import Answers
from rotator.fields.text import is_name
from rotator.settings.first_configuration import (
    REFERENCE_FORMS,
    FirstConfiguration,
    KeyQuestion,
    account_questions,
    account_types,
    login_methods,
    login_questions,
    reference,
)
from rotator.settings.problems import Loc

_EMBEDDED = "embedded"
_POLICY = "standard"
_STRATEGIES = {
    "replace": "a new credential each time: the username changes, old and new overlap",
    "alternating": "two permanent credentials take turns: old and new overlap",
    "in-place": "a new password for the only credential: no overlap",
}


class Interview:
    """Goes through everything that a first configuration has to say."""

    def __init__(self, first: FirstConfiguration, answers: Answers) -> None:
        self._first, self._answers = first, answers
        self.account, self.targets_folder = "", ""
        self._sections: dict[str, Loc] = {"vault": ("vault",), "limits": ("limits",), "target": ("targets", 0)}

    def hold(self, *, new: bool) -> None:
        """Takes every answer. What is wrong is in the answers' `problems`.

        Args:
            new: the account does not have the username yet.
        """
        self._provider()
        if not self._answers.problems:  # what is possible depends on the account
            self._target(new=new)
        about = "A folder for files of further targets, for rotator import; empty for none"
        self.targets_folder = self._answers.take((), "--targets-folder", about, needed=False) or ""
        self._vault()
        self._schedule()
        self._rest()

    def _provider(self) -> None:
        types = account_types()
        kind = self._answers.choose("--provider", "The type of the provider account", types, next(iter(types)))

        def name(answer: str) -> str:
            if not is_name(answer):
                raise ValueError("is not a name; use letters, digits, '-', '_' and '.'")
            return answer

        self.account = self._answers.take((), "--account", "A name for the account", kind, read=name) or ""
        if kind in types and self.account:
            self._sections["account"] = ("providers", self.account)
            self._first.put(("providers", self.account, "type"), kind)
            self._ask(account_questions(kind), "account")

    def _ask(self, questions: list[KeyQuestion], prefix: str, within: Loc = ()) -> None:
        for each in questions:
            about = f"{each.key}: {each.about}" + f" ({REFERENCE_FORMS})" * each.is_secret
            key = ".".join((prefix, *map(str, within), each.key))
            loc = (*self._sections[prefix], *within, each.key)
            read = reference if each.is_secret else str
            self._answers.take(loc, f"--set {key}", about, each.default, read=read)

    def _target(self, *, new: bool) -> None:
        possible = {each: _STRATEGIES[each] for each in self._first.strategies(self.account)}
        strategy = self._answers.choose("--strategy", "How it is rotated", possible, next(iter(possible)))
        two = strategy == "alternating"
        about = "Both usernames at the provider, with a blank between" if two else "The username at the provider"
        loc = ("targets", 0, "credential", "usernames" if two else "username")
        made = self._first.capabilities(self.account).generates_password
        username = self._answers.take(loc, "--username", about, read=str.split if two else str, needed=not made)
        default = username if isinstance(username, str) else "first-phone"
        name = self._answers.take(("targets", 0, "name"), "--target", "The target's name, for commands", default)
        self._first.put(("targets", 0, "provider"), self.account)
        self._first.put(("targets", 0, "strategy"), strategy)
        if new:
            self._first.put(("targets", 0, "credential", "new"), value=True)
        path = f"sip/{name}" if name else ""
        self._answers.take(("targets", 0, "path"), "--path", "Its document in Vault, which devices read", path)

    def _vault(self) -> None:
        def place(answer: str) -> str:
            self._first.data.pop("vault", None)
            if answer == _EMBEDDED:
                self._first.put(("vault", "embedded", "data_dir"), "./vault-data")
            elif problem := self._first.put(("vault", "address"), answer):
                raise ValueError(problem)
            return answer

        about = f"Vault's address, such as https://vault:8200, or '{_EMBEDDED}' for one that rotator runs"
        where = self._answers.take((), "--vault", about, _EMBEDDED, read=place)
        if where in (None, _EMBEDDED):
            return
        methods = login_methods()
        method = self._answers.choose("--login", "The login to Vault", methods, "token_file")
        if method in methods:
            self._first.put(("vault", "auth", "method"), method)
            self._ask(login_questions(method), "vault", ("auth",))

    def _schedule(self) -> None:
        self._answers.take(("limits", "max_age"), "--max-age", "The greatest age of a password", "90d")
        within = ("policies", _POLICY, "window")
        about = "When rotations may begin, as cron such as '0 2 * * *'; empty for at any time"
        if self._answers.take((*within, "cron"), "--window", about, needed=False):
            self._answers.take((*within, "duration"), "--window-length", "How long that lasts", "4h")
            self._answers.take((*within, "timezone"), "--timezone", "The time zone of that", "UTC")

    def _rest(self) -> None:
        """Takes the keys that nothing asks for."""
        self._sections["policy"] = ("policies", _POLICY)
        for option in self._answers.left:
            prefix, _, rest = option.removeprefix("--set ").partition(".")
            keys = tuple(rest.split("."))
            if not option.startswith("--set "):
                self._answers.problems.append(f"{option} has no effect here")
            elif prefix not in self._sections or not all(keys):
                known = [f"{each}." for each in sorted(self._sections)]
                self._answers.problems.append(f"{option}: begins with none of {', '.join(known)}")
            else:
                loc = (*self._sections[prefix], *keys)
                self._answers.take((), option, "", read=partial(self._put_as_it_fits, loc))
        if "policies" in self._first.data and "targets" in self._first.data:
            self._first.put(("targets", 0, "policy"), _POLICY)

    def _put_as_it_fits(self, loc: Loc, text: str) -> str:
        """Puts a reference, a number or a text, whichever the key takes. Raises ValueError: none is right."""
        problem = ""
        for read in (reference, json.loads, str) if text in ("true", "false") else (reference, str, json.loads):
            try:
                value = read(text)
            except ValueError:
                continue
            problem = self._first.put(loc, value)
            if not problem:
                return text
        raise ValueError(problem)
