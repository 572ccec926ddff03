"""Which requirements of a standard a report answers, and by what. They are named, and paraphrased.

docs/compliance.md says where to find the wording of each.
"""

from rotator.observe.report import Requirement

_FREQUENCY = Requirement(
    "PCI DSS v4.0.1, 8.6.3, first point: passwords of application and system accounts are changed periodically, as "
    "often as the entity's targeted risk analysis (12.3.1) says, and upon suspicion or confirmation of compromise",
    "age, limit and verdict of every accepted password, with `limits.max_age` as that frequency; the emergency changes "
    "of a period",
)
_COMPLEXITY = Requirement(
    "PCI DSS v4.0.1, 8.6.3, second point: they are complex enough for how often they are changed",
    "not answered here: `rotator check-config` shows length and entropy by policy",
)
_NINETY_DAYS = Requirement(
    "PCI DSS v4.0.1, 8.3.9, where a password is the only factor of a user's access: it is changed at least once every "
    "90 days, or else the security posture of the account is analysed dynamically, and access in real time follows "
    "from that (8.3.10.1: likewise for the customers of service providers); neither applies where access takes several "
    "factors",
    "no row is over a limit of 90 days or less, counted until the password is refused",
)
_CC6_1 = Requirement(
    "SOC 2, trust services criterion CC6.1: logical access security over protected information assets; its point of "
    "focus on the credentials of infrastructure and software tells of removing them once they are no longer required",
    "each credential with its account, when its password was made, and the proof that it is in force; from when on "
    "what was replaced is refused, and which retirements are overdue",
)
_A_5_17 = Requirement(
    "ISO/IEC 27001:2022, Annex A, 5.17: a management process controls how authentication information is allocated and "
    "managed; ISO/IEC 27002:2022, 5.17, tells of changing it at once if it is compromised",
    "the age of each password against `limits.max_age`; who asked for which emergency change, and from when on the old "
    "password was refused",
)
ANSWERED = {"pci": (_FREQUENCY, _COMPLEXITY, _NINETY_DAYS), "soc2": (_CC6_1,), "iso27001": (_A_5_17,)}
"""What a report answers of each standard."""
