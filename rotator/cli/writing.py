"""Writes files of a configuration: each whole or not at all, and none over another without being told."""

import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from rotator.cli.exits import CommandError


def put_in_place(texts: Mapping[Path, str], *, replace: bool) -> None:
    """Writes the files, in the order given: the last one should be the one that refers to the others.

    Args:
        texts: what each file will contain. Its folder is made if need be.
        replace: write over what is there, and keep its owner, if that is allowed, and its permissions.

    Raises:
        CommandError: a file is there already, or cannot be written.
    """
    with ExitStack() as rest:
        try:
            drafts = [(_draft(path, text, rest), path) for path, text in texts.items()]
            for draft, path in drafts:
                if replace:
                    draft.replace(path.resolve())
                else:
                    path.hardlink_to(draft)  # fails if the file is there, be it since a moment ago
        except FileExistsError as error:
            raise CommandError(f"{error.filename2 or error.filename} is there already") from None
        except OSError as error:
            raise CommandError(f"{error.filename2 or error.filename} cannot be written: {error.strerror}") from None


def _draft(path: Path, text: str, rest: ExitStack) -> Path:
    """Writes the text beside the file that it is for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")  # a folder of targets leaves out what begins with a dot
    rest.callback(draft.unlink, missing_ok=True)
    # No secret is in it: whoever runs the daemon has to read it, so the umask decides.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "w", encoding="utf-8") as file:
        if target.exists():
            before = target.stat()
            with suppress(PermissionError):  # only root gives files away: a daemon of another user has to read it
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fchmod(file.fileno(), before.st_mode & 0o777)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft
