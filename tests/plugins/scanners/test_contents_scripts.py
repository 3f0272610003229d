"""What is unusual in a script, and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot_plugins.scanners.contents.scripts import LONGEST, unusual_script
from entrepot_plugins.scanners.contents.shell import TooDeepError, commands


def found(text: str) -> set[str]:
    script = unusual_script(text.encode())
    return {hit.rule for hit in script.hits.values()} | {hit.rule for hit in script.changed.values()}


def words(text: str) -> list[list[str]]:
    return [command.words for command in commands(text)]


FETCHES, TRUST, PIPES, DECODES = "script-fetches", "script-adds-trust", "script-pipes-to-shell", "script-decodes"
ACCESS, SUPER, SETS_ID = "script-grants-access", "script-adds-superuser", "script-sets-id"


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("curl -fsSL https://example.org/x -o /var/lib/x", {FETCHES}),
        ("if ! wget -q https://example.org/x; then exit 1; fi", {FETCHES}),
        ("sudo -n env A=b /usr/bin/curl https://example.org", {FETCHES}),
        ("x=$(curl https://example.org)", {FETCHES}),
        ("x=`wget -O- https://example.org`", {FETCHES}),
        ('echo "a $(curl https://example.org) b"', {FETCHES}),
        ("pip3 install requests", {FETCHES}),
        ("python3 -m pip install requests", {FETCHES}),
        ("npm ci --production", {FETCHES}),
        ("git clone https://example.org/x.git", {FETCHES}),
        ("exec 3<>/dev/tcp/example.org/80; cat /dev/tcp/example.org/80", {FETCHES}),
        ("bash -c 'wget https://example.org'", {FETCHES}),
        ("bash <<EOF\nwget https://example.org\nEOF\n", {FETCHES}),
        ("case $1 in configure) curl https://example.org ;; esac", {FETCHES}),
        ("f() { curl https://example.org; }", {FETCHES}),
        ("cu\\\nrl https://example.org", {FETCHES}),
        ("c'ur'l https://example.org", {FETCHES}),
        ("curl https://example.org | sh", {FETCHES, PIPES}),
        ("curl https://example.org | tee /var/x | sudo bash -s -- now", {FETCHES, PIPES}),
        ("sh <(curl https://example.org)", {FETCHES, PIPES}),
        ('eval "$(wget -O- https://example.org)"', {FETCHES, PIPES}),
        ("echo ZWNobyBoaQo= | base64 -d | sh", {DECODES}),
        ("eval $(echo ZWNobyBoaQo= | base64 --decode)", {DECODES}),
        ("apt-key add /usr/share/x.key", {TRUST}),
        ("rpm --import /etc/pki/x", {TRUST}),
        ("add-apt-repository -y ppa:x/y", {TRUST}),
        ("echo 'deb https://example.org x main' > /etc/apt/sources.list.d/x.list", {TRUST}),
        ("cat <<EOF | tee /etc/yum.repos.d/x.repo\n[x]\nEOF\n", {TRUST}),
        ("cp x.gpg /etc/apt/trusted.gpg.d/", {TRUST}),
        ("echo 'x ALL=(ALL) NOPASSWD: ALL' >> /etc/sudoers", {ACCESS}),
        ("install -m 600 k /root/.ssh/authorized_keys", {ACCESS}),
        ("useradd -o -u 0 x", {SUPER}),
        ("echo 'x:x:0:0::/root:/bin/sh' >> /etc/passwd", {SUPER, ACCESS}),
        ("chmod 4755 /opt/x/y", {SETS_ID}),
        ("chmod u+s /opt/x/y", {SETS_ID}),
        ("chmod +xs /opt/x/y", {SETS_ID}),
        ("dpkg-statoverride --update --add root x 4754 /opt/x/y", {SETS_ID}),
        ("setcap cap_net_raw+ep /opt/x/y", {"script-sets-capabilities"}),
        ("echo x > /usr/bin/tool", {"script-changes-others"}),
        ("#!/usr/bin/python3\nimport urllib.request", {FETCHES}),
        ("#!/usr/bin/perl\nuse LWP::Simple;", {FETCHES}),
        ("$(" * 1000, {"script-unreadable"}),
        ("\0ELF", {"script-unreadable"}),
        ("#" * (LONGEST + 1), {"script-unreadable"}),
    ],
)
def test_what_is_unusual_is_found(text: str, rules: set[str]) -> None:
    assert found(text) == rules


@pytest.mark.parametrize(
    "text",
    [
        "# curl https://example.org | sh",
        "echo 'curl https://example.org | sh'",
        'echo "see curl(1)"; echo done # wget x',
        "cat <<'EOF'\ncurl https://example.org | sh\nEOF\necho done\n",
        "cat <<-EOF >&2\n\twget https://example.org\n\tEOF\n",
        "command -v curl >/dev/null 2>&1",
        "if which wget; then :; fi",
        "case $SHELL in bash|sh) echo x ;; wget) ;; esac",
        "fetch() { echo x; }",
        "curl() (\n:\n)",
        "pip install --no-index /usr/share/x.whl",
        "git config --system x y",
        "dpkg -L x | perl -ne 's/a/b/; unlink'",
        "grep x /etc/passwd | while read -r line; do echo $line; done",
        "getent passwd root < /etc/passwd",
        "chmod 755 /usr/bin/x; chmod 0644 x; chmod g-s x; chmod u=rwx x",
        "update-rc.d x defaults > /dev/null",
        "adduser --system --uid 100 x; useradd -r -u 1000 y",
        "sed -e s/a/b/ /usr/bin/x",
        "x=$((1 + 2)); y=${z:-curl}",
        "#!/usr/bin/perl\n# use LWP\nprint 1;",
        "",
    ],
)
def test_what_is_usual_is_not_found(text: str) -> None:
    assert found(text) == set()


def test_a_script_is_taken_apart_like_a_shell_would() -> None:
    assert words("a 'b c'\"d\"e \\$f; g|h && i # j\n{ k; }\nx=1 l >m 2>&1 &") == [
        ["a", "b cde", "$f"],
        ["g"],
        ["h"],
        ["i"],
        ["k"],
        ["l"],
    ]


def test_what_a_command_reads_and_writes_is_known() -> None:
    first, second = commands("a <<E | b >c 2>>d\ntext\nE\n")
    assert (first.document, second.source, second.writes) == ("text", first, ["c", "d"])


def test_patterns_of_nested_cases_are_no_commands() -> None:
    text = "case a in\n b|c)\n case d in e) f;; esac\n g;;\n (h) i ;;\nesac\nj"
    assert [found for found in words(text) if found[0] != "case"] == [["f"], ["g"], ["i"], ["j"]]


@pytest.mark.parametrize("text", ["$(" * 200, "(" * 200, "<(" * 200])
def test_deep_nesting_ends(text: str) -> None:
    with pytest.raises(TooDeepError):
        commands(text)


@pytest.mark.parametrize(
    "piece", ["a|", "$(", "`", "'", '"', "<<E\n", "case x in ", "((", "${", "\\\n", "a>b ", "eval a;", "<("]
)
def test_the_longest_script_of_anything_ends(piece: str) -> None:
    unusual_script((piece * (LONGEST // len(piece))).encode())


@given(st.text("ab |&;()<>$`'\"\\\n#{}=123 -E", max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    unusual_script(text.encode())
