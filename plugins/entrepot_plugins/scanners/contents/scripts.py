"""What is unusual in a script that a package manager runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from entrepot_plugins.scanners.contents.rules import Hit
from entrepot_plugins.scanners.contents.shell import DEEPEST, SHELLS, Command, TooDeepError, commands

LONGEST = 256 << 10
"""Bytes of a script that is taken apart; those of packages have some thousands."""
MOST_CHANGED = 1000
_WRAPPERS = frozenset(
    {
        "sudo",
        "doas",
        "env",
        "exec",
        "command",
        "nohup",
        "time",
        "nice",
        "ionice",
        "xargs",
        "builtin",
        "setsid",
        "stdbuf",
        "chronic",
        "eatmydata",
    }
)
_INTERPRETERS = SHELLS | {"python", "python2", "python3", "perl", "ruby", "node", "php"}
_FETCHERS = frozenset(
    {
        "curl",
        "wget",
        "nc",
        "ncat",
        "netcat",
        "socat",
        "ftp",
        "tftp",
        "sftp",
        "scp",
        "aria2c",
        "axel",
        "lftp",
        "fetch",
        "telnet",
    }
)
_FETCHING = {
    name: verbs
    for names, verbs in (
        (("pip", "pip2", "pip3", "pipx", "uv"), {"install", "download"}),
        (("npm", "yarn", "pnpm"), {"install", "i", "ci", "add"}),
        (("gem", "cargo", "snap", "flatpak"), {"install"}),
        (("go",), {"get", "install"}),
        (("git",), {"clone", "fetch", "pull", "submodule"}),
        (("svn",), {"checkout", "co", "export"}),
        (("hg",), {"clone", "pull"}),
        (("apt", "apt-get", "aptitude"), {"install", "update", "upgrade", "dist-upgrade", "download"}),
        (("dnf", "yum", "microdnf", "zypper"), {"install", "update", "upgrade", "in"}),
        (("docker", "podman"), {"pull", "run"}),
    )
    for name in names
}
"""Programs that fetch when they are told to by one of these words."""
_URL = re.compile(r"\b(https?|ftp)://[^\s/]+")
_TRUST_PATH = re.compile(
    r"/etc/(apt/(sources\.list|trusted\.gpg|keyrings|auth\.conf)|yum\.repos\.d|dnf/repos\.d|zypp/repos\.d|pki/rpm-gpg"
    r"|pki/ca-trust/source)|/usr/share/keyrings/|/usr/local/share/ca-certificates/"
)
_ACCESS_PATH = re.compile(
    r"/etc/(sudoers|passwd|shadow|gshadow|group|ld\.so\.preload|pam\.d|polkit-1|crontab|cron\.)|/\.ssh/|/var/spool/cron"
)
_PROGRAM_PATH = re.compile(r"/(usr/)?(bin|sbin|lib|lib32|lib64|libexec)/[^$*?\[]+|/boot/[^$*?\[]+")
_UID_0 = re.compile(r"(-[a-zA-Z]*u|--uid)[ =]?0+( |$)")
_LINE_OF_UID_0 = re.compile(r"[^:\s]+:[^:\s]*:0+:")
_SETS_USER_ID = re.compile(r"0?[4567][0-7]{3}|([ugoa]*[-+=][rwxXstugo]*,)*(u[go]*|a?)[+=][rwxX]*s[rwxXst]*(,.*)?")
_SETS_GROUP_ID = re.compile(r"0?[23][0-7]{3}|([ugoa]*[-+=][rwxXstugo]*,)*g[+=][rwxX]*s[rwxXst]*(,.*)?")
_OTHER_LANGUAGES = {
    "script-fetches": re.compile(
        r"\b(urllib|urlopen|requests\.(get|post)|http\.client|LWP::|HTTP::Tiny|Net::HTTP|IO::Socket|socket\.socket|luasocket"
        r"|curl|wget)\b"
    ),
    "script-adds-trust": re.compile(r"trusted\.gpg|sources\.list|yum\.repos\.d|rpm-gpg"),
    "script-grants-access": re.compile(r"/etc/(sudoers|shadow|passwd|ld\.so\.preload)|authorized_keys"),
    "script-decodes": re.compile(r"\b(exec|eval)\b.{0,40}\b(b64decode|decode_base64|unpack)\b"),
}


class Script:
    """What was found in one script. ``changed`` are programs that it changes, as far as their paths stand there."""

    def __init__(self) -> None:
        self.hits: dict[tuple[str, str], Hit] = {}
        self.changed: dict[str, Hit] = {}

    def add(self, hit: Hit) -> None:
        self.hits.setdefault((hit.rule, hit.summary), hit)


def unusual_script(data: bytes) -> Script:
    """What is found in a script. It is taken for one of a shell unless its first line says otherwise."""
    script = Script()
    if len(data) > LONGEST or b"\0" in data:
        why = f"it has more than {LONGEST} bytes" if len(data) > LONGEST else "it is no text"
        script.add(Hit("script-unreadable", "medium", f"{why}, and could not be looked at"))
        return script
    text = data.decode("utf-8", "replace")
    interpreter = _interpreter(text)
    if interpreter and interpreter not in SHELLS:
        _other_language(script, text, interpreter)
        return script
    try:
        _look(script, text, 0)
    except TooDeepError as error:
        script.add(Hit("script-unreadable", "medium", f"{error}, and could not be looked at"))
    return script


def _interpreter(text: str) -> str:
    match = re.match(r"#!\s*(\S+)(?:[ \t]+(\S+))?", text)
    if not match:
        return ""
    name = PurePosixPath(match[1]).name
    return PurePosixPath(match[2]).name if name == "env" and match[2] else name


def _other_language(script: Script, text: str, interpreter: str) -> None:
    """In what is not for a shell, only some words are looked for, comments left out."""
    code = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(("#", "--")))
    for rule, pattern in _OTHER_LANGUAGES.items():
        if match := pattern.search(code):
            script.add(Hit(rule, "medium", f"it is for {interpreter}, and has: {match[0][:80]}"))


def _look(script: Script, text: str, depth: int) -> None:
    if depth > DEEPEST:
        raise TooDeepError("it is nested too deeply")
    for command in commands(text, depth):
        words = _unwrapped(command.words)
        name = PurePosixPath(words[0]).name if words else ""
        _fetches(script, name, words)
        _trust_and_access(script, name, words, command)
        _identity(script, name, words)
        _runs_answers(script, name, words, command)
        for inner in _scripts_in(name, words, command):
            _look(script, inner, depth + 1)


def _unwrapped(words: Sequence[str]) -> list[str]:
    """A command without what runs it: ``sudo -n env A=b curl`` is ``curl``."""
    words = list(words)
    if words[:1] == ["command"] and words[1:2] in (["-v"], ["-V"]):
        return words
    while words and PurePosixPath(words[0]).name in _WRAPPERS:
        words = words[1:]
        while words and (words[0].startswith("-") or re.match(r"[A-Za-z_][A-Za-z0-9_]*=", words[0])):
            words = words[1:]
    if len(words) > 2 and PurePosixPath(words[0]).name == "timeout":
        return _unwrapped(words[2:])
    return words


def _fetches(script: Script, name: str, words: Sequence[str]) -> None:
    arguments = [word for word in words[1:] if not word.startswith("-")]
    offline = {"--no-index", "--offline", "--no-download"} & set(words)
    python = re.fullmatch(r"python[0-9.]*", name) and words[1:3] == ["-m", "pip"]
    if python:
        name, arguments = "pip", [word for word in words[3:] if not word.startswith("-")]
    found = (name in _FETCHERS and arguments) or (
        name in _FETCHING and arguments and arguments[0] in _FETCHING[name] and not offline
    )
    if found or any("/dev/tcp/" in word for word in words):
        url = next((match[0] for word in words if (match := _URL.search(word))), "")
        script.add(Hit("script-fetches", "medium", f"it runs {_shown(words)}" + (f" ({url})" if url else "")))


def _trust_and_access(script: Script, name: str, words: Sequence[str], command: Command) -> None:
    adds = (
        name in ("apt-key", "add-apt-repository", "apt-add-repository", "yum-config-manager", "update-ca-trust")
        or (name in ("rpm", "rpmkeys", "gpg", "gpg2") and "--import" in words)
        or (name in ("rpm", "gpg", "gpg2") and any(word.startswith("--recv-key") for word in words))
        or (name in ("dnf", "dnf5", "zypper") and {"config-manager", "--add-repo", "addrepo", "ar"} & set(words[1:]))
    )
    if adds and not (name == "apt-key" and "del" in words):
        script.add(Hit("script-adds-trust", "high", f"it runs {_shown(words)}"))
    for path in _written(name, words, command):
        if _TRUST_PATH.search(path):
            script.add(Hit("script-adds-trust", "high", f"it writes to {path[:200]}"))
        elif _ACCESS_PATH.search(path):
            script.add(Hit("script-grants-access", "high", f"it writes to {path[:200]}"))
        elif _PROGRAM_PATH.fullmatch(path) and len(script.changed) < MOST_CHANGED:
            normal = path.strip("/")
            script.changed.setdefault(normal, Hit("script-changes-others", "medium", f"it writes to {path[:200]}"))


def _written(name: str, words: Sequence[str], command: Command) -> Iterator[str]:
    """Files that a command changes."""
    yield from command.writes
    plain = [word for word in words[1:] if not word.startswith("-")]
    if name == "tee":
        yield from plain
    elif name in ("cp", "mv", "install", "ln", "rsync") and len(plain) > 1:
        yield plain[-1]
    elif name in ("sed", "perl") and any(re.match(r"-[a-zA-Z]*i|--in-place", word) for word in words[1:]):
        yield from plain[1:] if name == "sed" and not any(word.startswith("-e") for word in words) else plain
    elif name == "dd":
        yield from (word[3:] for word in plain if word.startswith("of="))


def _identity(script: Script, name: str, words: Sequence[str]) -> None:
    text = " ".join(words)
    makes = name in ("useradd", "adduser", "usermod") and _UID_0.search(text)
    writes = name in ("echo", "printf") and _LINE_OF_UID_0.match(" ".join(words[1:]))
    if makes or writes:
        script.add(Hit("script-adds-superuser", "critical", f"it runs {_shown(words)}"))
    modes = words[1:] if name == "chmod" else []
    if name == "install":
        modes = [match[1] for match in re.finditer(r"(?:-[a-zA-Z]*m|--mode)[ =]?(\S+)", text)]
    elif name == "dpkg-statoverride" and "--add" in words:
        modes = [word for word in words[1:] if re.fullmatch("[0-7]{4,5}", word)]
    for mode in modes:
        if _SETS_USER_ID.fullmatch(mode):
            script.add(Hit("script-sets-id", "high", f"it runs {_shown(words)}"))
        elif _SETS_GROUP_ID.fullmatch(mode):
            script.add(Hit("script-sets-id", "low", f"it runs {_shown(words)}"))
    if name == "setcap" and "-r" not in words:
        script.add(Hit("script-sets-capabilities", "high", f"it runs {_shown(words)}"))


def _runs_answers(script: Script, name: str, words: Sequence[str], command: Command) -> None:
    """``curl ... | sh``, ``eval "$(curl ...)"``, ``sh <(curl ...)``, and the same with what is decoded."""
    # With -c or -e the script stands in the words, and what is read are data.
    reads_input = name in _INTERPRETERS and all(re.fullmatch(r"-[sxuiev]*|--", word) for word in words[1:])
    reads_input = reads_input and (name in SHELLS or not any("e" in word for word in words[1:]))
    reads_input = reads_input or (name in SHELLS and "-s" in words)
    origins: list[Command] = []
    if command.source is not None and reads_input:
        origins = list(_chain(command.source))
    elif command.inner and (name in ("eval", "source", ".") or name in _INTERPRETERS):
        origins = command.inner
    if not origins:
        return
    told = " | ".join(_shown(_unwrapped(origin.words)) for origin in reversed(origins[:4]))
    decodes = any(_decodes(origin) for origin in origins)
    fetches = any(_is_fetch(origin) for origin in origins)
    if decodes:
        script.add(Hit("script-decodes", "high", f"{name} runs what {told} answers"))
    if fetches or (command.source is not None and not decodes):
        severity = "critical" if fetches else "medium"
        script.add(Hit("script-pipes-to-shell", severity, f"{name} runs what {told} answers"))


def _chain(command: Command | None) -> Iterator[Command]:
    while command is not None:
        yield command
        yield from command.inner
        command = command.source


def _is_fetch(command: Command) -> bool:
    words = _unwrapped(command.words)
    return bool(words) and PurePosixPath(words[0]).name in _FETCHERS


def _decodes(command: Command) -> bool:
    words = _unwrapped(command.words)
    name = PurePosixPath(words[0]).name if words else ""
    if name in ("base64", "base32", "uudecode", "xxd"):
        return name == "uudecode" or any(re.match(r"-[a-zA-Z]*[dDr]|--decode", word) for word in words[1:])
    return name == "openssl" and ("-d" in words or "base64" in words)


def _scripts_in(name: str, words: Sequence[str], command: Command) -> Iterator[str]:
    """Scripts that stand in a command's words, or in a here-document that a shell reads."""
    if name in SHELLS | {"su"}:
        if "-c" in words[1:-1]:
            yield words[words.index("-c") + 1]
        elif command.document:
            yield command.document
    elif name == "eval":
        yield " ".join(words[1:])


def _shown(words: Sequence[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= 120 else f"{text[:120]}..."
