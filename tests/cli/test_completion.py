"""Does a shell complete commands, options, machines and networks, and quickly?

zsh's script is held to its parts only, and to what it is answered: that shell may not be there.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from test_cli import NMSIM, Nmsim, fine, nmsim

from simulator.catalog import presets
from simulator.cli import app
from simulator.cli.completing import ASKED

__all__ = ["nmsim"]  # the fixture

MACHINES = list(presets("configs", ".yaml"))
NETWORKS = list(presets("workloads", ".csv"))

TYPED = """
source <(nmsim completion bash)
complete -p nmsim >/dev/null || exit 9
for line in "$@"; do
  read -ra COMP_WORDS <<< "$line"
  [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _nmsim_completion nmsim
  printf '%s\\t' "${COMPREPLY[@]}"
  echo
done
"""
"""What a bash does with lines whose last words are begun."""

OFFERED: dict[str, list[str]] = {
    "nmsim com": ["compare", "completion"],
    "nmsim run ": [*MACHINES, "mine.yaml"],
    "nmsim -q compare nm-": [name for name in MACHINES if name.startswith("nm-")],
    "nmsim run nm-edge ": [*NETWORKS, "trace.csv"],
    "nmsim run nm-edge gemm:64x64x64 --pat": ["--pattern"],
    "nmsim run nm-edge resnet50 --accuracy ": ["exact", "sampled"],
    "nmsim run nm-edge resnet50 --pattern ": [],
    "nmsim diff mi": ["mi300x", "mine.yaml"],
    "nmsim hardware a100": ["a100-sxm4-40gb", "a100-sxm4-80gb"],
    "nmsim completion ": ["bash", "zsh"],
    "nmsim --version run nm-ed": ["nm-edge"],
    "nmsim run ./": [],
}
"""Words by line; where there are none, bash names files itself."""


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The words that a bash offers, in a folder with some files."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("mine.yaml", "trace.csv", "notes.txt"):
        (folder / name).touch()
    done = subprocess.run(
        ["bash", "--norc", "-c", TYPED, "bash", *OFFERED],
        capture_output=True,
        check=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PATH": f"{NMSIM.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert not done.stderr
    words = ([word for word in line.split("\t") if word] for line in done.stdout.splitlines())
    return dict(zip(OFFERED, words, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("line", OFFERED)
def test_bash_offers_what_may_follow(completed: dict[str, list[str]], line: str) -> None:
    assert completed[line] == OFFERED[line]


def test_every_command_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = answered(monkeypatch, "bash", COMP_WORDS="nmsim\n", COMP_CWORD="1")
    assert len(answer.splitlines()) == len(app.registered_commands)


def answered(monkeypatch: pytest.MonkeyPatch, shell: str, **variables: str) -> str:
    """What a shell is told."""
    for name, value in {ASKED: f"complete_{shell}", **variables}.items():
        monkeypatch.setenv(name, value)
    return subprocess.run([NMSIM], capture_output=True, check=True, text=True).stdout


def test_zsh_is_offered_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f'"{name}"' for name in MACHINES if name.startswith("a100")]
    text = answered(monkeypatch, "zsh", _TYPER_COMPLETE_ARGS="nmsim run a100")
    assert text == f"_arguments '*: :(({chr(10).join(words)}))'\n"
    assert answered(monkeypatch, "zsh", _TYPER_COMPLETE_ARGS="nmsim run ./a") == "_files\n"


def test_the_scripts_are_all_that_is_printed(nmsim: Nmsim) -> None:
    bash, zsh = (fine(nmsim("completion", shell)).text for shell in ("bash", "zsh"))
    for script in (bash, zsh):
        assert script.count("_nmsim_completion()") == 1
        assert f"{ASKED}=complete_" in script
    assert bash.splitlines()[-1] == "complete -o default -F _nmsim_completion nmsim"
    assert zsh.splitlines()[0] == "#compdef nmsim"
    assert zsh.splitlines()[-1] == "compdef _nmsim_completion nmsim"
    assert zsh.count("$(") == zsh.count(")") - 1  # its function has a pair of its own
    checked = subprocess.run(["bash", "-n"], input=bash, text=True, capture_output=True, check=True)
    assert not checked.stderr


def test_another_shell_is_one_line(nmsim: Nmsim) -> None:
    ended = nmsim("completion", "fish")
    assert (ended.code, ended.out) == (2, b"")
    assert ended.err == "nmsim: completion: no such shell, want bash or zsh, got 'fish'\n"


def test_no_option_of_typer_s_clutters_the_help(nmsim: Nmsim) -> None:
    assert "-completion" not in fine(nmsim("--help")).text


def test_an_answer_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from simulator.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    asked = {ASKED: "complete_bash", "COMP_WORDS": "nmsim\nrun\n\n", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **asked},
    )
    assert "nm-edge" in done.stdout.split()
    assert not {"numba", "numpy", "pandas", "ruamel", "simpy"} & set(done.stderr.split())
