"""A real agent that renders the example templates of config/consumers, with the paths and times of a test."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from openbao_server import Bao
from polling import eventually

from rotator.vault.process import find_server

EXAMPLES = Path(__file__).parents[2] / "config/consumers"
READS = 'path "secret/data/sip/office-phone" { capabilities = ["read"] }'


class RenderedFiles:
    """What the agent has written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, template: str) -> Path:
        return self._folder / f"{template}.out"

    def text(self, template: str) -> str:
        return self.path(template).read_text() if self.path(template).exists() else ""

    def have(self, text: str) -> bool:
        """True once every file contains `text`."""
        return all(text in self.text(template.stem) for template in EXAMPLES.glob("*.ctmpl"))

    def told(self) -> list[str]:
        """The templates whose command ran, in this order."""
        path = self._folder / "told"
        return path.read_text().split() if path.exists() else []


@contextmanager
def running_agent(bao: Bao, folder: Path, changes: Mapping[str, str] | None = None) -> Iterator[RenderedFiles]:
    """Runs the example's agent against `bao`; `changes` are texts of the templates and what to write instead."""
    login = bao.app_role(bao.policy("office-phone", READS))
    (folder / "role-id").write_text(login.role_id)
    (folder / "secret-id").write_text(login.current_secret_id().reveal())
    for template in EXAMPLES.glob("*.ctmpl"):
        text = template.read_text()
        for old, new in (changes or {}).items():
            text = text.replace(old, new)
        (folder / template.name).write_text(text)
    configuration = folder / "agent.hcl"
    configuration.write_text(_for_a_test((EXAMPLES / "vault-agent.hcl").read_text(), bao.address, folder))
    with (folder / "agent.log").open("wb") as log:
        agent = subprocess.Popen([find_server(), "agent", f"-config={configuration}"], stdout=log, stderr=log)
    try:
        eventually(lambda: "authentication successful" in (folder / "agent.log").read_text(), "the agent has logged in")
        yield RenderedFiles(folder)
    finally:
        agent.terminate()
        agent.wait(30)


def _for_a_test(text: str, address: str, folder: Path) -> str:
    """The example with this test's address and paths, a short interval, and commands that only say that they ran."""
    text = text.replace("https://vault:8200", address).replace('ca_cert = "/etc/vault-agent/ca.pem"', "")
    text = text.replace("/etc/vault-agent/", f"{folder}/").replace('= "1m"', '= "1s"')
    templates = iter(re.findall(r'source += "(.*)\.ctmpl"', text))
    text = re.sub(r'destination( +)= ".*"', lambda _: f'destination = "{next(templates)}.out"', text)
    names = iter(re.findall(r"/(\w+)\.ctmpl", text))
    return re.sub(r"command = \[.*\]", lambda _: f'command = ["sh", "-c", "echo {next(names)} >> {folder}/told"]', text)
