"""Which role each use case needs, and whether somebody has it: the one place that says so.

Services do what they are asked. Who asks over HTTP goes through the gate first; the command line is whoever may open
the workspace's files.
"""

from __future__ import annotations

from collections.abc import Mapping

from entrepot.errors import NotAllowedError
from entrepot.models import Identity, Role

ACTIONS: Mapping[str, Role] = {
    "catalog.read": Role.READER,
    "source.read": Role.READER,
    "repository.read": Role.READER,
    "review.read": Role.READER,
    "task.read": Role.READER,
    "package.import": Role.UPLOADER,
    "package.upload": Role.UPLOADER,
    "review.decide": Role.REVIEWER,
    "source.sync": Role.MAINTAINER,
    "source.change": Role.MAINTAINER,
    "repository.change": Role.MAINTAINER,
    "version.publish": Role.MAINTAINER,
    "version.rollback": Role.MAINTAINER,
    "version.promote": Role.MAINTAINER,
    "version.mirror": Role.MAINTAINER,
    "task.cancel": Role.MAINTAINER,
    "task.retry": Role.MAINTAINER,
    "access.change": Role.ADMIN,
}
"""What can be asked for -> the least role that may."""

OF_A_DISTRIBUTION = frozenset(
    {
        "package.import",
        "package.upload",
        "review.decide",
        "version.publish",
        "version.rollback",
        "version.promote",
        "version.mirror",
    }
)
"""What changes one distribution. The other changes are for those who are not limited to some."""


def allows(identity: Identity, action: str, distribution: str | None = None) -> bool:
    """Whether ``require`` would be content."""
    try:
        require(identity, action, distribution)
    except NotAllowedError:
        return False
    return True


def require(identity: Identity, action: str, distribution: str | None = None) -> None:
    """``NotAllowedError`` unless somebody may do this, to this distribution (its path) where there is one.

    Without a distribution, what changes one is asked about in general: a limit is then not looked at.
    """
    needed = ACTIONS[action]
    if not identity.role.covers(needed):
        raise NotAllowedError(
            f"{identity.name} is {identity.role}, and this needs {needed}", hint=f"use a token with the role {needed}"
        )
    if not identity.distributions or needed is Role.READER:
        return
    limits = ", ".join(identity.distributions)
    if action not in OF_A_DISTRIBUTION:
        raise NotAllowedError(f"{identity.name} may change {limits} and nothing else", hint="use a token without limit")
    if distribution is not None and distribution not in identity.distributions:
        raise NotAllowedError(f"{identity.name} may change {limits}, and not {distribution}")
