"""`rollout lint`: its exit codes, its forms, and what it does with odd files."""

import os
from pathlib import Path

import pytest

from rollout.cli.lint import _frame
from rollout.cli.terminal import Terminal
from rollout.policy.complaint import Complaint
from tests.installation import POLICY
from tests.unit.cli.conftest import Cli, House
from tests.unit.cli.streams import terminal

GOOD = POLICY.format(backend="jazz-v2", bake="5m")
OTHER = GOOD.replace("name: jazz", "name: rock").replace(
    "routeConfiguration: jazz", "routeConfiguration: rock"
)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "jazz.yaml").write_text(GOOD, encoding="utf-8")
    return folder


def test_good_policies_are_good(cli: Cli, policies: Path):
    (policies / "deep").mkdir()
    (policies / "deep" / "rock.yml").write_text(OTHER, encoding="utf-8")
    ended = cli("lint", str(policies))
    assert (ended.code, ended.out, ended.err) == (0, "no complaints about 2 policies in 2 files\n", "")


def test_a_complaint_says_where_what_and_what_instead(cli: Cli, policies: Path):
    """In a pipe one line each, as compilers write them; exit code 1."""
    (policies / "jazz.yaml").write_text(GOOD.replace("bake", "bakee"), encoding="utf-8")
    ended = cli("lint", str(policies))
    assert ended.code == 1
    [first, *others] = ended.out.splitlines()
    assert first == (
        f"{policies / 'jazz.yaml'}:8:20: RP022 unknown field `bakee` in steps (did you mean `bake`?)"
    )
    assert len(others) == 2
    assert ended.err == "3 complaints\n"


def test_policies_that_clash_are_found_across_files(cli: Cli, policies: Path):
    """Two files, each good by itself, that want the same route."""
    (policies / "rock.yaml").write_text(GOOD.replace("name: jazz}\n", "name: rock}\n", 1), encoding="utf-8")
    ended = cli("lint", str(policies))
    assert ended.code == 1
    assert [line.split(" ")[1] for line in ended.out.splitlines()] == ["RP081", "RP081"]


def test_complaints_in_json(cli: Cli, policies: Path):
    (policies / "jazz.yaml").write_text(GOOD.replace("bake: 5m", "bake: 0m", 1), encoding="utf-8")
    ended = cli("lint", str(policies), "-o", "json")
    assert ended.code == 1
    assert ended.json["format"] == 1
    assert ended.json["files"] == 1
    [said] = ended.json["complaints"]
    assert (said["path"], said["line"], said["code"]) == (str(policies / "jazz.yaml"), 8, "RP047")
    assert said["what"]
    assert said["instead"]


def test_with_settings_names_and_guard_rails_hold(cli: Cli, policies: Path, house: House):
    """Without settings nobody knows the meshes; with them a wrong name is a complaint."""
    ended = cli("lint", str(policies), *house.config)
    assert ended.code == 1
    assert 'RP074 "envoy" is no mesh that the operator named' in ended.out


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_every_form_is_one_for_programs(cli: Cli, policies: Path, output: str):
    assert cli("lint", str(policies), "-o", output).code == 0


def test_a_folder_without_policies_is_a_mistake(cli: Cli, tmp_path: Path):
    """A path that was mistyped in CI must not pass."""
    ended = cli("lint", str(tmp_path))
    assert ended.code == 2
    assert ended.err == f"there is no *.yaml below {tmp_path}: name the folder of the policies\n"


def test_a_file_that_is_not_there_is_a_mistake(cli: Cli, tmp_path: Path):
    ended = cli("lint", str(tmp_path / "jazz.yaml"))
    assert ended.code == 2
    assert ended.err == f"{tmp_path / 'jazz.yaml'} cannot be read: No such file or directory\n"


def test_links_in_a_folder_are_not_followed(cli: Cli, policies: Path):
    """The daemon does not follow them either."""
    (policies / "link.yaml").symlink_to(policies / "jazz.yaml")
    ended = cli("lint", str(policies))
    assert ended.code == 1
    assert "RP014 is a symbolic link (commit the text itself)" in ended.out


def test_a_pipe_or_a_device_is_refused(cli: Cli, tmp_path: Path):
    """Nothing is read that may never end."""
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero")):
        ended = cli("lint", str(path))
        assert ended.code == 2
        assert "is not a regular file" in ended.err


def test_odd_things_in_a_folder_hide_no_complaint(cli: Cli, policies: Path):
    """A pipe and a link to nowhere are complaints beside the others, which are all told."""
    os.mkfifo(policies / "a.yaml")
    (policies / "b.yaml").symlink_to(policies / "nowhere")
    (policies / "jazz.yaml").write_text(GOOD.replace("bake: 5m", "bake: 0m", 1), encoding="utf-8")
    ended = cli("lint", str(policies))
    assert ended.code == 1
    assert [line.split(" ", 1)[1] for line in ended.out.splitlines()[:2]] == [
        "RP014 is not a regular file (commit the text itself)",
        "RP014 is a symbolic link (commit the text itself)",
    ]
    assert "RP047" in ended.out


@pytest.mark.parametrize(
    "text",
    ["", "a: 1\n", "- " * 100_000, GOOD.replace("rollout.dev", "rollouts.io")],
    ids=["empty", "other", "huge", "other people's rollout"],
)
def test_a_file_without_a_policy(cli: Cli, policies: Path, text: str):
    """Named by hand that is a complaint, with how a policy begins; in a folder it is other people's."""
    (policies / "other.yaml").write_text(text, encoding="utf-8")
    ended = cli("lint", str(policies / "other.yaml"))
    assert ended.code == 1
    assert "RP0" in ended.out
    if not text.startswith("-"):
        assert "RP019 holds no policy (a policy begins with `apiVersion: rollout.dev/v1alpha1`" in ended.out
        assert cli("lint", str(policies)).out == "no complaints about 1 policy in 2 files\n"


def test_hidden_folders_are_left_alone(cli: Cli, policies: Path):
    (policies / ".git").mkdir()
    (policies / ".git" / "odd.yaml").write_text("kind: Rollout\nspec: [", encoding="utf-8")
    assert cli("lint", str(policies)).code == 0


def test_a_name_that_is_no_text_is_shown_all_the_same(cli: Cli, policies: Path):
    """A file's name may hold bytes of another encoding, and letters that steer a terminal."""
    (policies / os.fsdecode(b"\xff\x1b[2J.yaml")).write_text("kind: Rollout\nspec: [", encoding="utf-8")
    ended = cli("lint", str(policies))
    assert ended.code == 1
    assert "\x1b" not in ended.out


# --- the frame -----------------------------------------------------------------------------------


def frame(column: int, text: str, *, width: int = 80) -> list[str]:
    shown = terminal(TERM="xterm", colour="never")
    shown = Terminal(shown.stream, colour=False, letters=True, live=True, width=width)
    return list(_frame(shown, Complaint("x", 2, column, "RP001", "is wrong", "mend it"), text.encode()))


def test_a_frame_points_at_the_place():
    assert frame(5, "a: 1\nb:  2\n") == [" 2 │ b:  2", "   │     ^", "   = mend it", ""]


def test_a_frame_of_a_long_line_shows_the_part_around_the_place():
    """The mark stays under its column however long the line is."""
    line = "x" * 4999 + "Y" + "z" * 5000
    [source, mark, *_] = frame(5000, f"\n{line}\n", width=60)
    assert len(source) <= 60
    assert source[mark.index("^")] == "Y"


def test_a_frame_cannot_steer_the_terminal():
    assert "\x1b" not in "".join(frame(1, "\n\x1b[2Jhello\n"))


def test_a_place_beyond_the_file_has_no_frame():
    assert frame(1, "one line") == ["   = mend it", ""]
